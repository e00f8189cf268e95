"""Everything ends.

G12: a stop is over within five seconds whatever hosts do, and leaves what G2 promises, with what a receipt names.

`LABELBOX_STOP_MOMENTS=200` runs more moments.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.stores.servers import BUCKET, files, gcs_client, s3_client
from support.streaming.exports import LandingClient
from support.streaming.landing import Store
from support.streaming.staged import unnamed_uploads
from support.streaming.stops import (
    BusyStore,
    StopCase,
    sockets_to,
    stopping,
    threads_left,
    until_none,
)

from labelbox_export_provider.cancellation import CancelToken
from labelbox_export_provider.client.http_clients import LabelboxClient
from labelbox_export_provider.client.settings import ConnectionSettings
from labelbox_export_provider.errors import TooManyErrorRowsError
from labelbox_export_provider.sinks.file import FileSink
from labelbox_export_provider.sinks.gcs.sink import GCSSink
from labelbox_export_provider.sinks.s3.sink import S3Sink
from labelbox_export_provider.testing import Behaviour, FakeLabelbox, StreamLayout, generate_rows
from labelbox_export_provider.testing.faults import DrippingFile, ErrorRows, SlowAnswer
from labelbox_export_provider.testing.object_store import strict_gcs, strict_s3
from labelbox_export_provider.testing.sink_conformance import Store as SeenStore

MOMENTS = int(os.environ.get("LABELBOX_STOP_MOMENTS", "40"))
LIMIT = 5.0

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(60, method="thread")]


@pytest.fixture(scope="module")
def patient() -> Iterator[LandingClient]:
    """A client that really waits."""
    behaviour = Behaviour(streams=StreamLayout(file_bytes=20_000))
    with FakeLabelbox(generate_rows(400), behaviour=behaviour) as fake:
        settings = ConnectionSettings(api_key=fake.api_key, endpoint=fake.endpoint)
        with LabelboxClient(settings) as client:
            yield LandingClient(fake, client, [])


@pytest.fixture(params=["file", "s3", "gcs"])
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Store, Any]]:
    """A store, and what returns its open uploads."""
    if request.param == "file":
        yield Store(FileSink(tmp_path), lambda: files(tmp_path), ""), lambda: [n for n in files(tmp_path) if "/." in n]
    elif request.param == "s3":
        with strict_s3() as server:
            yield Store(S3Sink(s3_client(server.address), BUCKET), server.visible, ""), server.open_uploads
    else:
        with strict_gcs() as server:
            yield Store(GCSSink(gcs_client(server.address), BUCKET), server.visible, ""), server.open_uploads


@pytest.mark.parametrize("seed", range(MOMENTS))
def test_a_stop_is_over_soon_and_leaves_nothing(patient: LandingClient, any_store: Any, seed: int) -> None:
    """The reason is raised within five seconds; no thread, socket, upload or partial object is left."""
    store, open_uploads = any_store
    case, token, fake = StopCase.of(seed), CancelToken(), patient.fake
    handle = patient.export()
    sockets = sockets_to(fake)
    fake.faults.add(*case.faults())
    sink = BusyStore(store.sink) if case.way == "upload" else store.sink
    try:
        with stopping(case, token) as seconds_since, pytest.raises(case.expected):
            case.land(patient.client, handle, sink, token)
        assert seconds_since() < LIMIT
        assert until_none(threads_left, LIMIT - seconds_since()) == []
        assert until_none(lambda: max(0, sockets_to(fake) - sockets), LIMIT - seconds_since()) == 0
        seen = store.public()
        assert unnamed_uploads(SeenStore(store.sink, store.visible, open_uploads, again=lambda: store.sink)) == []
        seen = {name: content for name, content in seen.items() if "_staging/" not in name}
        assert not [name for name in seen if "manifests/" in name]
    finally:
        fake.faults.clear()
    case.land(patient.client, handle, store.sink, CancelToken())
    assert open_uploads() == []
    landed = store.public()
    assert not [name for name in landed if "_staging/" in name]
    assert {name: landed.get(name) for name in seen} == seen, "what was visible was not whole"


def test_too_many_error_rows_wait_for_no_first_file(patient: LandingClient, tmp_path: Path) -> None:
    """A landing that fails for its error rows does not wait for a first file of the result that nobody needs."""
    fake = patient.fake
    fake.faults.add(ErrorRows(lines=("{}", "{}")))
    handle = patient.export()
    fake.faults.add(SlowAnswer(operation="exportFileFromOffset", stream="RESULT", seconds=15, times=None))
    begun = time.monotonic()
    with pytest.raises(TooManyErrorRowsError):
        StopCase.of(0).land(patient.client, handle, FileSink(tmp_path), CancelToken())
    assert time.monotonic() - begun < LIMIT
    assert until_none(threads_left, LIMIT - (time.monotonic() - begun)) == []
    fake.faults.clear()


SCRIPT = """
from support.streaming.exports import VERSIONS
import sys
from labelbox_export_provider.client.http_clients import LabelboxClient
from labelbox_export_provider.client.settings import ConnectionSettings
from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.domain.records.object_names import layout_names
from labelbox_export_provider.errors import TooManyErrorRowsError
from labelbox_export_provider.sinks.file import FileSink
from labelbox_export_provider.streaming.landing.land import land_export

key, endpoint, handle, root = sys.argv[1:]
export = ExportHandle.model_validate_json(handle)
with LabelboxClient(ConnectionSettings(api_key=key, endpoint=endpoint)) as client:
    names = layout_names(export, "", "gzip")
    land_export(client=client, handle=export, names=names, sink=FileSink(root), versions=VERSIONS)
"""


SLOW_HOSTS = {"drips": DrippingFile(times=None), "API is slow": SlowAnswer(seconds=15, times=None)}


@pytest.mark.parametrize("host", SLOW_HOSTS.values(), ids=SLOW_HOSTS)
def test_ctrl_c_ends_a_script(patient: LandingClient, tmp_path: Path, host: Any) -> None:
    """Ctrl-C in a real process: it ends within five seconds, and nothing is in the folder."""
    fake = patient.fake
    handle = patient.export()
    fake.requests.clear()
    fake.faults.add(host)
    arguments = [fake.api_key, fake.endpoint, handle.model_dump_json(), str(tmp_path)]
    script = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), *arguments],
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    try:
        while not fake.requests.api:
            time.sleep(0.02)
            assert script.poll() is None
        time.sleep(0.5)
        begun = time.monotonic()
        script.send_signal(signal.SIGINT)
        _, told = script.communicate(timeout=20)
        assert time.monotonic() - begun < LIMIT
        assert told.decode().strip().endswith("KeyboardInterrupt")
        assert files(tmp_path) == {}
    finally:
        script.kill()
        fake.faults.clear()
