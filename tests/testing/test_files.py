"""The file server behaves as object storage behind signed URLs does."""

from __future__ import annotations

import base64

import google_crc32c
import pytest
from support.fake_client import HTTP, Client

from labelbox_export_provider.testing import FakeLabelbox, ManualClock


@pytest.fixture
def url(client: Client) -> str:
    return str(client.file_at(client.start(params={"includeDataRowDetails": True}))["file"])


@pytest.fixture
def content(fake: FakeLabelbox) -> bytes:
    return b"".join(row + b"\n" for row in fake.rows_for())


def test_a_signed_url_gives_the_whole_file_from_another_port(fake: FakeLabelbox, url: str, content: bytes) -> None:
    answer = HTTP.get(url)
    assert answer.content == content
    assert answer.headers["content-length"] == str(len(content))
    assert url.startswith(fake.file_base_url + "/")
    assert fake.file_base_url != fake.base_url


def test_a_head_request_gives_the_headers_alone(url: str, content: bytes) -> None:
    answer = HTTP.head(url)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len(content))


@pytest.mark.parametrize("headers", [{"Authorization": "Bearer key"}, {"Authorization": ""}, {"Cookie": "session=1"}])
def test_a_key_or_cookie_is_refused_and_noted(fake: FakeLabelbox, url: str, headers: dict[str, str]) -> None:
    assert HTTP.get(url, headers=headers).status_code == 403
    (request,) = fake.requests.files
    assert request.had_authorization == ("Authorization" in headers)
    assert request.had_cookie == ("Cookie" in headers)
    assert request.bytes_sent < 200


def test_a_url_expires(fake: FakeLabelbox, client: Client, clock: ManualClock) -> None:
    fake.change(url_seconds=30)
    export_id = client.start()
    url = client.file_at(export_id)["file"]
    clock.advance(29)
    assert HTTP.get(url).status_code == 200
    clock.advance(1)
    expired = HTTP.get(url)
    assert (expired.status_code, "<Code>ExpiredToken</Code>" in expired.text) == (400, True)
    assert HTTP.get(client.file_at(export_id)["file"]).status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        ("X-Goog-Signature=", "X-Goog-Signature=0"),
        ("X-Goog-Expires=900", "X-Goog-Expires=9000"),
        ("/0.ndjson", "/1.ndjson"),
        ("/RESULT/", "/ERRORS/"),
        ("?", "?nothing&"),
    ],
)
def test_a_changed_url_is_refused(url: str, change: tuple[str, str]) -> None:
    assert change[0] in url
    assert HTTP.get(url.replace(*change)).status_code == 403


def test_a_url_without_signature_is_refused(url: str) -> None:
    assert HTTP.get(url.partition("?")[0]).status_code == 403


def test_a_url_of_another_fake_is_refused(url: str) -> None:
    with FakeLabelbox([]) as other:
        path = "/" + url.split("/", 3)[3]
        assert HTTP.get(other.file_base_url + path).status_code == 403


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=0-0", slice(0, 1)),
        ("bytes=10-19", slice(10, 20)),
        ("bytes=100-", slice(100, None)),
        ("bytes=-7", slice(-7, None)),
    ],
)
def test_a_range_gives_that_part(url: str, content: bytes, header: str, part: slice) -> None:
    answer = HTTP.get(url, headers={"Range": header})
    assert (answer.status_code, answer.content) == (206, content[part])
    start, stop, _ = part.indices(len(content))
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(content)}"


def test_a_range_past_the_end_cannot_be_had(url: str, content: bytes) -> None:
    answer = HTTP.get(url, headers={"Range": f"bytes={len(content)}-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(content)}"


def test_ranges_can_be_switched_off(fake: FakeLabelbox, url: str, content: bytes) -> None:
    fake.change(file_ranges=False)
    answer = HTTP.get(url, headers={"Range": "bytes=5-"})
    assert (answer.status_code, answer.content) == (200, content)
    assert "accept-ranges" not in answer.headers


def test_a_part_is_given_only_of_the_file_that_is_meant(url: str, content: bytes) -> None:
    etag = HTTP.head(url).headers["etag"]
    assert HTTP.get(url, headers={"Range": "bytes=5-", "If-Range": etag}).status_code == 206
    assert HTTP.get(url, headers={"Range": "bytes=5-", "If-Range": '"other"'}).content == content
    assert HTTP.get(url, headers={"If-Match": etag}).status_code == 200
    assert HTTP.get(url, headers={"If-Match": '"other"'}).status_code == 412


def test_the_hash_header_is_that_of_the_whole_file(fake: FakeLabelbox, url: str, content: bytes) -> None:
    hashes = HTTP.get(url, headers={"Range": "bytes=5-"}).headers["x-goog-hash"]
    crc32c = base64.b64encode(google_crc32c.value(content).to_bytes(4, "big")).decode()
    assert f"crc32c={crc32c}" in hashes
    fake.change(file_hash=False)
    assert not {"x-goog-hash", "etag"} & HTTP.get(url).headers.keys()


def test_the_length_can_be_left_out(fake: FakeLabelbox, url: str, content: bytes) -> None:
    fake.change(file_content_length=False)
    answer = HTTP.get(url)
    assert answer.content == content
    assert "content-length" not in answer.headers


def test_other_methods_are_refused(url: str) -> None:
    assert HTTP.put(url, content=b"x").status_code == 405
