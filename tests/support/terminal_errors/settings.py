"""Options, windows, handles and connections that are wrong."""

from __future__ import annotations

from datetime import timedelta

from support.airflow.tasks import NIGHT
from support.failing_tasks import CONNECTION, DagHarness
from support.terminal_errors.registry import situation, still_running

from labelbox_export_provider import ParamsWindow, errors
from labelbox_export_provider.errors import LabelboxExportError

NO_HANDLE = "what was passed is not a handle, so it names no export"
NO_WINDOW = "the run has none, which is the error"


@situation(errors.ConfigurationError)
def start_with_an_option_that_a_template_emptied(night: DagHarness) -> None:
    night.start(filters={"workflow_status": "{{ params.status }}"}, params={"status": None})


@situation(errors.ConfigurationError)
def all_in_one_with_an_option_that_a_template_emptied(night: DagHarness) -> None:
    source = {"kind": "project", "project_id": night.fake.project_id, "filters": {"workflow_status": "{{ params.s }}"}}
    night.all_in_one(source=source, params={"s": None})


@situation(errors.ConfigurationError)
def landed_already_with_another_compression(night: DagHarness) -> None:
    handle = night.start()
    night.land(handle)
    night.land(handle, compression=None)


@situation(errors.WindowError, window=NO_WINDOW)
def start_in_a_run_without_width(night: DagHarness) -> None:
    night.start(interval=(NIGHT[1], NIGHT[1]))


@situation(errors.WindowError)
def all_in_one_in_a_run_far_ahead(night: DagHarness) -> None:
    night.now = NIGHT[1] - timedelta(days=2)
    night.all_in_one()


@situation(errors.ManualRunError, window=NO_WINDOW)
def all_in_one_with_half_a_form(night: DagHarness) -> None:
    night.all_in_one(window=ParamsWindow(), params={"start": "2026-11-22T02:00:00Z", "end": None})


@situation(errors.HandleError, source=NO_HANDLE, window=NO_HANDLE)
def wait_for_what_is_not_a_handle(night: DagHarness) -> None:
    night.wait({"export_id": "clx"})


@situation(errors.HandleError, source=NO_HANDLE, window=NO_HANDLE)
def land_an_edited_handle(night: DagHarness) -> None:
    night.land(night.start() | {"fingerprint": "sha256:abc"})


@situation(errors.HandleError)
def all_in_one_whose_own_handle_was_deleted(night: DagHarness) -> None:
    night.fake.change(polls_per_export=1)
    push = night.instance("land").xcom_push
    night.instance("land").xcom_push = lambda key, value: push(f"{key}, deleted", value)  # type: ignore[method-assign]
    night.all_in_one()


@situation(errors.ConnectionSettingsError, link="the connection would say where the web app is")
def start_without_a_connection(night: DagHarness) -> None:
    night.patch.delenv(CONNECTION)
    night.start()


@situation(errors.ConnectionSettingsError, link="the connection would say where the web app is")
def wait_with_a_broken_connection_in_the_triggerer(night: DagHarness) -> None:
    handle = still_running(night)
    night.happens_in_between["wait"] = lambda: night.connect(extra={"timeout": "soon"})
    night.wait(handle)


@situation(errors.ConnectionSettingsError, link="the connection would say where the web app is")
def land_with_a_broken_connection(night: DagHarness) -> None:
    handle = night.start()
    night.connect(extra={"verify": "/no/such/bundle.pem"})
    night.land(handle)


@situation(LabelboxExportError)
def start_whose_task_state_was_edited(night: DagHarness) -> None:
    night.store("start").set("labelbox_export", {"name": "mine"})
    night.start()
