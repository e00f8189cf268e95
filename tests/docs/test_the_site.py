"""The site of the docs: what its build does not check by itself. `make lint` builds it, with warnings as errors."""

from __future__ import annotations

import re
import shlex
from importlib.metadata import metadata
from pathlib import Path

import pytest
from support import message_tables, site_links
from support.docs_pictures import DOCS, digest_of, pictures
from support.e2e.pictures import PICTURES, files

import labelbox_export_provider.errors

PROJECT = metadata("airflow-provider-labelbox-export")
PRODUCTION = (DOCS / "in-production.md").read_text()


@pytest.mark.parametrize("name", pictures())
def test_a_picture_was_drawn_from_the_diagram_of_its_page(name: str) -> None:
    """The site shows pictures, the repository diagrams: `make pictures` draws them again."""
    assert (DOCS / name).read_text().startswith(digest_of(pictures()[name]))


def test_no_picture_is_left_over() -> None:
    assert {str(path.relative_to(DOCS)) for path in DOCS.glob("pictures/*")} == set(pictures())


def test_every_screenshot_is_taken_by_a_test_and_shown() -> None:
    """`make screenshots` takes them again; a page shows each, and README none that is not there."""
    there = {path.name for path in DOCS.glob("screenshots/*")}
    assert there == files()
    tests = "".join(path.read_text() for path in (DOCS.parent / "tests" / "e2e").glob("test_*.py"))
    assert set(re.findall(r'take_picture\(page, "([\w-]+)"', tests)) == set(PICTURES)
    shown = {name for page in DOCS.glob("*.md") for name in re.findall(r"]\(screenshots/([\w.-]+)", page.read_text())}
    assert shown == there
    readme = (DOCS.parent / "README.md").read_text()
    assert set(re.findall(r"]\(docs/screenshots/([\w.-]+)", readme)) <= there


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ('<a href="missing.html">', "missing.html leads nowhere"),
        ('<a href="other.html#nowhere">', "other.html#nowhere has no such heading"),
        ('<script src="https://cdn.example.com/x.js">', "loads https://cdn.example.com/x.js"),
        ('<link href="//fonts.example.com/x.css">', "loads //fonts.example.com/x.css"),
        ('<a href="https://example.com/"><a href="other.html#here"><img src="/other.html">', None),
    ],
)
def test_links_of_the_site_are_followed(tmp_path: Path, body: str, fault: str | None) -> None:
    """What leads nowhere is found, and what a browser would load from elsewhere."""
    (tmp_path / "index.html").write_text(body)
    (tmp_path / "other.html").write_text('<h1 id="here">')
    assert list(site_links.faults(tmp_path)) == ([f"index.html: {fault}"] if fault else [])
    assert site_links.main(tmp_path) == (1 if fault else 0)


def test_every_error_class_has_an_entry() -> None:
    """The page has a heading for each class of errors.py, and at least one message or the kinds below it."""
    page = (DOCS / "troubleshooting.md").read_text()
    there = {
        name
        for name, value in vars(labelbox_export_provider.errors).items()
        if isinstance(value, type) and issubclass(value, Exception)
    }
    assert {kind.__name__ for kind in message_tables.classes()} == there
    sections = dict(re.findall(r"^### (\w+)\n(.*?)(?=^### |<!-- end)", page, re.MULTILINE | re.DOTALL))
    assert set(sections) == there
    assert [name for name, text in sections.items() if "| the message" not in text and "its kinds: [" not in text] == []


def test_the_reference_has_every_public_name() -> None:
    """Whatever is public is on a page of the site."""
    pytest.importorskip("mkdocs")
    from support.docs_site import reference

    entries = set(re.findall(r"^::: [\w.]+?\.(\w+)$", "\n".join(reference().values()), re.MULTILINE))
    assert set(labelbox_export_provider.__all__) - entries == set()
    assert {kind.__name__ for kind in message_tables.classes()} - entries == set()


def test_warnings_of_the_build_are_errors() -> None:
    """`make lint` builds the site so that a broken link or heading fails; with `--quiet` none would."""
    lines = (DOCS.parent / "Makefile").read_text().splitlines()
    [build] = [line for line in lines if "mkdocs build" in line or "mkdocs --" in line]
    assert "--strict" in build.split()
    assert not {"--quiet", "-q"} & set(build.split())
    lint = "\n".join(lines).partition("\nlint:")[2].partition("\n\n")[0]
    assert "$(MAKE) --no-print-directory site || status=" in lint


def test_the_wheel_of_the_production_page_is_this_project() -> None:
    """Name, version and extras are those of pyproject.toml."""
    name, version = PROJECT["Name"], PROJECT["Version"]
    wheels = set(re.findall(r"[\w./-]*?(airflow_provider_\w+-[\w.]+-py3-none-any\.whl)", PRODUCTION))
    assert wheels == {f"{name.replace('-', '_')}-{version}-py3-none-any.whl"}
    assert f"{name}[amazon]=={version}" in PRODUCTION
    assert set(re.findall(r"(?:whl|export)\[(\w+)\]", PRODUCTION)) <= set(PROJECT.get_all("Provides-Extra", []))


@pytest.mark.parametrize("line", re.findall(r"^airflow (?!providers).*$", PRODUCTION, re.MULTILINE))
def test_airflow_knows_the_commands_of_the_production_page(line: str) -> None:
    from airflow.cli.cli_parser import get_parser

    arguments = shlex.split(line, comments=True)[1:]
    assert callable(get_parser().parse_args(arguments).func)


def test_the_production_page_has_the_limits_of_the_code() -> None:
    """Numbers on the page that an option or a constant decides."""
    from labelbox_export_provider.client.settings import ConnectionSettings
    from labelbox_export_provider.commands.options import EXIT_CODES
    from labelbox_export_provider.execution.waiting import MAX_HELD
    from labelbox_export_provider.streaming.landing.options import LandingOptions
    from labelbox_export_provider.streaming.pipeline.memory_plan import DEFAULT_WORKERS, MIB

    assert f"{LandingOptions().max_memory // MIB} MiB (`max_memory`)" in PRODUCTION
    assert f"up to {DEFAULT_WORKERS} downloads" in PRODUCTION
    assert f"up to {MAX_HELD.seconds} seconds around each wait" in PRODUCTION
    polls = ConnectionSettings.model_fields["polls_per_minute"].default
    assert f"{polls:g} polls a minute" in PRODUCTION
    assert re.search(r"^ *3 +.*missing", EXIT_CODES, re.MULTILINE)
    assert "its exit status is 3" in PRODUCTION
