"""A fault anywhere leaves the whole verified generation, or nothing that a manifest names; the next try mends all.

Generated from one seed: every kind of fault, at the first, a middle and the last call or byte of its kind, at the
source, at the store's methods and on the wire; on a directory, three S3 servers and two of Google Cloud Storage; packed
or not, trimmed or not, in one object, split, or under an explicit key. After the fault the store is looked into, and
once more after another try.
"""

from __future__ import annotations

import itertools
import json
import random
import signal
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import google_crc32c
import pytest
from support.stores.faulty_sink import Area, FaultySink, Injection, KilledError, SinkFault, area_of
from support.stores.servers import BUCKET, file_store, gcs_client, gcs_store, s3_store, strict_gcs_store, strict_store
from support.streaming.exports import LandingClient, landing_client, rows_in

from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.domain.records.manifest import Manifest
from labelbox_export_provider.domain.records.object_names import Compression
from labelbox_export_provider.domain.windows.windows import FixedWindow
from labelbox_export_provider.errors import LabelboxExportError
from labelbox_export_provider.sinks.file import FileSink
from labelbox_export_provider.sinks.s3.sink import S3Sink
from labelbox_export_provider.testing import FakeLabelbox, StreamLayout, faults, generate_rows
from labelbox_export_provider.testing.object_store import Call, Fault, StrictGCS, StrictS3, strict_gcs, strict_s3
from labelbox_export_provider.testing.sink_conformance import Store

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(60)]

SEED = 20261123
PART_BYTES = 16 * 1024
FILE_BYTES = 20_000
OBJECT_BYTES = 64 * 1024

Place = Literal["first", "middle", "last"]
PLACES: tuple[Place, ...] = ("first", "middle", "last")
StoreName = Literal["file", "strict", "moto", "rclone", "gcs", "emulator"]
StrictServer = StrictS3 | StrictGCS

Shape = Literal["one object", "split", "explicit key"]


@dataclass(frozen=True)
class Landing:
    """How the export is landed."""

    compression: Compression | None
    shape: Shape
    trimmed: bool = False

    @property
    def options(self) -> dict[str, Any]:
        key = {"key": "rows.out"} if self.shape == "explicit key" else {}
        split = {"max_object_bytes": OBJECT_BYTES} if self.shape == "split" else {"max_object_bytes": None}
        return {"compression": self.compression, "max_error_rows": 10_000, "workers": 3, **key, **split}


_SHAPES: tuple[Shape, ...] = ("one object", "split", "explicit key")
_PLAIN_OR_GZIP: tuple[Compression | None, ...] = (None, "gzip")
_COMPRESSIONS: tuple[Compression | None, ...] = (None, "gzip", "zstd")
LANDINGS = [
    *itertools.starmap(Landing, itertools.product(_PLAIN_OR_GZIP, _SHAPES)),
    Landing("zstd", "split"),
    *(Landing(compression, "split", trimmed=True) for compression in _COMPRESSIONS),
]


@dataclass(frozen=True)
class Case:
    """A fault and where it strikes. `how` and `what` are in the words of the layer that fails."""

    store: StoreName
    landing: Landing
    layer: Literal["source", "store", "wire"]
    what: str
    how: str
    area: Area = "data"
    place: Place = "first"

    def __str__(self) -> str:
        packed = (self.landing.compression or "plain") + (" trimmed" if self.landing.trimmed else "")
        label = f"{self.place} {self.what} of {self.area}"
        return f"{self.store}, {packed}, {self.landing.shape}: {self.layer}, {label}, {self.how}".replace("/", " ")


# --- the cases

_STREAMS: tuple[Area, ...] = ("data", "errors")
SOURCE = ["broken", "broken for ever", "truncated", "truncated for ever", "corrupt", "corrupt for ever", "too long"]
SOURCE += ["too long for ever", "expired", "refused for ever"]
STORE_CALLS: list[tuple[str, Area]] = [
    ("abort_open_uploads", "data"),
    ("abort_open_uploads", "manifests"),
    *itertools.product(("begin", "put_part", "complete"), _STREAMS),
    ("put", "uris"),
    ("put", "manifests"),
]
HARMS: tuple[Injection, ...] = ("refused", "unavailable", "lost", "killed before", "killed after")
WIRE_CALLS: list[tuple[str, Area]] = [
    *itertools.product(("CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"), _STREAMS),
    ("PutObject", "uris"),
    ("PutObject", "manifests"),
    ("ListMultipartUploads", "data"),
]
WIRE = ["reset before", "reset after", "reset for ever", "500", "500 for ever", "slow down", "slow down for ever"]
OF_COMPLETION = ["error in the body", "error in the body for ever", "error in the body after"]
GCS_WIRE_CALLS: list[tuple[str, Area]] = [
    *itertools.product(("open", "send", "finish"), _STREAMS),
    ("insert", "data"),
    ("insert", "uris"),
    ("insert", "manifests"),
    ("get", "data"),
    ("list", "data"),
]
OF_CHUNKS = ["half kept", "half kept for ever"]


def _places(call: str, area: Area, landing: Landing) -> tuple[Place, ...]:
    """Leave out places that are the same as the first."""
    many = call in {"put_part", "UploadPart", "send"} or (area == "data" and landing.shape == "split")
    return PLACES if many else ("first",)


def _not_made_of_data(landing: Landing) -> set[str]:
    """Packed objects of a split export are so small that one request writes them; an explicit key is not looked for."""
    of_chunks = {"open", "send", "finish"}
    packed = landing.compression is not None and landing.shape == "split"
    return {*(of_chunks if packed else {"insert"}), *({"list"} if landing.shape == "explicit key" else ())}


def _all_cases(store: StoreName) -> dict[str, list[Case]]:
    found: dict[str, list[Case]] = {"source": [], "store": [], "wire": []}
    for landing in LANDINGS:
        for what, how, place in itertools.product(("file", "byte"), SOURCE, PLACES):
            found["source"].append(Case(store, landing, "source", what, how, "data", place))
        for how in SOURCE:
            found["source"].append(Case(store, landing, "source", "byte", how, "errors"))
        for (call, area), inject in itertools.product(STORE_CALLS, HARMS):
            if area == "uris" and landing.shape == "explicit key":
                continue
            found["store"] += [
                Case(store, landing, "store", call, inject, area, place) for place in _places(call, area, landing)
            ]
        for call, area in GCS_WIRE_CALLS if store == "gcs" else WIRE_CALLS:
            if area == "uris" and landing.shape == "explicit key":
                continue
            if call in _not_made_of_data(landing) and area == "data":
                continue
            hows = WIRE + (OF_COMPLETION if call == "CompleteMultipartUpload" else [])
            hows = hows + (OF_CHUNKS if call in {"send", "finish"} else [])
            found["wire"] += [
                Case(store, landing, "wire", call, how, area, place)
                for how, place in itertools.product(hows, _places(call, area, landing))
            ]
    return found


def _generate() -> list[Case]:
    chance = random.Random(SEED)
    wanted: dict[StoreName, dict[str, int]] = {
        "file": {"source": 70, "store": 120},
        "strict": {"source": 40, "store": 70, "wire": 130},
        "moto": {"source": 5, "store": 50},
        "rclone": {"source": 5, "store": 50},
        "gcs": {"source": 15, "store": 50, "wire": 110},
        "emulator": {"source": 5, "store": 25},
    }
    cases: list[Case] = []
    for store, layers in wanted.items():
        found = _all_cases(store)
        for layer, number in layers.items():
            cases += chance.sample(found[layer], number)
    return cases


CASES = _generate()


def test_there_are_500_cases_with_every_kind_of_fault() -> None:
    """There are at least 500 cases, and every kind of fault is among them."""
    print(f"seed {SEED}: {len(CASES)} generated cases")
    assert len(set(CASES)) == len(CASES) >= 500
    assert {case.how for case in CASES} >= {*SOURCE, *HARMS, *WIRE, *OF_COMPLETION, *OF_CHUNKS}
    assert {(case.what, case.area) for case in CASES} >= {*STORE_CALLS, *WIRE_CALLS, *GCS_WIRE_CALLS}
    assert {case.landing for case in CASES} == set(LANDINGS)
    assert {(case.layer, case.place) for case in CASES} == set(itertools.product(("source", "store", "wire"), PLACES))


# --- the world

_buckets = itertools.count()


@pytest.fixture(scope="module", autouse=True)
def small_parts() -> Iterator[None]:
    """Make every stream one of many parts; and let retries of the client library not wait."""
    from google.cloud.storage import retry

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("labelbox_export_provider.streaming.pipeline.memory_plan.MIN_PART", PART_BYTES)
        patch.setattr("labelbox_export_provider.streaming.pipeline.memory_plan.MAX_PART", PART_BYTES)
        patch.setattr("labelbox_export_provider.streaming.pipeline.memory_plan.MAX_PART_ALONE", PART_BYTES)
        patch.setattr("labelbox_export_provider.sinks.gcs.sink.GCSSink.minimum_part_bytes", PART_BYTES)
        patch.setattr("labelbox_export_provider.sinks.gcs.writer.QUANTUM", PART_BYTES)
        quick = retry.DEFAULT_RETRY.with_delay(initial=0.001, maximum=0.01, multiplier=2)
        patch.setattr("google.cloud.storage.retry.DEFAULT_RETRY", quick)
        patch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", PART_BYTES)
        patch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda seconds: None))
        yield


@dataclass
class FaultScene:
    """Two exports, one of them of a window, and what landings of them without faults leave."""

    landing_client: LandingClient
    whole: ExportHandle
    windowed: ExportHandle
    expected: dict[Landing, dict[str, bytes]] = field(default_factory=dict)
    calls: dict[Landing, Counter[tuple[str, Area]]] = field(default_factory=dict)
    wire_calls: dict[tuple[StoreName, Landing], Counter[tuple[str, Area]]] = field(default_factory=dict)

    def handle(self, landing: Landing) -> ExportHandle:
        return self.windowed if landing.trimmed else self.whole

    def land(self, landing: Landing, sink: Any) -> None:
        self.landing_client.land(self.handle(landing), sink, **landing.options)


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
def s3_server() -> Iterator[StrictS3]:
    with strict_s3(minimum_part_bytes=PART_BYTES, page=1000) as served:
        yield served


@pytest.fixture(scope="module")
def gcs_server() -> Iterator[StrictGCS]:
    with strict_gcs(quantum=PART_BYTES, page=1000) as served:
        yield served


@pytest.fixture
def open_store(
    request: pytest.FixtureRequest, tmp_path: Path, new_bucket: Any, s3_server: StrictS3, gcs_server: StrictGCS
) -> Callable[[str], Store]:
    def open_it(name: str) -> Store:
        if name == "file":
            return file_store(tmp_path)
        if name == "strict":
            s3_server.reset()
            return strict_store(s3_server, attempts=1)
        if name == "gcs":
            gcs_server.reset()
            return strict_gcs_store(gcs_server, retry_timeout=0.3)
        if name == "emulator":
            client = gcs_client(request.getfixturevalue(name))
            return gcs_store(client, client.create_bucket(f"lake-{next(_buckets)}").name)
        client, bucket = new_bucket(request.getfixturevalue(name))

        def sink() -> S3Sink:
            made = S3Sink(client, bucket)
            made.minimum_part_bytes = PART_BYTES
            return made

        seen = s3_store(client, bucket)
        return Store(sink(), seen.visible, seen.litter, again=sink)

    return open_it


# --- the campaign


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_fault_leaves_a_whole_generation_or_no_manifest(
    case: Case, scene: FaultScene, s3_server: StrictS3, gcs_server: StrictGCS, open_store: Callable[[str], Store]
) -> None:
    """Nothing partial is ever visible.

    A fault leaves the whole generation, or nothing that a manifest names.
    """
    store = open_store(case.store)
    server: StrictServer = gcs_server if case.store == "gcs" else s3_server
    sink = store.sink
    scene.landing_client.fake.faults.clear()
    struck: Callable[[], bool]
    if case.layer == "source":
        fault = _source_fault(case)
        scene.landing_client.fake.faults.add(fault)
        struck = lambda: True  # noqa: E731  the fake took it, or it is still there, which is looked at below
    elif case.layer == "store":
        turn = _turn(case.place, scene.calls[case.landing][case.what, case.area])
        sink = faulty = FaultySink(store.sink, SinkFault(case.what, case.area, turn, _harm(case.how)))
        struck = lambda: faulty.hit  # noqa: E731
    else:
        wire = _WireFault(case, _turn(case.place, _wire_calls(scene, case, server, store)))
        server.fault = wire
        struck = lambda: wire.hit  # noqa: E731
    landed = _try(scene, case.landing, sink)
    assert struck(), "the fault never struck, so this case shows nothing"
    _look(scene.expected[case.landing], store, landed=landed)
    if case.layer == "source" or case.how in {"refused", "unavailable"}:
        assert list(store.litter()) == [], "a try that fails and still runs cleans up itself"
    scene.landing_client.fake.faults.clear()
    server.fault = lambda call: None
    scene.land(case.landing, store.again())
    _look(scene.expected[case.landing], store, landed=True)
    assert set(store.visible()) == set(scene.expected[case.landing])
    # Google Cloud Storage drops uploads that nobody finishes by itself, and tells of none.
    assert list(store.litter()) == [] or case.store == "gcs"


def _try(scene: FaultScene, landing: Landing, sink: Any) -> bool:
    try:
        scene.land(landing, sink)
    except (LabelboxExportError, KilledError):
        return False
    return True


def _look(expected: dict[str, bytes], store: Store, *, landed: bool) -> None:
    """Hold what a reader sees against what there would be without a fault."""
    seen = store.visible()
    uris = {store.sink.uri(key): key for key in seen}
    assert set(seen) <= set(expected)
    for key, content in seen.items():
        if area_of(key) in {"data", "errors"}:
            assert content == expected[key], f"{key} is not whole"
    manifests = [Manifest.model_validate_json(seen[key]) for key in seen if area_of(key) == "manifests"]
    assert len(manifests) == 1 or not landed
    for manifest in manifests:
        named = {uris[entry.uri]: entry for entry in manifest.objects}
        assert set(named) == {key for key in expected if area_of(key) == "data"}
        for key, entry in named.items():
            assert (entry.bytes, entry.crc32c) == (len(seen[key]), f"{google_crc32c.value(seen[key]):08x}")
        assert manifest.errors.uri in uris


def _turn(place: Place, number: int) -> int:
    assert number, "there is no such call in a landing without faults"
    return {"first": 0, "middle": number // 2, "last": number - 1}[place]


def _harm(how: str) -> Injection:
    (inject,) = (each for each in HARMS if each == how)
    return inject


# --- the source


def _source_fault(case: Case) -> faults.Fault:
    """A fault of a whole file, or at one of its bytes; in the first, a middle or the last file or byte."""
    kind = case.how.removesuffix(" for ever")
    errors = case.area == "errors"
    index = _turn(case.place, 1 if errors else 9) if case.what == "file" else 0
    byte = {"first": 0, "middle": FILE_BYTES // 2, "last": FILE_BYTES - 2_000}[case.place]
    byte = 7 if case.what == "file" else byte
    common: dict[str, Any] = {
        "stream": "ERRORS" if errors else "RESULT",
        "file_index": index,
        "times": None if case.how.endswith("for ever") else 1,
    }
    made: dict[str, Callable[[], faults.Fault]] = {
        "broken": lambda: faults.BrokenFile(after_bytes=byte, **common),
        "truncated": lambda: faults.TruncatedFile(keep=byte, **common),
        "corrupt": lambda: faults.CorruptFile(position=byte, **common),
        "too long": lambda: faults.LongerFile(**common),
        "expired": lambda: faults.ExpiredFile(**common),
        "refused": lambda: faults.RefusedFile(**common),
    }
    return made[kind]()


# --- the wire


@dataclass
class _WireFault:
    """What a server of our own does wrong, once or from then on."""

    case: Case
    turn: int
    hit: bool = False
    calls: int = 0

    def __call__(self, call: Call) -> Any:
        if call.operation != self.case.what or area_of(call.key) != self.case.area:
            return None
        self.calls += 1
        for_ever = self.case.how.endswith("for ever")
        if self.calls - 1 != self.turn and not (for_ever and self.calls > self.turn):
            return None
        self.hit = True
        if self.case.store == "gcs":
            return {
                "reset before": Fault("before"),
                "reset after": Fault("after"),
                "reset": Fault("before"),
                "half kept": Fault("half"),
                "500": Fault("before", 500, "backendError"),
                "slow down": Fault("before", 429, "rateLimitExceeded"),
            }[self.case.how.removesuffix(" for ever")]
        return {
            "reset before": Fault("before"),
            "reset after": Fault("after"),
            "reset": Fault("before"),
            "500": Fault("before", 500, "InternalError"),
            "slow down": Fault("before", 503, "SlowDown"),
            "error in the body": Fault("before", code="InternalError", in_body=True),
            "error in the body after": Fault("after", code="InternalError", in_body=True),
        }[self.case.how.removesuffix(" for ever")]


def _wire_calls(scene: FaultScene, case: Case, server: StrictServer, store: Store) -> int:
    """Tell how often a landing without faults makes a call; asked of a landing once for each way to land."""
    known = (case.store, case.landing)
    if known not in scene.wire_calls:
        scene.land(case.landing, store.again())
        scene.wire_calls[known] = Counter((call.operation, area_of(call.key)) for call in server.calls)
        server.reset()
    return scene.wire_calls[known][case.what, case.area]


# --- processes that are really killed

PROGRAM = """
    import sys
    from types import SimpleNamespace
    sys.path.insert(0, {tests!r})
    from labelbox_export_provider.domain.records.handle import ExportHandle
    from labelbox_export_provider.streaming.pipeline import memory_plan
    from labelbox_export_provider.sinks.gcs import writer as gcs_writer
    from labelbox_export_provider.sinks.file import FileSink
    from labelbox_export_provider.sinks.gcs.sink import GCSSink
    from labelbox_export_provider.sinks.s3.sink import S3Sink
    from support.stores.faulty_sink import FaultySink, SinkFault
    from support.streaming.exports import landing_client
    from support.stores.servers import gcs_client, s3_client

    memory_plan.MIN_PART = memory_plan.MAX_PART = {part_bytes}
    memory_plan.MAX_PART_ALONE = gcs_writer.QUANTUM = {part_bytes}
    sink = {sink}
    sink.minimum_part_bytes = {part_bytes}
    with landing_client(SimpleNamespace(api_key={key!r}, endpoint={endpoint!r})) as at:
        fault = SinkFault({call!r}, {area!r}, {turn}, "really killed")
        at.land(ExportHandle.parse({handle!r}), FaultySink(sink, fault), **{options!r})
"""
KILLS: list[tuple[str, Area, Place]] = [
    ("put_part", "data", "middle"),
    ("complete", "data", "middle"),
    ("put", "uris", "first"),
    ("put", "manifests", "first"),
]


@pytest.mark.parametrize("name", ["file", "strict", "gcs"])
@pytest.mark.parametrize(("call", "area", "place"), KILLS)
def test_a_killed_process_leaves_no_manifest(  # noqa: PLR0917
    call: str, area: Area, place: Place, name: str, scene: FaultScene, tmp_path: Path, open_store: Any, request: Any
) -> None:
    """A process that is really killed leaves nothing that a manifest names."""
    landing = Landing(None, "split")
    scene.landing_client.fake.faults.clear()
    store: Store = open_store(name)
    program = textwrap.dedent(PROGRAM).format(
        tests=str(Path(__file__).parent.parent),
        part_bytes=PART_BYTES,
        sink={
            "file": f"FileSink({str(tmp_path)!r})",
            "strict": f"S3Sink(s3_client({request.getfixturevalue('s3_server').address!r}), {BUCKET!r})",
            "gcs": f"GCSSink(gcs_client({request.getfixturevalue('gcs_server').address!r}), {BUCKET!r})",
        }[name],
        key=scene.landing_client.fake.api_key,
        endpoint=scene.landing_client.fake.endpoint,
        call=call,
        area=area,
        turn=_turn(place, scene.calls[landing][call, area]),
        handle=scene.handle(landing).model_dump(mode="json"),
        options=landing.options,
    )
    ended = subprocess.run([sys.executable, "-c", program], check=False, timeout=50, capture_output=True, text=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    _look(scene.expected[landing], store, landed=False)
    assert not [key for key in store.visible() if area_of(key) == "manifests"]
    scene.land(landing, store.again())
    _look(scene.expected[landing], store, landed=True)
    assert list(store.litter()) == [] or name == "gcs"
