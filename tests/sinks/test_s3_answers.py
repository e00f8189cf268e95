"""Answers of S3, and the errors that they become. The answers come from a scripted server."""

from __future__ import annotations

from collections.abc import Callable

import google_crc32c
import pytest
from support.stores.servers import s3_client
from support.streaming.http import Reply, Request, http_server

from labelbox_export_provider.errors import (
    ObjectExistsError,
    StorageError,
    StorageUnavailableError,
)
from labelbox_export_provider.sinks.base import (
    EXPORT_ID,
    ExpectedObject,
    NewObject,
    Part,
    PartBody,
)
from labelbox_export_provider.sinks.s3.bucket import S3Bucket
from labelbox_export_provider.sinks.s3.calls import S3Calls
from labelbox_export_provider.sinks.s3.sink import S3Sink

MIB = 1024**2


def answer(status: int, code: str) -> Reply:
    return Reply(
        status, f"<Error><Code>{code}</Code><Message>m</Message></Error>".encode(), {"Content-Type": "text/xml"}
    )


CASES = [
    (403, "AccessDenied", StorageError, "s3:PutObject"),
    (403, "AccessDenied", StorageError, "kms:GenerateDataKey"),
    (403, "ExpiredToken", StorageError, "Renew them in the connection"),
    (404, "NoSuchBucket", StorageError, "s3_bucket"),
    (411, "MissingContentLength", StorageError, '"request_checksum_calculation": "when_required"'),
    (412, "PreconditionFailed", ObjectExistsError, "replace=True"),
    (409, "ConditionalRequestConflict", StorageUnavailableError, "retrying may help"),
    (400, "BadDigest", StorageUnavailableError, "sends them again"),
    (503, "SlowDown", StorageUnavailableError, "retrying may help"),
    (500, "InternalError", StorageUnavailableError, "retrying may help"),
    (400, "InvalidArgument", StorageError, "sink_args"),
]


@pytest.mark.parametrize(("status", "code", "kind", "advice"), CASES, ids=lambda value: str(value)[:40])
def test_every_refusal_names_bucket_key_and_the_next_step(
    status: int, code: str, kind: type[StorageError], advice: str
) -> None:
    with http_server(lambda request: answer(status, code)) as address:
        sink = S3Sink(s3_client(address, attempts=0), "lake")
        with pytest.raises(StorageError) as caught:
            sink.put(NewObject("data/rows.gz", "text/plain"), b"1")
    assert type(caught.value).__mro__[1 if type(caught.value) is not kind else 0] is kind
    message = str(caught.value)
    assert "s3://lake/data/rows.gz" in message
    assert advice in message
    assert code in message
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_refused_value_is_named_but_not_quoted() -> None:
    """A value that the client library refuses is named without being quoted."""
    sink = S3Sink(s3_client("http://127.0.0.1:9"), "lake", {"StorageClass": "STANDARD"})
    with pytest.raises(StorageError, match="ContentType") as caught:
        sink.put(NewObject("rows", 77123), b"1")  # type: ignore[arg-type]  # which is what it refuses
    assert "77123" not in str(caught.value)
    assert not caught.value.retryable


def test_a_refused_bucket_is_not_blamed_on_sink_args() -> None:
    """What the client library refuses of a bucket's name leads to the option that holds the name."""
    bucket = S3Bucket(s3_client("http://127.0.0.1:9"), "My Bucket!", "the AWS connection")
    calls = S3Calls(bucket, {})
    with pytest.raises(StorageError, match="Correct s3_bucket") as caught:
        calls.head_object("rows")
    assert "sink_args" not in str(caught.value)


@pytest.mark.parametrize(("status", "code"), [(403, "AccessDenied"), (501, "NotImplemented")])
def test_uploads_that_cannot_be_listed_are_a_warning(status: int, code: str, caplog: pytest.LogCaptureFixture) -> None:
    """Where open uploads cannot be listed, a warning is logged and the landing continues."""
    with http_server(lambda request: answer(status, code)) as address:
        assert S3Sink(s3_client(address, attempts=0), "lake").abort_open_uploads("rows") == 0
    assert "ListMultipartUploads" in caplog.text
    assert "lifecycle rule" in caplog.text


def test_a_completion_with_a_lost_answer_is_recognised() -> None:
    """A completion whose answer was lost is recognised by the object that is there.

    The client sends the completion again, and the answer is that there is no such upload: it has become the object.
    """

    def respond(object_there: bool) -> Callable[[Request], Reply]:
        def reply(request: Request) -> Reply:
            if request.method == "POST" and "uploads" in request.query:
                return Reply(200, b"<R><UploadId>u1</UploadId></R>", {"Content-Type": "text/xml"})
            if request.method == "PUT":
                return Reply(200, b"", {"ETag": '"part"'})
            if request.method == "POST":
                return answer(404, "NoSuchUpload")
            if request.method == "HEAD" and object_there:
                headers = {"ETag": '"whole"', f"x-amz-meta-{EXPORT_ID}": "e1"}
                return Reply(200, b"", headers, content_length=5 * MIB + 1)
            return Reply(404 if request.method == "HEAD" else 204, b"")

        return reply

    expected = ExpectedObject(5 * MIB + 1, google_crc32c.value(b"x" * 5 * MIB + b"y"))
    for object_there in (True, False):
        with http_server(respond(object_there)) as address:
            writer = S3Sink(s3_client(address, attempts=0), "lake").begin(
                NewObject("rows", "text/plain", {EXPORT_ID: "e1"})
            )
            writer.put_part(Part(1, 0, PartBody([b"x" * 5 * MIB]), last=False))
            writer.put_part(Part(2, 5 * MIB, PartBody([b"y"]), last=True))
            if object_there:
                assert writer.complete(expected).etag == "whole"
            else:
                with pytest.raises(StorageError, match="another try of the same task has taken over"):
                    writer.complete(expected)
            writer.abort()
