"""The public names: one list, typed for users, and each where the documentation says."""

from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import labelbox_export_provider as package

CLIENT = Path(__file__).with_name("public_names.py")
ROOT = Path(__file__).parents[2]


def imported_by(source: Path) -> dict[str, set[str]]:
    """Return the names that a module imports from this package, by the module they come from."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("labelbox_export_provider"):
            found.setdefault(str(node.module), set()).update(name.name for name in node.names)
    return found


def test_type_checkers_see_the_same_names() -> None:
    """The imports for type checkers are those of the table that is read at run time, each marked as public."""
    init = Path(package.__file__)
    by_table = {f"{package.__name__}.{home}": set(names) for home, names in package._PUBLIC_NAMES.items()}
    assert imported_by(init) == by_table
    aliases = [each for node in ast.walk(ast.parse(init.read_text())) for each in getattr(node, "names", [])]
    assert {each.name for each in aliases if each.asname == each.name} == set(package.__all__)


def test_each_name_is_loaded_from_its_module() -> None:
    """Every public name resolves, and is the very object of the module that the table names."""
    for name, home in package._HOMES.items():
        assert getattr(package, name) is getattr(importlib.import_module(f"{package.__name__}.{home}"), name)
        assert name in dir(package)
    with pytest.raises(AttributeError, match="ProjectExportParams"):
        package.ProjectExportParams  # noqa: B018  the access is what is tested


@pytest.mark.parametrize("path", ["client", "params"])
def test_the_typed_client_uses_every_public_name(path: str) -> None:
    """No public name is left out of what mypy checks below."""
    used = imported_by(CLIENT)
    assert used[package.__name__] == set(package.__all__)
    module = importlib.import_module(f"{package.__name__}.{path}")
    assert used[module.__name__] == set(module.__all__)
    assert {name for name in module.__all__ if getattr(module, name) is None} == set()


@pytest.mark.thorough
def test_mypy_accepts_the_typed_client(tmp_path: Path) -> None:
    """A user's code passes `mypy --strict`, without pydantic's plugin and without a setting of this repository."""
    command = (sys.executable, "-m", "mypy", "--config-file=", "--strict", "--follow-imports=silent")
    done = subprocess.run(
        [*command, "--cache-dir", str(tmp_path), str(CLIENT)],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stdout
