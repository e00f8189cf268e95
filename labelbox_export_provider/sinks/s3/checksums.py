"""How the bytes of an upload are protected on their way: by the CRC32C that this package has of them anyway.

Left alone, boto3 adds a CRC-32 of its own to each upload. Over https it sends that behind the bytes, framed in chunks
(aws-chunked), which many stores that speak S3 refuse, and some keep in the object. So each upload is given its CRC32C
as a header, which takes the place of boto3's: no framing, nothing computed twice, and the checksum is that of the bytes
as they were packed. A connection with `request_checksum_calculation: when_required` gets none: its bodies are signed.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

from labelbox_export_provider.sinks import checksum

CURE = (
    "Set this in the AWS connection's extra: "
    '{"config_kwargs": {"request_checksum_calculation": "when_required"}}, then retry'
)
"""What to do about a store that does not know checksums, for a message."""
_HEADER = "x-amz-checksum-crc32c"
_EVENTS = ("before-call.s3.PutObject", "before-call.s3.UploadPart")


def sends_checksums(client: Any) -> bool:
    """Return whether the connection leaves checksums on, as is boto3's default."""
    return bool(client.meta.config.request_checksum_calculation == "when_supported")


def leave_bodies_unsigned(client: Any) -> None:
    """Have a client treat a CRC32C that it is given as one that it computed.

    Over https it then leaves the body unsigned, as it does for its own checksums; SHA-256 would cost three times the
    client's CPU. A version of boto3 that knows nothing of it signs the body: slower, and as safe.
    """
    for event in _EVENTS:
        client.meta.events.register(event, _declare_checksum, unique_id=f"labelbox-{event}")


def of_bytes(crc32c: int) -> dict[str, str]:
    """Return the argument of a call for the CRC32C of its bytes, or of the object that it makes."""
    return {"ChecksumCRC32C": checksum.base64_text(crc32c)}


def _declare_checksum(params: Mapping[str, Any], context: MutableMapping[str, Any], **_: object) -> None:
    if _HEADER in params["headers"]:
        context["checksum"] = {"request_algorithm": {"algorithm": "crc32c", "in": "header", "name": _HEADER}}
