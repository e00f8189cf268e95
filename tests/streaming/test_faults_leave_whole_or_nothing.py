"""A fault anywhere leaves the whole verified generation, or nothing that a manifest names; the next try completes it.

Generated from one seed: every kind of fault, at the first, a middle and the last call or byte of its kind, at the
source, at the store's methods and on the wire; on a directory, three S3 servers and Google Cloud Storage; packed
or not, trimmed or not, in one object, split, or under an explicit key. The store is inspected after the fault,
and again after another try.
"""

from __future__ import annotations

import itertools
import json
import random
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.stores.faulty_sink import Area, FaultySink, SinkFault, area_of
from support.stores.gcs_uploads import use_small_chunks
from support.stores.servers import BUCKET, file_store, s3_store
from support.stores.strict_servers import StrictServers, strict_servers
from support.streaming.exports import landing_client, rows_in
from support.streaming.fault_cases import (
    FILE_BYTES,
    GCS_WIRE_CALLS,
    INJECTIONS,
    LANDINGS,
    OF_CHUNKS,
    OF_COMPLETION,
    PART_BYTES,
    PLACES,
    SEED,
    SOURCE,
    STORE_CALLS,
    WIRE,
    WIRE_CALLS,
    Case,
    Landing,
    Place,
    StrictServer,
    generate_cases,
)
from support.streaming.fault_injection import WireFault, injection_of, source_fault, turn_of
from support.streaming.fault_scene import FaultScene, check_store, land_or_fail
from support.streaming.programs import landing_command
from support.streaming.small_parts import use_small_parts
from support.streaming.staged import unnamed_uploads

from labelbox_export_provider.domain.windows.windows import FixedWindow
from labelbox_export_provider.sinks.file import FileSink
from labelbox_export_provider.testing import FakeLabelbox, StreamLayout, faults, generate_rows
from labelbox_export_provider.testing.sink_conformance import Store

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(60)]


CASES = generate_cases()


def test_there_are_500_cases_with_every_kind_of_fault() -> None:
    """There are at least 500 cases, and every kind of fault is among them."""
    print(f"seed {SEED}: {len(CASES)} generated cases")
    assert len(set(CASES)) == len(CASES) >= 500
    assert {case.how for case in CASES} >= {*SOURCE, *INJECTIONS, *WIRE, *OF_COMPLETION, *OF_CHUNKS}
    assert {(case.what, case.area) for case in CASES} >= {*STORE_CALLS, *WIRE_CALLS, *GCS_WIRE_CALLS}
    assert {case.landing for case in CASES} == set(LANDINGS)
    assert {(case.layer, case.place) for case in CASES} == set(itertools.product(("source", "store", "wire"), PLACES))


# --- the world


@pytest.fixture(scope="module", autouse=True)
def small_parts() -> Iterator[None]:
    """Make every stream one of many parts; and let retries of the client library not wait."""
    from google.cloud.storage import retry

    with pytest.MonkeyPatch.context() as patch:
        use_small_parts(patch, PART_BYTES)
        patch.setattr("labelbox_export_provider.sinks.gcs.sink.GCSSink.minimum_part_bytes", PART_BYTES)
        use_small_chunks(patch, PART_BYTES)
        quick = retry.DEFAULT_RETRY.with_delay(initial=0.001, maximum=0.01, multiplier=2)
        patch.setattr("google.cloud.storage.retry.DEFAULT_RETRY", quick)
        patch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", PART_BYTES)
        patch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda seconds: None))
        yield


@pytest.fixture(scope="module")
def scene(small_parts: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultScene]:
    with FakeLabelbox(generate_rows(200)) as fake, landing_client(fake) as at:
        fake.change(streams=StreamLayout(file_bytes=FILE_BYTES))
        # Of random digits, so that compressed they are still more than one part.
        noise = random.Random(SEED)
        errors = tuple(f'{{"error": "{noise.randbytes(32).hex()}"}}' for _ in range(600))
        # Two rows lie in the margins, half a second outside of the window.
        moments = sorted(json.loads(row)["data_row"]["details"]["last_activity_at"] for row in fake.rows_for())
        half = timedelta(seconds=0.5)
        start, end = datetime.fromisoformat(moments[3]) + half, datetime.fromisoformat(moments[-4]) - half
        handles = []
        for window in (None, FixedWindow(start, end)):
            fake.faults.add(faults.ErrorRows(lines=errors))
            handles.append(at.export(window=window))
        whole, windowed = handles
        made = FaultScene(at, whole, windowed)
        for landing in LANDINGS:
            root = tmp_path_factory.mktemp("expected")
            sink = FaultySink(FileSink(root), None)
            made.land(landing, sink)
            made.expected[landing] = file_store(root).visible()  # type: ignore[assignment]  # a dict
            made.calls[landing] = sink.made
            if landing.trimmed:
                assert rows_in(made.expected[landing]) == fake.rows_for(start=start, end=end)
                assert len(rows_in(made.expected[landing])) < len(fake.rows_for(like=made.windowed.export_id))
            elif landing.shape != "explicit key":
                assert rows_in(made.expected[landing]) == fake.rows_for(like=made.whole.export_id)
        yield made


@pytest.fixture(scope="module")
def servers() -> Iterator[StrictServers]:
    with strict_servers(PART_BYTES) as started:
        yield started


@pytest.fixture
def open_store(
    request: pytest.FixtureRequest, tmp_path: Path, new_bucket: Any, servers: StrictServers
) -> Callable[[str], Store]:
    def open_it(name: str) -> Store:
        if name == "file":
            return file_store(tmp_path)
        if name in {"strict", "gcs"}:
            return servers.open(name)
        return s3_store(*new_bucket(request.getfixturevalue(name)), minimum_part_bytes=PART_BYTES)

    return open_it


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_fault_leaves_a_whole_generation_or_no_manifest(
    case: Case, scene: FaultScene, servers: StrictServers, open_store: Callable[[str], Store]
) -> None:
    """Nothing partial is ever visible.

    A fault leaves the whole generation, or nothing that a manifest names.
    """
    store = open_store(case.store)
    server: StrictServer = servers.gcs if case.store == "gcs" else servers.s3
    sink = store.sink
    scene.landing_client.fake.faults.clear()
    hit: Callable[[], bool]
    if case.layer == "source":
        fault = source_fault(case)
        scene.landing_client.fake.faults.add(fault)
        hit = lambda: True  # noqa: E731  the fake used it, or it is still pending, which is checked below
    elif case.layer == "store":
        turn = turn_of(case.place, scene.calls[case.landing][case.what, case.area])
        sink = faulty = FaultySink(store.sink, SinkFault(case.what, case.area, turn, injection_of(case.how)))
        hit = lambda: faulty.hit  # noqa: E731
    else:
        wire = WireFault(case, turn_of(case.place, _wire_calls(scene, case, server, store)))
        server.fault = wire
        hit = lambda: wire.hit  # noqa: E731
    landed = land_or_fail(scene, case.landing, sink)
    assert hit(), "the fault was never hit, so this case shows nothing"
    check_store(scene.expected[case.landing], store, landed=landed)
    if case.layer == "source" or case.how in {"refused", "unavailable"}:
        assert unnamed_uploads(store) == [], "a try that fails and still runs cleans up what no receipt names"
    scene.landing_client.fake.faults.clear()
    server.fault = lambda call: None
    scene.land(case.landing, store.again())
    check_store(scene.expected[case.landing], store, landed=True)
    assert set(store.visible()) == set(scene.expected[case.landing])
    assert list(store.litter()) == []


def _wire_calls(scene: FaultScene, case: Case, server: StrictServer, store: Store) -> int:
    """Return how often a landing without faults makes a call; measured once for each way to land."""
    known = (case.store, case.landing)
    if known not in scene.wire_calls:
        scene.land(case.landing, store.again())
        scene.wire_calls[known] = Counter((call.operation, area_of(call.key)) for call in server.calls)
        server.reset()
    return scene.wire_calls[known][case.what, case.area]


# --- processes that are really killed

KILLS: list[tuple[str, Area, Place]] = [
    ("put_part", "data", "middle"),
    ("complete", "data", "middle"),
    ("put", "uris", "first"),
    ("put", "manifests", "first"),
]


@pytest.mark.parametrize("name", ["file", "strict", "gcs"])
@pytest.mark.parametrize(("call", "area", "place"), KILLS)
def test_a_killed_process_leaves_no_manifest(  # noqa: PLR0917
    call: str,
    area: Area,
    place: Place,
    name: str,
    scene: FaultScene,
    tmp_path: Path,
    open_store: Any,
    servers: StrictServers,
) -> None:
    """A process that is really killed leaves nothing that a manifest names."""
    landing = Landing(None, "split")
    scene.landing_client.fake.faults.clear()
    store: Store = open_store(name)
    sink = {
        "file": f"FileSink({str(tmp_path)!r})",
        "strict": f"S3Sink(s3_client({servers.s3.address!r}), {BUCKET!r})",
        "gcs": f"GCSSink(gcs_client({servers.gcs.address!r}), {BUCKET!r})",
    }[name]
    fault = SinkFault(call, area, turn_of(place, scene.calls[landing][call, area]), "really killed")
    command = landing_command(
        scene.landing_client, scene.handle(landing), sink, PART_BYTES, landing.options, fault=fault
    )
    ended = subprocess.run(command, check=False, timeout=50, capture_output=True, text=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    check_store(scene.expected[landing], store, landed=False)
    assert not [key for key in store.visible() if area_of(key) == "manifests"]
    scene.land(landing, store.again())
    check_store(scene.expected[landing], store, landed=True)
    assert list(store.litter()) == []
