"""Questions about reading a finished export: headers, files and file hosts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import google_crc32c

from labelbox_export_provider.check_account.account import Account
from labelbox_export_provider.check_account.ask import Asked
from labelbox_export_provider.check_account.exports import TinyExport, read_totals
from labelbox_export_provider.client import graphql, parsing
from labelbox_export_provider.client.graphql import Document
from labelbox_export_provider.client.types import ExportFile, StreamTotals, StreamType
from labelbox_export_provider.errors import IntegrityError, UnreachableError
from labelbox_export_provider.sinks import checksum
from labelbox_export_provider.streaming.download.file_host import BrokenTransferError, FileHost, FileResponse

MAX_FILE = 64 * 2**20
"""Maximum number of bytes that are read of a file; one row without labels is far smaller."""
_CHUNK = 512 * 1024
_HOSTS = ("googleapis.com", "amazonaws.com", "windows.net")
_LIVES = ("X-Goog-Expires", "X-Amz-Expires")
FILE_FROM_LINE = Document(
    "FileFromLine",
    "query FileFromLine($where: WhereUniqueIdInput, $streamType: TaskStreamType!, $line: UInt64!) "
    "{ task(where: $where) { exportFileFromLine(streamType: $streamType, line: $line) { lines { start end } } } }",
)


def settle_empty(account: Account, export: TinyExport) -> None:
    """Settle how the streams of an export without rows look."""
    header = export.header
    if export.totals is not None:
        account.settle("empty_header", "rows, though none was asked for", "differs")
    elif header is None:
        account.settle("empty_header", "null", "ok")
    else:
        values = list(header.values()) if isinstance(header, Mapping) else [header]
        account.settle("empty_header", "null members" if None in values else "0/0", "ok")
    _, errors = read_totals(account, export.export_id, StreamType.ERRORS)
    if errors is None:
        account.settle("error_rows", "none", "ok")
        return
    file, _ = _file(account, export, StreamType.ERRORS)
    lines = _get(account, file)[1].split(b"\n")
    members = sorted({name for line in lines for name in _members(line)})
    account.settle("error_rows", f"{errors.lines} with the members {', '.join(members) or 'of no object'}", "ok")


def settle_row(account: Account, export: TinyExport, totals: StreamTotals) -> bytes:
    """Settle how the file of an export of one row is announced, fetch it in whole and in part, and return the row."""
    file, raw = _file(account, export, StreamType.RESULT)
    _settle_uint64(account, export.header, raw)
    _settle_life(account, file)
    response, content = _get(account, file)
    whole = response.status == 200
    announced = (file.size, file.line_end - file.line_start + 1)
    counted = (len(content), content.rstrip(b"\n").count(b"\n") + 1)
    agrees = whole and announced == (totals.size, totals.lines) == counted
    account.settle(
        "file_size",
        "yes" if agrees else f"no: HTTP {response.status}, announced {announced}, counted {counted}",
        "ok" if agrees else "differs",
    )
    account.settle("last_newline", "yes" if content.endswith(b"\n") else "no", "ok")
    _settle_headers(account, response, content)
    _settle_range(account, file)
    _settle_line(account, export)
    return content.split(b"\n")[0]


def _file(account: Account, export: TinyExport, stream: StreamType) -> tuple[ExportFile, Mapping[str, Any]]:
    variables = {"where": {"id": export.export_id}, "streamType": stream.value, "offset": "0"}
    asked = account.ask(graphql.FILE_FROM_OFFSET, variables)
    if asked.error is not None:
        raise asked.error
    return parsing.export_file(asked.data, export.export_id, stream, 0), asked.data["task"]["exportFileFromOffset"]


def _settle_uint64(account: Account, header: Any, file: Mapping[str, Any]) -> None:
    values = [*header.values(), *file["offsets"].values(), *file["lines"].values()]
    kinds = sorted({"text" if isinstance(value, str) else "number" for value in values})
    account.settle("uint64", " and ".join(kinds), "ok")


def _settle_life(account: Account, file: ExportFile) -> None:
    query = parse_qs(urlsplit(file.url).query)
    for name in _LIVES:
        seconds = query.get(name, [""])[0]
        if seconds.isdigit():
            account.settle("url_life", f"{seconds} s", "ok", seconds=int(seconds), scheme=name.split("-")[1].lower())
            return
    account.settle("url_life", "the URL does not show it", "open")


def _get(
    account: Account, file: ExportFile, first: int | None = None, last: int | None = None
) -> tuple[FileResponse, bytes]:
    """Fetch a file without the key. Raises when its host does not answer or sends more than one row can be."""
    host = FileHost(account.client.settings, user_agent=account.client.user_agent, connections=1)
    content = bytearray()
    failure = ""
    try:
        response = host.get(file.url, first=first, last=last)
        while data := response.read(_CHUNK):
            content += data
            if len(content) > MAX_FILE:
                raise IntegrityError(f"A file of one row is larger than {MAX_FILE} bytes, or endless.")
    except BrokenTransferError as error:
        failure = str(error)
    finally:
        host.close()
    if failure:
        raise UnreachableError(
            f"A file of the export cannot be fetched: {failure}. Files come from another host than the API: check "
            "the proxy and the firewall in between."
        )
    return response, bytes(content)


def _settle_headers(account: Account, response: FileResponse, content: bytes) -> None:
    headers = response.headers
    length = headers.get("Content-Length")
    account.settle(
        "file_length",
        "no" if length is None else "yes",
        "ok" if length is None or length == str(len(content)) else "differs",
        transfer_encoding=headers.get("Transfer-Encoding"),
        content_encoding=headers.get("Content-Encoding"),
        content_type=headers.get("Content-Type"),
    )
    values = headers.getlist("x-goog-hash")
    kinds = [item.strip().partition("=")[0] for item in ",".join(values).split(",") if item.strip()]
    announced = checksum.from_storage_headers(values).get("crc32c")
    fits = announced is None or int.from_bytes(announced, "big") == google_crc32c.value(content)
    has = [*(["ETag"] if "ETag" in headers else []), *(["x-goog-hash"] if kinds else [])]
    account.settle(
        "file_hash",
        (" and ".join(has) or "neither") + ("" if fits else "; the hash does not fit the bytes"),
        "ok" if fits else "differs",
        hashes=kinds,
        host=next((known for known in _HOSTS if response.host.endswith(known)), "another host"),
    )


def _settle_range(account: Account, file: ExportFile) -> None:
    response, content = _get(account, file, 1, 2)
    ranges = response.headers.get("Content-Range", "")
    shown = f"HTTP {response.status}" + (" with Content-Range" if ranges else "")
    if response.status == 206:
        good = re.fullmatch(r"bytes 1-2/(\d+|\*)", ranges.strip()) is not None and len(content) == 2
    else:
        good = response.status == 200 and len(content) == file.size
    account.settle(
        "file_range",
        shown if good else f"{shown}, {len(content)} bytes for 2",
        "ok" if good else "differs",
        accept_ranges=response.headers.get("Accept-Ranges"),
    )


def _settle_line(account: Account, export: TinyExport) -> None:
    asked = account.ask(FILE_FROM_LINE, {"where": {"id": export.export_id}, "streamType": "RESULT", "line": 0})
    account.settle("file_from_line", _served(asked), "ok", status=asked.status)


def _served(asked: Asked) -> str:
    if asked.error is not None:
        return f"no, {asked.refusal}"
    task = asked.data.get("task")
    found = task.get("exportFileFromLine") if isinstance(task, Mapping) else None
    return "yes" if found is not None else "it answers null"


def _members(line: bytes) -> list[str]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return []
    return list(value) if isinstance(value, dict) else []
