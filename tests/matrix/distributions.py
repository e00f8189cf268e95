"""Run by `make lint` on a wheel and a source distribution: what must be in them is, and nothing else is."""

from __future__ import annotations

import sys
import tarfile
import zipfile
from pathlib import Path

PACKAGE = "labelbox_export_provider"
PROJECT = Path(__file__).parent.parent.parent
ALSO_IN_SOURCES = {"LICENSE", "README.md", "PKG-INFO", "pyproject.toml", "noxfile.py", "Makefile", "mkdocs.yml"}
FOLDERS_OF_SOURCES = {PACKAGE, "benchmarks", "constraints", "dags_examples", "demo", "docs", "tests"}


def main(folder: Path) -> int:
    """Print what is wrong with the distributions in a folder; the exit status is 1 where anything is."""
    [wheel], [sources] = folder.glob("*.whl"), folder.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        faults = [f"{wheel.name}: {fault}" for fault in wheel_faults(set(archive.namelist()))]
    with tarfile.open(sources) as archive:
        names = {member.name.partition("/")[2] for member in archive.getmembers()}
    faults += [f"{sources.name}: {fault}" for fault in source_faults(names)]
    sys.stdout.writelines(f"{fault}\n" for fault in faults)
    return 1 if faults else 0


def package_files() -> set[str]:
    """Return what the checkout holds of the package, as paths from the project's folder."""
    files = (path for path in (PROJECT / PACKAGE).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(PROJECT).as_posix() for path in files}


def wheel_faults(names: set[str]) -> list[str]:
    """Compare a wheel with the checkout: the package, its metadata, its license."""
    metadata = {name.partition("/")[2] for name in names if name.partition("/")[0].endswith(".dist-info")}
    installed = {name for name in names if not name.partition("/")[0].endswith(".dist-info")}
    wanted = package_files() | {f"{PACKAGE}/py.typed"}
    needed = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
    return _differences(installed, wanted) + [f"lacks {name}" for name in sorted(needed - metadata)]


def source_faults(names: set[str]) -> list[str]:
    """Look for the package and the project's own files, and for folders that do not belong there."""
    tops = {name.partition("/")[0] for name in names} - {""}
    foreign = {top for top in tops - FOLDERS_OF_SOURCES - ALSO_IN_SOURCES if not top.endswith(".md")} - {".gitignore"}
    left = {name for name in names if "__pycache__" in name}
    missing = (package_files() | ALSO_IN_SOURCES) - names
    return [f"lacks {name}" for name in sorted(missing)] + [f"has {name}" for name in sorted(foreign | left)]


def _differences(there: set[str], wanted: set[str]) -> list[str]:
    lacks = [f"lacks {name}" for name in sorted(wanted - there)]
    return lacks + [f"has {name}" for name in sorted(there - wanted)]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
