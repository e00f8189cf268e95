"""G13: the command `windows` over nights that were really landed: what is there, what is missing, how it ends."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from support.stores.servers import ACCESS_KEY, BUCKET, SECRET_KEY, gcs_client, moto_server, rclone_server, s3_client
from support.streaming.exports import LandingClient, landing_client
from support.windows_command import DAY, FIRST, NIGHTS, OTHER, PREFIX, Lake, land_nights, reject_night, run_windows

from labelbox_export_provider.domain.options.dates import iso_utc
from labelbox_export_provider.sinks.file import FileSink
from labelbox_export_provider.sinks.gcs.sink import GCSSink
from labelbox_export_provider.sinks.s3.sink import S3Sink
from labelbox_export_provider.testing import FakeLabelbox, generate_rows
from labelbox_export_provider.testing.object_store import strict_gcs, strict_s3

pytestmark = pytest.mark.thorough  # each starts the command as a process


@pytest.fixture(scope="module")
def at() -> Iterator[LandingClient]:
    """A Labelbox whose project was edited in six of the ten nights, and another one in all of them."""
    edited = (FIRST + 2 * DAY).date()
    rows = generate_rows(60, start=edited, days=6)
    others = generate_rows(60, start=FIRST.date(), days=12, project_id=OTHER)
    with FakeLabelbox([*rows, *others]) as fake, landing_client(fake) as client:
        yield client


def s3_environment(endpoint: str) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_DEFAULT_REGION": "us-east-1",
    }


@pytest.fixture(params=["directory", "moto", "strict S3", "rclone", "strict GCS"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lake]:
    with ExitStack() as servers:
        if request.param == "directory":
            (tmp_path / PREFIX).mkdir(parents=True)
            yield Lake(FileSink(tmp_path), f"file://{tmp_path}/{PREFIX}", {})
        elif request.param == "strict GCS":
            gcs = servers.enter_context(strict_gcs())
            environment = {"STORAGE_EMULATOR_HOST": gcs.address, "GOOGLE_CLOUD_PROJECT": "test"}
            yield Lake(GCSSink(gcs_client(gcs.address), BUCKET), f"gs://{BUCKET}/{PREFIX}", environment)
        else:
            if request.param == "strict S3":
                endpoint = servers.enter_context(strict_s3()).address
            elif request.param == "moto":
                endpoint = servers.enter_context(moto_server())
                s3_client(endpoint).create_bucket(Bucket=BUCKET)
            else:
                (tmp_path / "store" / BUCKET).mkdir(parents=True)
                endpoint = servers.enter_context(rclone_server(tmp_path / "store"))
            sink = S3Sink(s3_client(endpoint), BUCKET)
            yield Lake(sink, f"s3://{BUCKET}/{PREFIX}", s3_environment(endpoint))


def test_every_kind_of_night(at: LandingClient, lake: Lake) -> None:
    """Landed, empty, rejected and missing nights, a source that is behind, rows, then all of it filled."""
    project = at.fake.project_id
    rows = land_nights(at, lake.sink, project, [0, 1, 2, 3, 6, 7, 8, 9])
    reject_night(at, lake.sink, project, 4)
    others = land_nights(at, lake.sink, OTHER, range(8))
    done = run_windows(lake.address, environment=lake.environment)
    assert (done.code, done.err) == (3, "")
    gaps = [line for line in done.out.splitlines() if line.startswith("- ")]
    assert gaps == [
        f"- missing: [{iso_utc(FIRST + 8 * DAY)}, {iso_utc(FIRST + 10 * DAY)}), 2 windows of project:{OTHER}",
        f"- missing: [{iso_utc(FIRST + 5 * DAY)}, {iso_utc(FIRST + 6 * DAY)}), 1 window of project:{project}",
        f"- rejected: [{iso_utc(FIRST + 4 * DAY)}, {iso_utc(FIRST + 5 * DAY)}), 1 window of project:{project}",
    ]
    read = run_windows(lake.address, "--json", "--rows", environment=lake.environment)
    assert read.code == 3
    shown = {
        name: [(each[3], row) for each in read.source(name)["intervals"] for row in (each[4] or [None] * each[2])]
        for name in (project, OTHER)
    }
    assert [row for _, row in shown[OTHER]] == [*others.values(), None, None]
    expected = {number: ("landed" if count else "empty", count) for number, count in rows.items()}
    assert shown[project] == [
        {4: ("rejected", None), 5: ("missing", None), **expected}[number] for number in range(NIGHTS)
    ]
    assert {state for state, _ in shown[project]} == {"landed", "empty", "rejected", "missing"}
    land_nights(at, lake.sink, project, [4, 5])
    one = run_windows(lake.address, "--source", f"project:{project}", environment=lake.environment)
    assert (one.code, OTHER in one.out) == (0, False)
    land_nights(at, lake.sink, OTHER, [8, 9])
    filled = run_windows(lake.address, environment=lake.environment)
    assert (filled.code, "Gaps" in filled.out) == (0, False)


def test_a_night_that_was_killed_while_it_was_published(at: LandingClient, tmp_path: Path) -> None:
    """Error rows and rows are there and no manifest: nothing was rejected, so the night is missing."""
    land_nights(at, FileSink(tmp_path), OTHER, range(NIGHTS), prefix="/")
    reject_night(at, FileSink(tmp_path), at.fake.project_id, 4)
    [errors] = (tmp_path / PREFIX / "errors").rglob("*.ndjson.gz")
    own = tmp_path / errors.relative_to(tmp_path / PREFIX)
    [manifest] = (tmp_path / "manifests").rglob(f"{FIRST + 5 * DAY:%Y%m%d}T*")
    generation = manifest.name.split(".")[1]
    [data] = (tmp_path / "data").rglob(f"*.{generation}.*")
    published = tmp_path / "errors" / data.parent.relative_to(tmp_path / "data") / data.name.replace(".00000", "")
    published.parent.mkdir(parents=True)
    own.unlink(missing_ok=True)
    published.write_bytes(errors.read_bytes())
    manifest.unlink()
    done = run_windows(str(tmp_path), "--json")
    [fill] = done.snapshot["fills"]
    assert (fill["state"], fill["windows"]) == ("missing", 1)
    data.unlink()
    [fill] = run_windows(str(tmp_path), "--json").snapshot["fills"]
    assert fill["state"] == "rejected"


def test_explicit_keys_are_read_when_rows_are_asked_for(at: LandingClient, tmp_path: Path) -> None:
    """Their names do not hold the window, which a message says."""
    key = "cars/{window_start:%Y-%m-%d}.ndjson.gz"
    land_nights(at, FileSink(tmp_path), OTHER, [0, 1, 2, 4, 5, 6, 7, 8, 9], key=key)
    names = run_windows(str(tmp_path / "cars"))
    assert names.code == 2
    assert "9 manifests of explicit keys: add --rows" in names.err
    read = run_windows(str(tmp_path / "cars"), "--rows", "--json")
    assert read.code == 3
    [fill] = read.snapshot["fills"]
    assert fill["start"] == iso_utc(FIRST + 3 * DAY)


def test_options_say_what_is_due(at: LandingClient, tmp_path: Path) -> None:
    """--until, --grace, --every, --timezone, --since and --dag-id, each by what it changes."""
    land_nights(at, FileSink(tmp_path), OTHER, range(2, 8), prefix="/")
    folder, source = str(tmp_path), ("--source", f"project:{OTHER}")
    until = iso_utc(FIRST + 8 * DAY)
    assert run_windows(folder, "--until", until).code == 0
    assert run_windows(folder, "--until", until, *source, "--since", f"{FIRST:%Y-%m-%d %H:%M:%S}").code == 3
    assert run_windows(folder, "--grace", "4d").code == 0
    assert run_windows(folder, "--every", "7d").code == 0
    hours = run_windows(folder, "--every", "12h", "--json").source(OTHER)["intervals"][-1]
    assert hours[1:4] == [12 * 3600, 4, "missing"] or hours[1:4] == [12 * 3600, 5, "missing"]
    assert run_windows(folder, "--every", "1d", "--timezone", "Europe/Berlin").code == 3
    backfill = run_windows(folder, "--dag-id", "labels_every_night").out
    assert f"airflow backfill create --dag-id labels_every_night --from-date {until} " in backfill
    ends = run_windows(folder, "--dag-id", "labels_every_night", "--dates-are-ends").out
    assert f"--from-date {iso_utc(FIRST + 8 * DAY + timedelta(seconds=1))} " in ends


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ftp://lake/labels"], "'ftp://lake/labels' is not an address of a store"),
        (["s3://"], "'s3://' is not an address of a store"),
        (["s3://lake/a//b"], "cannot be one of exports"),
        (["file://elsewhere/labels"], "names another host"),
        (["/no/such/directory"], "There is no directory /no/such/directory"),
        (["/no/such\ndirectory"], "There is no directory /no/such directory"),
        ([".", "--source", "clp1"], "'clp1' is not a source. It must be a kind and an id, as in project:clp1"),
        ([".", "--grace", "soon"], "--grace 'soon' is not a duration. It must be such as 90m, 6h or 2d"),
        ([".", "--every", "0d"], "--every '0d' must be longer than nothing"),
        ([".", "--every", "1d", "--timezone", "Mars"], "--timezone 'Mars' is not known here"),
        ([".", "--until", "tomorrow"], "--until 'tomorrow' is not a date"),
        ([".", "--since", "2026-01-01"], "--since needs --source"),
        (["{empty}"], "No export was landed below"),
    ],
)
def test_one_line_about_what_is_wrong(arguments: list[str], message: str, tmp_path: Path) -> None:
    done = run_windows(*[each.replace("{empty}", str(tmp_path)) for each in arguments])
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1


def test_listing_is_denied() -> None:
    """The message names the permission; nothing is treated as empty."""
    with strict_s3() as s3, strict_gcs() as gcs:
        s3.denied = frozenset({"ListObjectsV2"})
        gcs.denied = frozenset({"storage.objects.list"})
        denied = run_windows(f"s3://{BUCKET}/labels", environment=s3_environment(s3.address))
        environment = {"STORAGE_EMULATOR_HOST": gcs.address, "GOOGLE_CLOUD_PROJECT": "test"}
        forbidden = run_windows(f"gs://{BUCKET}/labels", environment=environment)
    assert (denied.code, forbidden.code) == (2, 2)
    assert "s3:ListBucket" in denied.err
    assert "storage.objects.list" in forbidden.err
    assert (denied.err.count("\n"), forbidden.err.count("\n")) == (1, 1)


def test_a_bucket_that_is_not_there() -> None:
    with strict_s3() as s3:
        done = run_windows("s3://no-such-lake/labels", environment=s3_environment(s3.address))
    assert done.code == 2
    assert "no-such-lake" in done.err


def test_no_credentials(tmp_path: Path) -> None:
    """Neither cloud's: one line with the way out."""
    nowhere = {"HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true", "NO_GCE_CHECK": "true"}
    amazon = run_windows("s3://lake-of-nobody/labels", environment={**nowhere, "AWS_DEFAULT_REGION": "us-east-1"})
    google = run_windows("gs://lake-of-nobody/labels", environment={**nowhere, "CLOUDSDK_CONFIG": str(tmp_path)})
    assert (amazon.code, google.code) == (2, 2)
    assert "credentials" in amazon.err
    assert "gcloud auth application-default login" in google.err
    assert (amazon.err.count("\n"), google.err.count("\n")) == (1, 1)


def test_no_airflow_is_imported(at: LandingClient, tmp_path: Path) -> None:
    """It runs on a laptop without Airflow."""
    land_nights(at, FileSink(tmp_path), OTHER, range(NIGHTS), prefix="/")
    program = (
        "import sys; from labelbox_export_provider.__main__ import main; "
        f"code = main(['windows', {str(tmp_path)!r}]); sys.exit(9 if 'airflow' in sys.modules else code)"
    )
    environment = {**os.environ, "PYTHONPATH": ":".join(sys.path)}
    assert subprocess.run([sys.executable, "-c", program], check=False, env=environment, timeout=60).returncode == 0
