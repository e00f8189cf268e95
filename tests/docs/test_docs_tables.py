"""The tables that `make docs` writes are those in the pages."""

from __future__ import annotations

import inspect

import pytest
from support.docs_tables import DOCS, TABLES, as_code, params_of, tables_in, with_tables
from support.format_tables import METADATA

from labelbox_export_provider import ExportTaskSensor, LabelboxExportToFileOperator
from labelbox_export_provider.sinks import base

PAGES = {path.name: path.read_text() for path in sorted(DOCS.glob("*.md"))}


@pytest.mark.parametrize("page", [name for name, text in PAGES.items() if tables_in(text)])
def test_make_docs_would_change_nothing(page: str) -> None:
    assert with_tables(PAGES[page]) == PAGES[page]


def test_every_table_is_on_one_page() -> None:
    assert sorted(name for text in PAGES.values() for name in tables_in(text)) == sorted(TABLES)


def test_a_table_that_is_not_known_fails() -> None:
    with pytest.raises(KeyError, match="nothing"):
        with_tables("<!-- made from the code: nothing -->\n\n<!-- end -->")


def test_a_meaning_is_the_param_field_on_one_line() -> None:
    doc = inspect.cleandoc("""One.

        :param first: a value, "x" or None, which goes
            on here; `"y"` stays.
        :param second: another.
        """)
    assert params_of(doc) == {"first": 'a value, "x" or None, which goes on here; `"y"` stays', "second": "another"}
    assert as_code(params_of(doc)["first"]) == 'a value, `"x"` or `None`, which goes on here; `"y"` stays'


@pytest.mark.parametrize("kind", [LabelboxExportToFileOperator, ExportTaskSensor])
def test_docstrings_describe_only_options_that_exist(kind: type) -> None:
    described = set(params_of(inspect.getdoc(kind) or ""))
    constructors = [vars(base)["__init__"] for base in kind.__mro__[:-1] if "__init__" in vars(base)]
    taken = {name for constructor in constructors for name in inspect.signature(constructor).parameters}
    assert described <= taken


def test_every_metadata_key_is_described() -> None:
    """docs/formats.md lists every key that objects carry."""
    keys = {value for value in vars(base).values() if isinstance(value, str) and value.startswith("labelbox-")}
    assert set(METADATA) == keys
