"""Questions about ids that do not exist: the error of a look-up, and whether a start is refused."""

from __future__ import annotations

from labelbox_export_provider.check_account.account import Account
from labelbox_export_provider.check_account.exports import Refusal, TinyExport, start
from labelbox_export_provider.client import graphql
from labelbox_export_provider.domain.request.source import Source
from labelbox_export_provider.domain.request.sources import DatasetSource, ModelRunSource, ProjectSource
from labelbox_export_provider.errors import StartUncertainError

UNKNOWN_ID = "clcheckaccountnosuchid000"
"""An id in Labelbox's form that does not exist."""


def ask_unknown_task(account: Account) -> None:
    """Ask for the header of a task that does not exist."""
    asked = account.ask(graphql.STREAM_HEADER, {"where": {"id": UNKNOWN_ID}, "streamType": "RESULT"})
    if asked.error is None:
        is_null = asked.data.get("task") is None
        account.settle("unknown_task", "a null task" if is_null else "a task", "ok" if is_null else "differs")
    else:
        account.settle("unknown_task", asked.refusal, "ok" if asked.not_found else "differs", status=asked.status)


def start_with_unknown_ids(account: Account) -> None:
    """Start exports of sources that do not exist, which have no rows even where they are not refused."""
    nothing = {"data_row_ids": [UNKNOWN_ID]}
    project = ProjectSource.parse({"project_id": UNKNOWN_ID, "filters": nothing})
    dataset = DatasetSource.parse({"dataset_id": UNKNOWN_ID, "filters": nothing})
    _settle(account, "unknown_project", _start(account, project))
    _settle(account, "unknown_dataset", _start(account, dataset))
    run = ModelRunSource.parse({"model_run_id": UNKNOWN_ID, "export_params": {"interpolated_frames": True}})
    answer = _start(account, run)
    if isinstance(answer, Refusal) and answer.is_validation:
        account.settle("model_run_frames", f"no, {answer.text}", "ok")
        answer = _start(account, ModelRunSource.parse({"model_run_id": UNKNOWN_ID}))
    else:
        account.settle("model_run_frames", "yes", "ok")
    _settle(account, "unknown_model_run", answer)


def _start(account: Account, source: Source) -> TinyExport | Refusal | None:
    rendered = source.render_input(task_name="", owner_timezone=account.owner.timezone, window=None)
    rendered["params"].pop("includePredictions", None)  # a question of its own
    try:
        return start(account, source, rendered)
    except StartUncertainError:
        return None


def _settle(account: Account, question: str, answer: TinyExport | Refusal | None) -> None:
    if answer is None:
        account.settle(question, "no clear answer", "differs")
    elif isinstance(answer, Refusal):
        account.settle(question, f"refused, {answer.text}", "ok")
    else:
        account.settle(question, "an export was started", "differs")
