"""The lifecycle rules of an S3 bucket that remove unfinished uploads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from labelbox_export_provider.sinks.upload_rule import UploadRule


def upload_rules(rules: Iterable[Mapping[str, Any]], key: str) -> Iterator[UploadRule]:
    """Yield the rules that apply to an unfinished upload under this key."""
    for rule in rules:
        days = rule.get("AbortIncompleteMultipartUpload", {}).get("DaysAfterInitiation")
        if days is not None and rule.get("Status") == "Enabled" and _applies(rule, key):
            yield UploadRule(int(days), f"the lifecycle rule {rule.get('ID', '')!r}")


def _applies(rule: Mapping[str, Any], key: str) -> bool:
    """Return whether a rule is about this key. S3 has none for uploads that filters by tags or sizes."""
    found = rule.get("Filter", {})
    found = found.get("And", found)
    prefix = found.get("Prefix", rule.get("Prefix", ""))
    return key.startswith(prefix) and not found.keys() - {"Prefix"}
