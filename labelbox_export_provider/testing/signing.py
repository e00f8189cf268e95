"""Signed, expiring file URLs as in Google Cloud Storage."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Literal
from urllib.parse import urlencode

_DATE_FORM = "%Y%m%dT%H%M%SZ"
UrlState = Literal["good", "expired", "forged"]


class UrlSigner:
    """Signs paths with its own secret, so that URLs of another run of the fake do not work."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def query(self, path: str, *, now: datetime, seconds: float) -> str:
        """Return the query string that is valid for this path for a number of whole seconds (at least 1)."""
        signed = {
            "X-Goog-Algorithm": "GOOG4-RSA-SHA256",
            "X-Goog-Credential": "fake@labelbox.example/auto/storage/goog4_request",
            "X-Goog-Date": now.astimezone(timezone.utc).strftime(_DATE_FORM),
            "X-Goog-Expires": str(max(1, int(seconds))),
            "X-Goog-SignedHeaders": "host",
        }
        return urlencode({**signed, "X-Goog-Signature": self._sign(path, signed)})

    def check(self, path: str, query: Mapping[str, str], *, now: datetime) -> UrlState:
        """Return whether this query is valid for this path now."""
        signed = {name: value for name, value in query.items() if name != "X-Goog-Signature"}
        if not hmac.compare_digest(self._sign(path, signed), query.get("X-Goog-Signature", "")):
            return "forged"
        signed_at = datetime.strptime(signed["X-Goog-Date"], _DATE_FORM).replace(tzinfo=timezone.utc)
        return "expired" if now >= signed_at + timedelta(seconds=int(signed["X-Goog-Expires"])) else "good"

    def _sign(self, path: str, signed: Mapping[str, str]) -> str:
        text = path + "?" + urlencode(sorted(signed.items()))
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()
