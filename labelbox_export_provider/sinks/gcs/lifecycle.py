"""The lifecycle rules of a bucket in Cloud Storage that remove unfinished multipart uploads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from labelbox_export_provider.sinks.upload_rule import UploadRule


def upload_rules(rules: Iterable[Mapping[str, Any]], key: str) -> Iterator[UploadRule]:
    """Yield the rules that apply to an unfinished upload under this key; they have no names of their own."""
    for rule in rules:
        condition = rule["condition"]
        age = condition.get("age")
        prefixes, suffixes = condition.get("matchesPrefix"), condition.get("matchesSuffix")
        if rule["action"]["type"] != "AbortIncompleteMultipartUpload" or age is None:
            continue
        if key.startswith(tuple(prefixes or [""])) and key.endswith(tuple(suffixes or [""])):
            about = ", ".join(map(repr, [*(prefixes or ()), *(suffixes or ())]))
            yield UploadRule(int(age), f"the lifecycle rule for {about or 'the whole bucket'}")
