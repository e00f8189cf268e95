"""An export in the fake Labelbox, and everything that is needed to land it."""

from __future__ import annotations

import gzip
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import zstandard

from labelbox_export_provider.cancellation import CancelToken
from labelbox_export_provider.client import flows
from labelbox_export_provider.client.graphql import START_BY_MUTATION
from labelbox_export_provider.client.http_clients import LabelboxClient
from labelbox_export_provider.client.settings import ConnectionSettings
from labelbox_export_provider.client.types import Started
from labelbox_export_provider.domain.records.handle import ExportHandle, HandleWindow, SourceName
from labelbox_export_provider.domain.records.landing_plan import LandingPlan, StagedShard
from labelbox_export_provider.domain.records.manifest import Manifest, Versions
from labelbox_export_provider.domain.records.object_names import Compression, explicit_names, layout_names
from labelbox_export_provider.domain.request.query import condensed_query, query_digest, request_fingerprint
from labelbox_export_provider.domain.request.sources import ProjectSource
from labelbox_export_provider.domain.windows.windows import FixedWindow, RunInterval
from labelbox_export_provider.sinks.base import Sink
from labelbox_export_provider.streaming.landing.land import (
    LandedExport,
    LandingOptions,
    LandingProgress,
    land_export,
    plan_landing,
    publish,
    stage_objects,
)
from labelbox_export_provider.streaming.pipeline.pipeline import TransferHooks
from labelbox_export_provider.testing import Behaviour, FakeLabelbox, StreamLayout, generate_rows

NOW = datetime(2026, 11, 23, 2, 15, tzinfo=timezone.utc)
VERSIONS = Versions(provider="0.1.0", airflow="3.3.0")


ERROR_LINES = tuple(json.dumps({"error": "too large", "data_row": number}) for number in range(4))
"""Rows of an error stream."""


@dataclass
class LandingClient:
    """A client of one fake, without real waits."""

    fake: FakeLabelbox
    client: LabelboxClient
    waits: list[float]

    def export(
        self, *, window: FixedWindow | None = None, project_id: str | None = None, **later: float
    ) -> ExportHandle:
        """Start an export and return its handle; it is COMPLETE at once. `later` dates it: `days=1`, `minutes=-5`."""
        source = ProjectSource(project_id=project_id or self.fake.project_id)
        resolved = window.resolve(RunInterval(None, None)) if window is not None else None
        given = source.render_input(task_name="a test", owner_timezone=None, window=resolved)
        started = self.client.run(flows.start_once(START_BY_MUTATION[source.mutation], given))
        assert isinstance(started, Started)
        return ExportHandle(
            export_id=started.export_id,
            source=SourceName(kind="project", id=source.id),
            filters_digest=query_digest(given),
            labelbox_conn_id="labelbox_default",
            window=HandleWindow.of(resolved) if resolved is not None else None,
            user_id=self.fake.user.user_id,
            organization_id=self.fake.organization_id,
            fingerprint=request_fingerprint(source.mutation, given, self.fake.endpoint, self.fake.organization_id),
            started_at=NOW + timedelta(**later),
            query=condensed_query(given),
        )

    def land(
        self,
        handle: ExportHandle,
        sink: Sink,
        *,
        now: datetime = NOW,
        ended: Callable[[LabelboxClient], datetime | None] = lambda _: None,
        tries: timedelta | None = None,
        **given: Any,
    ) -> LandedExport:
        """Land it; waits are noted instead of waited."""
        job = self._job(handle, sink, **given)
        return land_export(**job, versions=VERSIONS, ended=ended, now=lambda: now, tries=tries)

    def plan(self, handle: ExportHandle, sink: Sink, *, max_shards: int, **given: Any) -> LandingPlan:
        """Split it into shards, however small they are."""
        return plan_landing(**self._job(handle, sink, **given), max_shards=max_shards, shard_bytes=1)

    def stage(self, plan: LandingPlan, number: int, handle: ExportHandle, sink: Sink, **given: Any) -> StagedShard:
        """Stage one shard of the plan."""
        return stage_objects(plan, *plan.shards[number], **self._job(handle, sink, **given))

    def publish(
        self, plan: LandingPlan, handle: ExportHandle, sink: Sink, *, now: datetime = NOW, **given: Any
    ) -> LandedExport:
        """Publish what the shards have staged."""
        return publish(plan, **self._job(handle, sink, **given), versions=VERSIONS, now=lambda: now)

    def _job(
        self,
        handle: ExportHandle,
        sink: Sink,
        *,
        prefix: str = "lake",
        key: str | None = None,
        sleep: Any = None,
        token: CancelToken | None = None,
        compression: Compression | None = "gzip",
        progress: LandingProgress | None = None,
        **options: Any,
    ) -> dict[str, Any]:
        return {
            "client": self.client,
            "handle": handle,
            "names": explicit_names(handle, key, compression) if key else layout_names(handle, prefix, compression),
            "sink": sink,
            "options": LandingOptions(compression=compression, **options),
            "transfer_hooks": TransferHooks(sleep=sleep or self.waits.append),
            "token": token,
            "progress": progress,
        }


@contextmanager
def landing_client(fake: FakeLabelbox) -> Iterator[LandingClient]:
    waits: list[float] = []
    settings = ConnectionSettings(api_key=fake.api_key, endpoint=fake.endpoint)
    with LabelboxClient(settings, user_agent="tests", sleep=waits.append) as client:
        yield LandingClient(fake, client, waits)


@contextmanager
def client_of_rows(number: int, *, file_bytes: int = StreamLayout.file_bytes) -> Iterator[LandingClient]:
    """A client of a project with so many rows, in files of this size, and of an empty project."""
    behaviour = Behaviour(streams=StreamLayout(file_bytes=file_bytes))
    with (
        FakeLabelbox(generate_rows(number), behaviour=behaviour, projects={"clpempty": "Empty"}) as fake,
        landing_client(fake) as client,
    ):
        yield client


def bytes_read(at: LandingClient) -> int:
    """How many bytes of files the fake has sent."""
    return sum(each.bytes_sent for each in at.fake.requests.files)


def without_versions(seen: Mapping[str, bytes]) -> dict[str, bytes]:
    """Leave out the store's own numbers in a manifest: GCS counts a generation at every write."""
    given = rb'"(version_id|etag)": "[^"]+"'
    return {name: re.sub(given, rb'"\1": "any"', content) for name, content in seen.items()}


def rows_in(seen: Mapping[str, bytes], part: str = "data/") -> list[bytes]:
    """All rows below a part of the layout, as a directory reader sees them, ordered by name of object."""
    rows: list[bytes] = []
    for name in sorted(seen):
        if part in name:
            rows += unpacked(name, seen[name]).splitlines()
    return rows


def unpacked(name: str, content: bytes) -> bytes:
    """What a reader that goes by the suffix takes an object for."""
    if name.endswith(".gz"):
        return gzip.decompress(content)
    if name.endswith(".zst"):
        return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(content), read_across_frames=True).read()
    return content


def manifest_in(seen: Mapping[str, bytes]) -> Manifest:
    """The only manifest that is there."""
    (content,) = (content for name, content in seen.items() if "manifests/" in name)
    assert isinstance(json.loads(content), dict)
    return Manifest.model_validate_json(content)
