"""Export params: Labelbox's names in, wire names out, and a sentence for everything else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelbox_export_provider.domain.options.option_model import plain
from labelbox_export_provider.domain.request.export_params import ProjectExportParams
from labelbox_export_provider.errors import ConfigurationError

WIRE = {
    "attachments": "includeAttachments",
    "metadata_fields": "includeMetadata",
    "embeddings": "includeEmbeddings",
    "data_row_details": "includeDataRowDetails",
    "project_details": "includeProjectDetails",
    "label_details": "includeLabelDetails",
    "performance_details": "includePerformanceDetails",
    "interpolated_frames": "includeInterpolatedFrames",
}
MEDIA_TYPES = (
    "AUDIO CONVERSATIONAL PDF TMS_GEO HTML IMAGE TMS_SIMPLE TEXT VIDEO POINT_CLOUD LLM".split()  # noqa: SIM905  shorter
)


def refusal(params: dict[str, Any]) -> str:
    with pytest.raises(ConfigurationError) as raised:
        ProjectExportParams.parse(params)
    # pydantic's own error would repeat the values
    assert raised.value.__suppress_context__ or raised.value.__context__ is None
    return str(raised.value)


def test_without_params_everything_is_off_as_in_labelbox_itself() -> None:
    assert ProjectExportParams().render() == {**dict.fromkeys(WIRE.values(), False), "mediaTypeOverride": None}


@pytest.mark.parametrize(("name", "wire_name"), WIRE.items())
def test_each_param_turns_on_its_own_wire_member_and_no_other(name: str, wire_name: str) -> None:
    rendered = ProjectExportParams.parse({name: True}).render()
    assert {member for member, value in rendered.items() if value} == {wire_name}


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_a_media_type_is_sent_as_it_is_written(media_type: str) -> None:
    assert ProjectExportParams(media_type_override=media_type).render()["mediaTypeOverride"] == media_type


@pytest.mark.parametrize(
    ("text", "value"), [("True", True), ("true", True), ("1", True), ("False", False), ("false", False), ("0", False)]
)
def test_a_switch_may_be_the_text_that_a_template_renders_to(text: str, value: bool) -> None:
    assert ProjectExportParams(attachments=text).render()["includeAttachments"] is value


@pytest.mark.parametrize(
    ("params", "parts"),
    [
        (
            {"attachement": True},
            ["'attachement' is not an export param of project exports", "Did you mean 'attachments'?"],
        ),
        ({"label_detail": True}, ["Did you mean 'label_details'?"]),
        ({"include_attachments": True}, ["Did you mean 'attachments'?"]),
        (
            {"all_projects": True},
            ["'all_projects' is not an export param of project exports", "Valid names: attachments, "],
        ),
        ({"predictions": True}, ["'predictions' is not an export param of project exports"]),
        ({"attachments": "maybe"}, ["export param 'attachments' of project exports", "boolean", "Given: 'maybe'."]),
        ({"attachments": None}, ["export param 'attachments'", "boolean", "Given: None."]),
        ({"attachments": 2}, ["export param 'attachments'", "Given: 2."]),
        (
            {"media_type_override": "GIF"},
            ["export param 'media_type_override'", "'AUDIO'", "'LLM'", "Given: 'GIF'."],
        ),
        ({"attachments": "x" * 500}, ["(502 characters)"]),
    ],
)
def test_other_params_are_refused_with_valid_names(params: dict[str, Any], parts: list[str]) -> None:
    """Anything else is refused with the name and the valid names."""
    message = refusal(params)
    assert [part for part in parts if part not in message] == []
    assert len(message) < 500


@pytest.mark.parametrize("given_value", [["attachments"], "attachments", True, 5])
def test_params_that_are_no_mapping_are_refused(given_value: object) -> None:
    with pytest.raises(ConfigurationError, match="export params of project exports must be a mapping such as"):
        ProjectExportParams.parse(given_value)


def test_params_cannot_be_changed_after_they_were_checked() -> None:
    with pytest.raises(ValueError, match="frozen"):
        ProjectExportParams().attachments = True  # type: ignore[misc]  # the point of the test


def test_even_an_option_called_self_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="'self' is not an export param"):
        ProjectExportParams.parse({"self": True})


@given(st.text().filter(lambda name: name not in ProjectExportParams.model_fields))
def test_every_unknown_name_is_refused_by_name(name: str) -> None:
    assert repr(name) in refusal({name: True})


@given(st.fixed_dictionaries({}, optional={**dict.fromkeys(WIRE, st.booleans())}))
def test_params_survive_the_plain_form_that_airflow_stores(values: dict[str, bool]) -> None:
    params = ProjectExportParams(**values)
    assert plain(params) == values
    assert ProjectExportParams.parse(plain(params)) == params
