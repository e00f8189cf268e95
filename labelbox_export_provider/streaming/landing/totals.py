"""The totals of both streams, asked for at once: every question is a round trip, and as a rule none needs another's.

The error stream is empty as a rule, which takes two answers to be sure of. Both are asked for once, at the same time.
Where that does not settle it, the questions are asked one after the other, with patience: an early answer must neither
be waited for when nobody needs it, nor be combined with one of minutes later.
"""

from __future__ import annotations

from concurrent.futures import Executor

from labelbox_export_provider.client import flows
from labelbox_export_provider.client.http_clients import LabelboxClient
from labelbox_export_provider.client.polling import CompletedTotals, confirmed_totals
from labelbox_export_provider.client.retry import ONCE
from labelbox_export_provider.client.types import StreamType
from labelbox_export_provider.errors import TemporaryError


def ask_totals(client: LabelboxClient, export_id: str, pool: Executor) -> CompletedTotals:
    """Read the totals of a COMPLETE export; a stream without header is believed empty as `confirmed_totals` says."""
    header = pool.submit(client.run, flows.stream_totals(export_id, StreamType.ERRORS, ONCE))
    has_file = pool.submit(client.run, flows.has_file(export_id, StreamType.ERRORS, ONCE))
    result = client.run(confirmed_totals(export_id, StreamType.RESULT))
    try:
        errors = header.result()
        settled = errors is not None or not has_file.result()
    except TemporaryError:
        settled = False
    if not settled:
        errors = client.run(confirmed_totals(export_id, StreamType.ERRORS))
    return CompletedTotals(result, errors)
