"""Operators that others derive from this package's: checked while the DAG is parsed, whatever their constructors do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import pytest
from support.airflow.tasks import context_of, some_dag

from labelbox_export_provider import (
    DataIntervalWindow,
    ExportOperator,
    ExportTaskSensor,
    LabelboxExportToFileOperator,
    ProjectExportOperator,
    ProjectSource,
)
from labelbox_export_provider.airflow_compat import AirflowFailException
from labelbox_export_provider.errors import ConfigurationError, HandleError
from labelbox_export_provider.params import ProjectFilters
from labelbox_export_provider.testing import FakeLabelbox
from labelbox_export_provider.transfers.base import LabelboxExportTransferOperator


class TeamExportOperator(ExportOperator):
    """A base that a team shares; it names no source, so only what derives from it is used."""

    def __init__(self, *, team: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.task_name = self.task_name or f"team {team}"


class TeamProjectOperator(TeamExportOperator, source=ProjectSource):
    """An operator with a constructor of its own, which assigns its options after those of its bases."""

    def __init__(self, *, project_id: str, narrow: Any = None, late_window: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.project_id = project_id
        if narrow is not None:
            self.filters = narrow
        self.window = late_window


def team_export(**options: Any) -> TeamProjectOperator:
    return TeamProjectOperator(**{"task_id": "start", "team": "vision", "project_id": "clp1", **options})


def test_the_class_statement_makes_options_and_templates() -> None:
    """The fields of the source that the class statement names are its options, and templates."""
    assert TeamProjectOperator.source_options == ("project_id",)
    assert set(TeamProjectOperator.template_fields) == {*ExportOperator.template_fields, "project_id"}


def test_own_template_fields_stay_as_the_class_wrote_them() -> None:
    """A class that writes `template_fields` itself keeps exactly these."""

    class Narrow(ExportOperator, source=ProjectSource):
        template_fields: Sequence[str] = ("project_id",)

    assert Narrow.template_fields == ("project_id",)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"project_id": "two words"}, "project_id"),
        ({"export_params": {"attachmets": True}}, "attachments"),
        ({"narrow": {"global_keyz": ["a"]}}, "global_keys"),
        ({"narrow": {"last_activity_at": ["2026-01-01", None]}, "late_window": DataIntervalWindow()}, "window"),
        ({"params": {"attachments": True}}, "export_params"),
    ],
)
def test_own_constructors_are_checked_while_parsing(options: dict[str, Any], named: str) -> None:
    """A bad setting fails while the DAG is parsed, also one that a third party's constructor assigned last."""
    with some_dag(), pytest.raises(ConfigurationError, match=named):
        team_export(**options)


def test_a_model_assigned_by_an_own_constructor_is_dumped() -> None:
    """Airflow cannot render a model, so one that a constructor assigned becomes its plain dict."""
    task = team_export(narrow=ProjectFilters(global_keys=["a"]), late_window=DataIntervalWindow())
    assert isinstance(task.filters, dict)
    assert isinstance(task.window, dict)


def test_an_own_operator_starts_its_export(fake: FakeLabelbox) -> None:
    """An operator of a third party runs as those of this package do."""
    handle = team_export(project_id=fake.project_id).execute(context_of())
    assert handle["source"] == {"kind": "project", "id": fake.project_id}


def test_an_operator_without_a_source_is_refused() -> None:
    """Constructing an operator that names no source fails with what to write."""
    with pytest.raises(ConfigurationError, match=r"class ExportOperator\(ExportOperator, source=ProjectSource\)"):
        ExportOperator(task_id="start")
    with pytest.raises(ConfigurationError, match=r"class TeamExportOperator\(ExportOperator, source=ProjectSource"):
        TeamExportOperator(task_id="start", team="vision")


def test_a_source_that_is_not_one_is_refused_with_its_class() -> None:
    """The class statement itself fails where `source=` is something else."""
    with pytest.raises(ConfigurationError, match="ProjectSource"):

        class Wrong(ExportOperator, source=dict):
            """Names a class that is not a source."""


def test_a_constructor_that_forgets_an_option_is_refused() -> None:
    """An option that is never assigned fails while the DAG is parsed, naming it."""

    class Forgetful(ExportOperator, source=ProjectSource):
        def __init__(self, *, project_id: str, **kwargs: Any) -> None:
            super().__init__(**kwargs)

    with pytest.raises(ConfigurationError, match=r"Forgetful.__init__ must assign self\.project_id"):
        Forgetful(task_id="start", project_id="clp1")


def test_mapped_operators_are_checked_when_they_run() -> None:
    """A mapped task is constructed when it runs: parsing it succeeds, and running it checks what was mapped."""
    with some_dag():
        mapped = TeamProjectOperator.partial(task_id="start", team="vision").expand(project_id=["clp1", "two words"])
    assert vars(mapped.unmap({"project_id": "clp1"}))["project_id"] == "clp1"
    with pytest.raises(ConfigurationError, match="project_id"):
        mapped.unmap({"project_id": "two words"})


def test_an_output_of_another_task_stays_a_dependency() -> None:
    """What is checked after construction does not lose Airflow's upstream tasks."""
    with some_dag():
        start = ProjectExportOperator(task_id="start", project_id="clp1")
        after = team_export(task_id="after", project_id=start.output)
    assert after.upstream_task_ids == {"start"}


class FolderOfTheTeam(LabelboxExportToFileOperator):
    """A transfer whose constructor assigns its target last."""

    def __init__(self, *, folder: str, **kwargs: Any) -> None:
        super().__init__(root="/", **kwargs)
        self.root = folder


def test_own_transfers_are_checked_while_parsing() -> None:
    """The target that a third party's constructor assigned is checked while the DAG is parsed."""
    with pytest.raises(ConfigurationError, match="absolute"):
        FolderOfTheTeam(task_id="land", export="{{ export }}", folder="relative")


def test_a_transfer_without_target_options_is_refused() -> None:
    """A transfer to another store has to name its two options for a target."""

    class ToNowhere(LabelboxExportTransferOperator):
        _open_sink = _target = None  # type: ignore[assignment]

    class Forgetful(ToNowhere):
        target_options: ClassVar[tuple[str, str] | None] = ("prefix", "key")

    with pytest.raises(ConfigurationError, match=r"ToNowhere names no target\. Write target_options"):
        ToNowhere(task_id="land", export="{{ export }}")
    with pytest.raises(ConfigurationError, match=r"must assign self\.prefix and self\.key"):
        Forgetful(task_id="land", export="{{ export }}")


class SensorOfTheTeam(ExportTaskSensor):
    """A sensor whose constructor assigns its options last."""

    def __init__(self, *, waits_for: Any, conn_id: str, **kwargs: Any) -> None:
        super().__init__(export="{{ export }}", **kwargs)
        self.export = waits_for
        self.labelbox_conn_id = conn_id


def test_own_sensors_are_checked_while_parsing() -> None:
    """The export that a third party's constructor assigned is checked while the DAG is parsed."""
    with pytest.raises(HandleError, match="names an export by its id alone"):
        SensorOfTheTeam(task_id="wait", waits_for={"export_id": ""}, conn_id="labelbox_default")


def test_an_own_sensors_template_may_not_render_to_nothing(fake: FakeLabelbox) -> None:
    """A template that a third party's constructor assigned is refused where it renders to nothing."""
    sensor = SensorOfTheTeam(task_id="wait", waits_for=fake.project_id, conn_id="{{ params.conn_id }}")
    context = context_of("wait", params={"conn_id": ""})
    sensor.render_template_fields(context)
    with pytest.raises(AirflowFailException, match="labelbox_conn_id"):
        sensor.execute(context)
