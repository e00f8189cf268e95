"""The totals of both streams, requested at once, since each request is a round trip and usually independent.

The error stream is usually empty, which takes two answers to be sure of. Both are requested once, at the same time.
Where they do not decide, the requests are made again one after the other, with retries: an early answer must neither be
waited for when it is not needed, nor be combined with one of minutes later.
"""

from __future__ import annotations

from labelbox_export_provider.client import flows
from labelbox_export_provider.client.http_clients import LabelboxClient
from labelbox_export_provider.client.polling import CompletedTotals, confirmed_totals
from labelbox_export_provider.client.retry import ONCE
from labelbox_export_provider.client.types import StreamType
from labelbox_export_provider.errors import LabelboxExportError, TemporaryError
from labelbox_export_provider.streaming.landing.job import Ended
from labelbox_export_provider.streaming.pipeline.call_pool import CallPool


def ask_totals(client: LabelboxClient, export_id: str, calls: CallPool) -> CompletedTotals:
    """Return the totals of a COMPLETE export; `confirmed_totals` decides when a stream without header is empty."""
    header = calls.submit(lambda: client.run(flows.stream_totals(export_id, StreamType.ERRORS, ONCE)))
    has_file = calls.submit(lambda: client.run(flows.has_file(export_id, StreamType.ERRORS, ONCE)))
    result = client.run(confirmed_totals(export_id, StreamType.RESULT))
    try:
        (errors,) = calls.results(header)
        settled = errors is not None or not calls.results(has_file)[0]
    except TemporaryError:
        settled = False
    if not settled:
        errors = client.run(confirmed_totals(export_id, StreamType.ERRORS))
    return CompletedTotals(result, errors)


def announced_totals(client: LabelboxClient, export_id: str, calls: CallPool, ended: Ended) -> CompletedTotals:
    """Return the totals that Labelbox announces, for a plan: two requests.

    An export that still runs or has failed announces no result, and those of other users may not be read: there `ended`
    is called, which fails with what is wrong.
    """
    failure: LabelboxExportError | None = None
    errors = result = None
    try:
        errors, result = calls.map(
            lambda stream: client.run(flows.stream_totals(export_id, stream)), (StreamType.ERRORS, StreamType.RESULT)
        )
    except LabelboxExportError as error:
        failure = error
    if result is None:
        ended(client)
        if failure is not None:
            raise failure
        result = client.run(confirmed_totals(export_id, StreamType.RESULT))
    return CompletedTotals(result, errors)
