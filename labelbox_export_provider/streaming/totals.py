"""The totals of both streams, asked for at once: every question is a round trip, and none needs another's answer."""

from __future__ import annotations

from concurrent.futures import Executor

from labelbox_export_provider.labelbox import flows
from labelbox_export_provider.labelbox.drivers import LabelboxClient
from labelbox_export_provider.labelbox.model import StreamType
from labelbox_export_provider.labelbox.waiting import CompletedTotals, confirmed_totals


def ask_totals(client: LabelboxClient, export_id: str, pool: Executor) -> CompletedTotals:
    """Read the totals of a COMPLETE export, as sure of empty streams as `completed_totals` is."""
    header = pool.submit(client.run, flows.stream_totals(export_id, StreamType.ERRORS))
    has_file = pool.submit(client.run, flows.has_file(export_id, StreamType.ERRORS))
    result = client.run(confirmed_totals(export_id, StreamType.RESULT))
    errors = header.result()
    if errors is None and has_file.result():
        errors = client.run(confirmed_totals(export_id, StreamType.ERRORS))
    return CompletedTotals(result, errors)
