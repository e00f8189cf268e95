"""Base of all models that users fill in: frozen, strict about names, and with errors that name the correct form."""

from __future__ import annotations

import difflib
import enum
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, ClassVar, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)

from labelbox_export_provider.domain.options.dates import refuse_naive
from labelbox_export_provider.domain.options.rendered_text import HOW_AS_TEXT, text_as_list, text_as_mapping
from labelbox_export_provider.domain.options.templates import (
    inside,
    is_template,
    late_paths,
    refuse_unrendered,
    stand_ins,
)
from labelbox_export_provider.errors import ConfigurationError

ModelT = TypeVar("ModelT", bound="OptionModel")

_DURATION = TypeAdapter(timedelta)


class OptionModel(BaseModel):
    """A frozen set of options that refuses unknown names.

    In messages, `noun` names one of its members ("export param") and `owner` what they belong to ("project exports");
    `keyword` is the option that takes the model. Every fault in the values is a `ConfigurationError` that names the
    option and the values that it takes. Every field takes a template as text, but for those in `never_templates`;
    `parse_rendered` refuses what is still one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    noun: ClassVar[str] = "option"
    owner: ClassVar[str] = ""
    keyword: ClassVar[str] = ""
    never_templates: ClassVar[frozenset[str]] = frozenset({"kind"})

    def __init__(self, /, **values: Any) -> None:
        type(self).check_names(values)
        type(self).refuse_unseen(values)
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ConfigurationError(self._describe(error, values)) from None

    @classmethod
    def parse(cls: type[ModelT], value: object) -> ModelT:
        """Build the model from a mapping or from another instance; every fault becomes one `ConfigurationError`."""
        if isinstance(value, cls):
            return value
        value = {} if value is None else text_as_mapping(value)
        if isinstance(value, OptionModel):
            raise ConfigurationError(
                f"{type(value).__name__} holds {type(value).noun}s of {type(value).owner or 'another source'}; "
                f"{cls.owner or 'this option'} take {cls.__name__}."
            )
        if not isinstance(value, Mapping):
            text = f": {_short(value)}. {HOW_AS_TEXT}" if isinstance(value, str) else "."
            raise ConfigurationError(
                f"{cls.noun}s of {cls.owner} must be a mapping such as "
                f"{{{next(iter(cls.model_fields), 'name')!r}: ...}}, not {type(value).__name__}{text}"
            )
        return cls(**{str(name): item for name, item in value.items()})

    @classmethod
    def parse_rendered(cls: type[ModelT], value: object) -> ModelT:
        """Build the model when the task runs; what is still a template then is refused."""
        model = cls.parse(value)
        model.refuse_templates()
        return model

    def refuse_templates(self) -> None:
        """Refuse a model that is not rendered yet: reading it now would treat the template as a value."""
        refuse_unrendered(type(self).keyword or type(self).__name__, plain(self))

    @classmethod
    def check_known(cls, given: object) -> None:
        """Check what is known of options while a DAG is parsed: all names, and the values that are not templates."""
        given = text_as_mapping(given)
        if given is not None and (isinstance(given, Mapping) or not is_template(given)):
            cls.parse(stand_ins(given))

    @field_validator("*", mode="wrap")
    @classmethod
    def _keep_templates(cls, value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        if info.field_name in cls.never_templates or isinstance(value, (Mapping, BaseModel)):
            return handler(value)
        if is_template(value) and all(isinstance(inside(value, path), str) for path in late_paths(value)):
            return tuple(value) if isinstance(value, list) else value
        annotation = cls.model_fields[str(info.field_name)].annotation
        if isinstance(value, str) and isinstance(annotation, type) and issubclass(annotation, OptionModel):
            value = annotation.parse(value)
        return handler(value)

    @classmethod
    def refuse_unseen(cls, values: Mapping[str, Any]) -> None:
        """Refuse what another task returns: Airflow does not look into a model for it."""
        if not any(hasattr(inside(values, path), "iter_references") for path in late_paths(values)):
            return
        kind = cls.model_fields["kind"].default if "kind" in cls.model_fields else None
        written = {} if kind is None else {"kind": kind}
        raise ConfigurationError(
            f"{cls.__name__} holds the output of another task, where Airflow does not see it: this task would run "
            f"before that one. Write the plain dict: {cls.keyword}={_as_written({**written, **values})}."
        )

    @classmethod
    def check_names(cls, value: Mapping[str, object]) -> None:
        """Refuse names that these options do not have, and suggest the nearest valid one."""
        unknown = [name for name in value if name not in cls.model_fields]
        if not unknown:
            return
        name = str(unknown[0])
        near = difflib.get_close_matches(name, cls.model_fields, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        if not cls.model_fields:
            raise ConfigurationError(f"{cls.owner} take no {cls.noun}s: remove {name!r}. {cls.__doc__}")
        raise ConfigurationError(
            f"{name!r} is not {_article(cls.noun)} of {cls.owner}.{hint} "
            f"Valid names: {', '.join(sorted(cls.model_fields))}."
        )

    @classmethod
    def _describe(cls, error: ValidationError, value: Mapping[str, object]) -> str:
        first = error.errors(include_url=False, include_context=True)[0]
        names = [str(part) for part in first["loc"]]
        cause = first.get("ctx", {}).get("error")
        if isinstance(cause, ConfigurationError):  # a model inside this one has already given the whole message
            return str(cause)
        text = str(first["msg"]).removeprefix("Value error, ")
        text = text if text.endswith(".") else f"{text}."
        if not names:
            return f"{cls.noun}s of {cls.owner}: {text}"
        given = value.get(names[0])
        return f"{cls.noun} {'.'.join(names)!r} of {cls.owner}: {text} Given: {_short(given)}."


def _as_written(value: Any) -> str:
    """Return a value as it is written in a DAG file; the output of another task by that task's name."""
    if isinstance(value, BaseModel):
        value = plain(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name!r}: {_as_written(item)}" for name, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_as_written, value)) + "]"
    if hasattr(value, "iter_references"):
        return next((f"{task.task_id}.output" for task, _ in value.iter_references()), "...")
    return _short(value)


def _article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def _short(value: object, limit: int = 120) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def as_ids(value: object) -> object:
    """Read a list of ids in any form that a user or a template gives; a single text is refused."""
    ids = plain(text_as_list(value))
    if isinstance(ids, str):
        raise ValueError("a list is needed, even for one entry: ['id1'].")  # noqa: TRY004  pydantic reports ValueError
    return ids


def plain(value: Any) -> Any:
    """Convert models, dates, durations and tuples to JSON types, for Airflow to render and serialize.

    A set becomes a sorted list: its own order differs between processes, and a retry has to ask the same question.
    Fails with `ConfigurationError` on a `datetime` without time zone, which as text would be read in some zone.
    """
    if isinstance(value, BaseModel):
        return plain(value.model_dump(mode="python", exclude_unset=True, warnings=False))
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in (sorted(value, key=str) if isinstance(value, (set, frozenset)) else value)]
    if isinstance(value, datetime):
        refuse_naive(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return _DURATION.dump_python(value, mode="json")
    return value.value if isinstance(value, enum.Enum) else value
