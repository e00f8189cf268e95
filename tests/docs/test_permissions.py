"""The policies of docs/permissions.md are enough for what the page says, and not for what it says they are not."""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.stores.faulty_sink import FaultySink, KilledError, SinkFault
from support.stores.servers import ACCESS_KEY, SECRET_KEY, moto_server, s3_client, strict_store
from support.streaming.exports import LandingClient, landing_client, rows_in
from support.streaming.small_parts import PART_BYTES, use_small_parts

from labelbox_export_provider.errors import StorageError
from labelbox_export_provider.sinks.s3.errors import PERMISSIONS
from labelbox_export_provider.sinks.s3.sink import S3Sink
from labelbox_export_provider.testing import FakeLabelbox, generate_rows
from labelbox_export_provider.testing.object_store import StrictS3, strict_s3

PAGE = (Path(__file__).parents[2] / "docs" / "permissions.md").read_text()
S3 = PAGE.partition("## S3")[2].partition("\n## ")[0]
PREFIX = "labelbox"
OF_BUCKETS = {"s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:GetLifecycleConfiguration"}
NOT_USUAL = {"s3:DeleteObject", "s3:GetLifecycleConfiguration"}
LIFECYCLE = ("Uploads that nobody finishes", "Receipts in `_staging/`")


def block(heading: str) -> dict[str, Any]:
    """The first JSON below a heading."""
    found = re.search(r"```json\n(.*?)```", S3.partition(f"### {heading}\n")[2], re.DOTALL)
    assert found, heading
    read = json.loads(found[1])
    assert isinstance(read, dict)
    return read


def denied_by(policy: dict[str, Any], *more: str) -> frozenset[str]:
    """The calls that a policy does not allow below the prefix, as AWS would read it."""
    allowed = set(more)
    for statement in policy["Statement"]:
        assert statement["Effect"] == "Allow"
        of_objects = statement["Resource"].endswith("/*")
        if of_objects:
            assert fnmatch.fnmatch(f"arn:aws:s3:::my-data-lake/{PREFIX}/data/rows", statement["Resource"])
        elif "Condition" in statement:
            (pattern,) = statement["Condition"]["StringLike"].values()
            assert fnmatch.fnmatch(f"{PREFIX}/data/source=", pattern)
        for action in statement["Action"]:
            of_bucket = action in OF_BUCKETS
            assert of_objects != of_bucket, f"{action} is of the other kind of resource"
            allowed.add(action)
    return frozenset(call for call, needed in PERMISSIONS.items() if needed.split(" and ")[0] not in allowed)


@pytest.fixture(scope="module")
def at() -> Iterator[LandingClient]:
    with (
        pytest.MonkeyPatch.context() as patch,
        FakeLabelbox(generate_rows(150)) as fake,
        landing_client(fake) as made,
    ):
        use_small_parts(patch)
        yield made


@pytest.fixture
def server() -> Iterator[StrictS3]:
    with strict_s3(minimum_part_bytes=PART_BYTES) as served:
        yield served


def sink(server: StrictS3, **sink_args: Any) -> S3Sink:
    made = S3Sink(s3_client(server.address), "lake", sink_args)
    made.minimum_part_bytes = PART_BYTES
    return made


def land(at: LandingClient, server: StrictS3, *, minutes: float = 0, **options: Any) -> list[bytes]:
    handle = at.export(minutes=minutes)
    at.land(handle, sink(server), prefix=PREFIX, compression=None, **options)
    assert rows_in(server.visible()) == at.fake.rows_for(like=handle.export_id)
    return rows_in(server.visible())


def die_and_resume(at: LandingClient, made: S3Sink, **where: Any) -> None:
    """Kill a landing of several objects, or as `where` says, before it completes the first, and land them."""
    handle = at.export(minutes=5)
    where = where or {"prefix": "resumed", "max_object_bytes": 64 * 1024}
    options: dict[str, Any] = {"compression": None, "tries": timedelta(days=8), **where}
    with pytest.raises(KilledError):
        at.land(handle, FaultySink(made, SinkFault("complete", "data", 0, "killed before")), **options)
    at.fake.requests.clear()
    at.land(handle, made, **options)
    assert at.fake.requests.files == []


def test_the_table_holds_the_calls_that_are_really_made_and_what_each_needs(
    at: LandingClient, server: StrictS3
) -> None:
    handle = at.export()
    killed = FaultySink(sink(server), SinkFault("put_part", "data", 1, "killed after"))
    with pytest.raises(KilledError):
        at.land(handle, killed, prefix=PREFIX, compression=None)
    at.land(handle, sink(server), prefix=PREFIX, compression=None)
    land(at, server, minutes=1, rerun="replace")
    at.land(handle, sink(server), key="explicit/rows.ndjson", compression=None)
    at.land(handle, sink(server), key="explicit/rows.ndjson", compression=None)
    die_and_resume(at, sink(server))
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", S3, re.MULTILINE))
    assert set(rows) == {call.operation for call in server.calls}
    assert rows == {call: " and ".join(f"`{each}`" for each in PERMISSIONS[call].split(" and ")) for call in rows}


def test_the_usual_policy_is_enough_to_land_retry_and_refuse(at: LandingClient, server: StrictS3) -> None:
    server.denied = denied_by(block("The usual policy"))
    assert "DeleteObject" in server.denied
    assert land(at, server)
    die_and_resume(at, sink(server))
    die_and_resume(at, sink(server), key="resumed/rows", receipt_bytes=64 * 1024)
    with pytest.raises(StorageError, match="rerun='refuse'"):
        at.land(at.export(), sink(server), prefix=PREFIX, compression=None, rerun="refuse")


def test_replacing_older_generations_needs_the_right_to_delete_and_says_so(at: LandingClient, server: StrictS3) -> None:
    server.denied = denied_by(block("The usual policy"))
    land(at, server)
    with pytest.raises(StorageError, match="needs s3:DeleteObject"):
        land(at, server, minutes=1, rerun="replace")
    server.denied = denied_by(block("The usual policy"), "s3:DeleteObject")
    assert land(at, server, minutes=2, rerun="replace")


def test_every_action_of_the_usual_policy_is_needed(at: LandingClient, server: StrictS3) -> None:
    """It is smallest: each action is that of a call which is made."""
    policy = block("The usual policy")
    named = {action for statement in policy["Statement"] for action in statement["Action"]}
    assert named == {each for needed in PERMISSIONS.values() for each in needed.split(" and ")} - NOT_USUAL


def test_an_identity_that_may_only_write_lands_all_and_cannot_look_for_others(
    at: LandingClient, server: StrictS3, caplog: pytest.LogCaptureFixture
) -> None:
    policy = block("Only writing")
    server.denied = denied_by(policy)
    reading = {"GetObject", "HeadObject", "ListObjectsV2", "ListMultipartUploads", "ListParts"}
    assert {*reading, "DeleteObject", "GetBucketLifecycleConfiguration"} == server.denied
    assert land(at, server)
    assert "ListMultipartUploads" in caplog.text
    for rerun in ("refuse", "replace"):
        before = server.visible()
        with pytest.raises(StorageError, match="needs s3:ListBucket"):
            at.land(at.export(), sink(server), prefix=PREFIX, compression=None, rerun=rerun)
        assert server.visible() == before
    handle = at.export()
    at.land(handle, sink(server), key="explicit/rows.ndjson", compression=None)
    with pytest.raises(StorageError, match="replace=True"):
        at.land(handle, sink(server), key="explicit/rows.ndjson", compression=None)
    at.land(handle, sink(server), key="explicit/rows.ndjson", compression=None, replace=True)


def test_the_policy_of_another_accounts_bucket_allows_what_the_usual_one_does() -> None:
    theirs = block("A bucket of another account")
    for statement in theirs["Statement"]:
        assert set(statement.pop("Principal")) == {"AWS"}
    assert theirs == block("The usual policy")


def test_the_expected_owner_of_the_bucket_goes_with_every_call(at: LandingClient, server: StrictS3) -> None:
    owned = sink(server, ExpectedBucketOwner="111122223333")
    killed = FaultySink(owned, SinkFault("put_part", "data", 1, "killed after"))
    handle = at.export()
    server.checksum_type = ""
    with pytest.raises(KilledError):
        at.land(handle, killed, prefix=PREFIX, compression=None)
    at.land(handle, owned, prefix=PREFIX, compression=None, rerun="replace")
    at.land(at.export(minutes=1), owned, prefix=PREFIX, compression=None, rerun="replace")
    die_and_resume(at, owned)
    assert {call.operation for call in server.calls} == set(PERMISSIONS)
    assert {call.headers.get("x-amz-expected-bucket-owner") for call in server.calls} == {"111122223333"}


def test_a_kms_key_needs_what_the_error_names() -> None:
    (statement,) = block("A KMS key")["Statement"]
    with strict_s3(denied=frozenset({"PutObject"})) as server, pytest.raises(StorageError) as caught:
        strict_store(server).sink.put(_small(), b"1")
    assert all(action in str(caught.value) for action in statement["Action"])


def test_the_connection_to_another_store_reaches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command of the page, with the address and the keys of a server that is not AWS."""
    from labelbox_export_provider.transfers.to_s3 import LabelboxExportToS3Operator

    [command] = re.findall(r"```\n(airflow connections add .*?)```", S3, re.DOTALL)
    *_, name = (words := shlex.split(command.replace("\\\n", "")))[:4]
    given = dict(zip(words[4::2], words[5::2], strict=True))
    assert (given["--conn-login"], given["--conn-password"]) == ("$ACCESS_KEY", "$SECRET_KEY")
    extra = json.loads(given["--conn-extra"])
    with moto_server() as address:
        connection = {
            "conn_type": given["--conn-type"],
            "login": ACCESS_KEY,
            "password": SECRET_KEY,
            "extra": {**extra, "endpoint_url": address},
        }
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(connection))
        s3_client(address).create_bucket(Bucket="lake")
        task = LabelboxExportToS3Operator(task_id="land", export="{{ x }}", s3_bucket="lake", s3_prefix=PREFIX)
        task._open_sink().put(_small(), b"1")
        assert s3_client(address).get_object(Bucket="lake", Key="rows")["Body"].read() == b"1"
    assert extra.keys() == {"endpoint_url", "region_name"}


def test_the_lifecycle_rule_is_one_that_s3_takes() -> None:
    with moto_server() as address:
        client = s3_client(address)
        client.create_bucket(Bucket="lake")
        both = [rule for each in LIFECYCLE for rule in block(each)["Rules"]]
        client.put_bucket_lifecycle_configuration(Bucket="lake", LifecycleConfiguration={"Rules": both})
        uploads, receipts = client.get_bucket_lifecycle_configuration(Bucket="lake")["Rules"]
    assert uploads["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    assert receipts["Expiration"] == {"Days": 7}
    assert receipts["Filter"]["Prefix"] == f"{PREFIX}/_staging/"


def test_a_rule_that_is_too_short_is_seen_with_its_policy_alone(
    at: LandingClient, server: StrictS3, caplog: pytest.LogCaptureFixture
) -> None:
    """The rule of the page, tries that take a day more: warned of with the permission, and not without."""
    rules = {"Rules": [{**rule, "Filter": {}} for rule in block(LIFECYCLE[0])["Rules"]]}
    s3_client(server.address).put_bucket_lifecycle_configuration(Bucket="lake", LifecycleConfiguration=rules)
    usual = block("The usual policy")
    more = block("A rule that is too short")
    assert not any("Condition" in statement for statement in more["Statement"])
    for warned, policy in (
        (0, usual),
        (2, {"Statement": [*usual["Statement"], *more["Statement"]]}),
    ):
        server.denied = denied_by(policy)
        caplog.clear()
        die_and_resume(at, sink(server))
        assert caplog.text.count("rule 'labelbox-open-uploads' of the store removes uploads") == warned


def _small() -> Any:
    from labelbox_export_provider.sinks.base import NewObject

    return NewObject("rows", "text/plain")


@pytest.mark.parametrize("heading", ["The usual policy", "Only writing"])
def test_each_policy_is_enough_to_ask_before_the_start(server: StrictS3, heading: str) -> None:
    """Nothing is left, also where the identity may not list what is open."""
    server.denied = denied_by(block(heading))
    sink(server).check_writable(f"{PREFIX}/data/rows")
    assert [call.operation for call in server.calls] == ["CreateMultipartUpload", "UploadPart", "AbortMultipartUpload"]
    assert server.open_uploads() == []


def test_without_the_right_to_write_asking_names_it(server: StrictS3) -> None:
    """Each action that asking needs is that of a call which is made."""
    server.denied = frozenset({"CreateMultipartUpload"})
    with pytest.raises(StorageError, match="needs s3:PutObject"):
        sink(server).check_writable(f"{PREFIX}/data/rows")
