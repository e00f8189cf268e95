"""Runs the check: asks all questions in turn."""

from __future__ import annotations

from collections.abc import Callable

from labelbox_export_provider.check_account.account import Account
from labelbox_export_provider.check_account.ask import ask
from labelbox_export_provider.check_account.exports import Refusal, TinyExport, follow, start
from labelbox_export_provider.check_account.identifiers import UNKNOWN_ID, ask_unknown_task, start_with_unknown_ids
from labelbox_export_provider.check_account.questions import NEEDS_ROW
from labelbox_export_provider.check_account.redaction import Redactor
from labelbox_export_provider.check_account.searches import ask_dates, settle_timestamp
from labelbox_export_provider.check_account.streams import settle_empty, settle_row
from labelbox_export_provider.check_account.tasks import (
    ask_cancelable_types,
    ask_order,
    ask_time_zone,
    settle_task,
)
from labelbox_export_provider.client import graphql, parsing
from labelbox_export_provider.client.http_clients import LabelboxClient
from labelbox_export_provider.client.retry import ONCE
from labelbox_export_provider.domain.request.sources import DataRowsSource
from labelbox_export_provider.errors import ExportFailedError, NotFoundError


def identify(client: LabelboxClient, *, say: Callable[[str], object], timeout: float) -> Account:
    """Ask whose key it is, without retries: a wrong key or address is reported at once."""
    asked = client.run(ask(graphql.WHO_AM_I, {}, ONCE))
    if asked.error is not None:
        raise asked.error
    owner = parsing.key_owner(asked.data)
    redactor = Redactor()
    redactor.hide((client.settings.api_key.get_secret_value(), owner.email, owner.user_id, owner.organization_id))
    return Account(client=client, owner=owner, say=say, timeout=timeout, redactor=redactor)


def check(account: Account, data_row_id: str | None) -> None:
    """Settle every question that this account and this data row can settle; findings are in `account`."""
    if data_row_id is None:
        account.reasons = dict.fromkeys(NEEDS_ROW, "not asked: needs --data-row-id")
    else:
        account.redactor.hide((data_row_id,))
        _check_row(account, data_row_id)
    ask_time_zone(account)
    ask_cancelable_types(account)
    ask_unknown_task(account)
    _check_nothing(account, settles_task=data_row_id is None)
    account.say("starting exports of a project, a dataset and a model run that do not exist")
    start_with_unknown_ids(account)
    ask_order(account)


def _check_row(account: Account, data_row_id: str) -> None:
    account.say("starting an export of the data row")
    export = _start(account, data_row_id, details=True)
    if isinstance(export, Refusal):
        if export.not_streamable:
            account.settle("streamable", "no", "differs")
        raise _no_such_row() if isinstance(export.error, NotFoundError) else export.error
    follow(account, export, look_up_name=True)
    if export.totals is None:
        raise _no_such_row()
    settle_task(account, export)
    row = settle_row(account, export, export.totals)
    moment = settle_timestamp(account, row)
    if moment is not None:
        ask_dates(account, data_row_id, moment)


def _check_nothing(account: Account, *, settles_task: bool) -> None:
    account.say("starting an export of a data row that does not exist")
    answer = _start(account, UNKNOWN_ID, predictions=True)
    if isinstance(answer, Refusal) and answer.is_validation:
        account.settle("predictions", f"no, {answer.text}", "differs")
        answer = _start(account, UNKNOWN_ID)
    elif isinstance(answer, TinyExport):
        account.settle("predictions", "yes", "ok")
    if isinstance(answer, Refusal):
        if answer.not_streamable:
            account.settle("streamable", "no", "differs")
            raise answer.error
        account.settle("empty_header", f"none: an unknown data row is refused, {answer.text}", "differs")
        return
    try:
        follow(account, answer, look_up_name=settles_task)
    except ExportFailedError:
        account.settle("empty_header", "none: an export of an unknown data row is FAILED", "differs")
        return
    if settles_task:
        settle_task(account, answer)
    settle_empty(account, answer)


def _no_such_row() -> NotFoundError:
    return NotFoundError(
        "Labelbox exports no data row for the --data-row-id given: there is none, it is deleted, or the key's user may "
        "not see it. Take the ID of a data row from its details in the catalog, not its global key or external id."
    )


def _start(
    account: Account, data_row_id: str, *, details: bool = False, predictions: bool = False
) -> TinyExport | Refusal:
    params = {"data_row_details": details, "predictions": predictions}
    source = DataRowsSource.parse({"data_row_ids": [data_row_id], "export_params": params})
    return start(account, source, source.render_input(task_name="", owner_timezone=None, window=None))
