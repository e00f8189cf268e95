"""`make matrix`: the built wheel under each line of Airflow that is promised, each with that line's own versions.

A line has a constraint file in `constraints/`, which `make constraints` resolves as of a day after the release. The
tests run from a copy without the package, so that what they import is the installed wheel.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import nox

HERE = Path(__file__).parent
DISTRIBUTION = "airflow-provider-labelbox-export"
BUILT = HERE / ".nox" / "wheel"
UNIT_TESTS = ("tests/domain", "tests/client", "tests/airflow_faces")
DAGS_TEST = ("python", "-m", "pytest", "-q", "-n", "0", "-m", "thorough", "tests/matrix/test_dags_test.py")
NEEDED_BY_TESTS = ("tests", "demo", "dags_examples", "docs", "pyproject.toml", "README.md")

nox.options.default_venv_backend = "uv"
nox.options.sessions = ["line", "resolve", "scheduler"]


@dataclass(frozen=True)
class Line:
    """Versions that users have together: those of an Airflow release, as of a day after it."""

    name: str
    airflow: str
    as_of: str
    pythons: tuple[str, ...]
    oldest_python: str = "3.10"
    resolution: str = "highest"

    @property
    def constraints(self) -> str:
        """The line's file, relative to the project."""
        return f"constraints/{self.name}.txt"


LINES = (
    Line("airflow-3.1.0", "3.1.0", "2025-09-26", ("3.10",)),
    Line("airflow-3.1.8", "3.1.8", "2026-03-12", ("3.11",)),
    Line("airflow-3.2.2", "3.2.2", "2026-05-30", ("3.12",)),
    Line("airflow-3.3.1", "3.3.1", "2026-08-13", ("3.12",)),
    Line("airflow-3.3.2", "3.3.2", "2026-09-18", ("3.10", "3.11", "3.12", "3.13")),
    Line("airflow-3.4.0b2", "3.4.0b2", "2026-10-21", ("3.13",), oldest_python="3.11"),
    Line("lowest-direct", "3.1.0", "2025-09-26", ("3.10",), resolution="lowest-direct"),
)
RESOLVED_ONLY = (("airflow-3.3.2", "3.14"), ("airflow-3.4.0b2", "3.14"))
CELERY = LINES[4]
"""The line that also runs with Celery, whose file has what that needs."""
GCS_HOOK = (
    "gcloud-aio-storage",
    "google-api-python-client",
    "google-auth-httplib2",
    "google-cloud-secret-manager",
    "google-cloud-storage",
)
"""What Airflow's hook of Google Cloud Storage imports; its provider's own requirements take longer than the tests."""
SCHEDULED = ("airflow-3.1.0", "airflow-3.2.2")
"""Lines that also run under a real scheduler; the newest does in every end-to-end test."""
RUNS = [
    nox.param(python, line, id=f"{line.name}-py{python}", tags=[line.name]) for line in LINES for python in line.pythons
]

# Interpreters of pyenv are found whichever of them is switched on.
_PYENV = sorted(Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser().glob("versions/*/bin"))
os.environ["PATH"] = os.pathsep.join([*map(str, _PYENV), os.environ.get("PATH", os.defpath)])
for _name in [name for name in os.environ if name.startswith(("AIRFLOW", "PYTHONPATH"))]:
    del os.environ[_name]


@nox.session(download_python="never")
@nox.parametrize("python,line", RUNS)
def line(session: nox.Session, line: Line) -> None:
    """Install, import without extras, test core and faces, and let `airflow dags test` land a night."""
    _without_extras(session, line)
    _land(session, line)
    _install(session, line, "all")
    copy = _tests(session)
    with session.chdir(copy):
        session.run("python", "-m", "pytest", "-q", "-n", "2", *UNIT_TESTS)
        session.run(*DAGS_TEST)


@nox.session
def short(session: nox.Session) -> None:
    """Install the oldest line, test the faces, and let `airflow dags test` land a night: minutes, for every change."""
    oldest = LINES[0]
    _without_extras(session, oldest)
    _land(session, oldest, "one_task")
    _install(session, oldest, "all")
    with session.chdir(_tests(session)):
        session.run("python", "-m", "pytest", "-q", "-n", "2", "tests/airflow_faces")


@nox.session(download_python="never")
@nox.parametrize("python,line", [run for run in RUNS if str(run).startswith(SCHEDULED)])
def scheduler(session: nox.Session, line: Line) -> None:
    """Land a night under a real scheduler and triggerer."""
    _install(session, line, "testing")
    with session.chdir(_tests(session)):
        session.run("python", "-m", "pytest", "-q", "-n", "0", "-m", "e2e", "tests/matrix/test_under_a_scheduler.py")


@nox.session(reuse_venv=True)
def celery(session: nox.Session) -> None:
    """Land under Celery, Redis and PostgreSQL, with workers that are killed."""
    # Where Python may not keep what it compiles, every process would compile Airflow again.
    compiled = ("--compile-bytecode",) if os.environ.get("PYTHONDONTWRITEBYTECODE") else ()
    _install(session, CELERY, "amazon,testing", "celery", "--reinstall-package", DISTRIBUTION, *compiled)
    google = ("--constraint", CELERY.constraints, *compiled)
    session.install(*GCS_HOOK, *google)
    session.install("apache-airflow-providers-google", "--no-deps", *google)
    with session.chdir(_tests(session)):
        session.run("python", "-m", "pytest", "-q", "-n", "0", "-m", "e2e", "tests/e2e_celery")


@nox.session(venv_backend="none")
def resolve(session: nox.Session) -> None:
    """Resolve for the Pythons that are promised and may not be here."""
    for name, python in RESOLVED_ONLY:
        given = ("--python-version", python, "--constraint", f"constraints/{name}.txt", "--prerelease", "allow")
        session.run("uv", "pip", "compile", "--quiet", *given, "--all-extras", "pyproject.toml", silent=True)
        session.log(f"{name} resolves for Python {python}, with all extras")


@nox.session(venv_backend="none")
def constraints(session: nox.Session) -> None:
    """Resolve every line's file again; `-- NAME ...` for some of them alone."""
    for line in LINES:
        if session.posargs and line.name not in session.posargs:
            continue
        asked = Path(session.create_tmp()) / "airflow.txt"
        asked.write_text(f"apache-airflow=={line.airflow}\n")
        group = "celery" if line is CELERY else "matrix"
        options = ("--universal", "--no-header", "--no-annotate", "--all-extras", "--group", group, "--quiet")
        session.run(
            *("uv", "pip", "compile", *options, "--upgrade", "pyproject.toml", str(asked)),
            *("--no-emit-package", DISTRIBUTION, "--output-file", line.constraints),
            *("--python-version", line.oldest_python, "--exclude-newer", line.as_of, "--resolution", line.resolution),
            silent=True,
        )


def _without_extras(session: nox.Session, line: Line) -> None:
    session.install(str(_wheel()), "--constraint", line.constraints, "--prerelease", "if-necessary-or-explicit")
    session.run("python", "tests/matrix/without_extras.py")


def _land(session: nox.Session, line: Line, *names: str) -> None:
    """Run the DAGs where no cloud provider is installed."""
    _install(session, line, "testing")
    chosen = ("-k", " or ".join(names)) if names else ()
    with session.chdir(_tests(session)):
        session.run(
            "python", "-m", "pytest", "-q", "-n", "0", "-m", "thorough", *chosen, "tests/matrix/test_dags_test.py"
        )


def _install(session: nox.Session, line: Line, extra: str, group: str = "matrix", *options: str) -> None:
    session.install(
        f"{_wheel()}[{extra}]",
        *("--group", group, "--constraint", line.constraints, "--prerelease", "if-necessary-or-explicit", *options),
    )


@cache
def _wheel() -> Path:
    shutil.rmtree(BUILT, ignore_errors=True)
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(BUILT)]
    subprocess.run(command, cwd=HERE, check=True, stdout=subprocess.DEVNULL)
    [wheel] = BUILT.glob("*.whl")
    return wheel


def _tests(session: nox.Session) -> Path:
    """Copy what the tests need to where the package's source is not."""
    copy = Path(session.create_tmp()).resolve() / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    for name in NEEDED_BY_TESTS:
        source = HERE / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            copy.mkdir(exist_ok=True)
            shutil.copy(source, copy)
    return copy
