"""A real Airflow on one machine: API server, scheduler with LocalExecutor, dag processor and triggerer.

Everything is set through the environment, nothing is read from the user's own Airflow, and the home is made again by
every start. SQLite is enough here because few tasks run at a time; it is not a deployment to learn from.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from demo.airflow_api import AirflowApi, TookTooLongError, until
from demo.ports import free_ports
from demo.processes import Processes, uninterrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")

LOSSES_SEEN_SOON = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "2",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "10",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
}
"""Settings under which Airflow notices a killed worker, scheduler or triggerer in seconds instead of minutes."""

_MADE_BY_AIRFLOW = (
    "airflow.cfg",
    "airflow.db*",
    "simple_auth_manager_passwords*",
    "logs",
    "config",
    "*.log",
    "command.*",
)
_CONFIG = Path(__file__).parent / "airflow_config"
_NOT_INHERITED = ("AIRFLOW", "_AIRFLOW", "AWS_", "BOTO", "GOOGLE_", "LABELBOX", "PYTHONSAFEPATH")


class ComponentEndedError(RuntimeError):
    """A component of the cluster ended by itself; the message holds the end of its log."""


def clean_environment(home: Path) -> dict[str, str]:
    """Return this process' environment without what would lead Airflow or boto3 to the user's own settings.

    Servers on this machine are reached past any proxy that the environment names.
    """
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(_NOT_INHERITED)}
    nobody = str(home / "no-such-file")
    local = "127.0.0.1,localhost"
    return kept | {
        "AWS_CONFIG_FILE": nobody,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SHARED_CREDENTIALS_FILE": nobody,
        "NO_COLOR": "1",
        "NO_PROXY": local,
        "no_proxy": local,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', os.defpath)}",
        "PYTHONUNBUFFERED": "1",
    }


class AirflowCluster:
    """Airflow's four components in their own sessions, healthy inside the `with` block and gone after it.

    `home` is used by one cluster at a time. `env` adds settings and connections (`AIRFLOW__…`, `AIRFLOW_CONN_…`) for
    all components alike; where it sets up users, `user` is the name and password of an admin. `url_path` is where the
    server's address goes on, as behind a proxy. `parallelism` is how many tasks run at a time; SQLite serves two or
    three. `executor` may be another one, whose workers are then started by `start`, and `database_url` another database
    than SQLite in the home. Tests that kill components add `LOSSES_SEEN_SOON` to `env`. Fails with
    `ComponentEndedError` when a component ends by itself and with `TookTooLongError` when the cluster is not healthy
    within `start_timeout` seconds.
    """

    def __init__(
        self,
        home: Path,
        dags_folder: Path,
        *,
        env: Mapping[str, str] | None = None,
        user: tuple[str, str] | None = None,
        url_path: str = "",
        executor: str = "LocalExecutor",
        database_url: str | None = None,
        parallelism: int = 2,
        log_level: str = "INFO",
        start_timeout: float = 180,
        say: Callable[[str], object] = lambda _: None,
    ) -> None:
        self.home = home.resolve()
        self.processes = Processes(self.home)
        self.start_timeout = start_timeout
        self._say = say
        self._user = user
        api_port, worker_log_port, trigger_log_port = free_ports(3)
        self.url = f"http://127.0.0.1:{api_port}{url_path}"
        self.database = self.home / "airflow.db"
        self.environment = clean_environment(self.home) | {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(api_port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags_folder.resolve()),
            "AIRFLOW__CORE__DEFAULT_TIMEZONE": "utc",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__EXECUTOR": executor,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": str(parallelism),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "2",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "5",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database_url
            or f"sqlite:///{self.database}?timeout=60&isolation_level=IMMEDIATE",
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(self.home / "logs"),
            "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": log_level,
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(trigger_log_port),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(worker_log_port),
            # The defaults of a production Airflow 3, spelled out: with them a bare cron string has intervals of zero
            # width, which is what users meet.
            "AIRFLOW__SCHEDULER__CREATE_CRON_DATA_INTERVALS": "False",
            "AIRFLOW__SCHEDULER__CREATE_DELTA_DATA_INTERVALS": "False",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
            **(env or {}),
        }
        self.api = AirflowApi(self.url)
        self._stack = ExitStack()

    def __enter__(self) -> AirflowCluster:
        """Make the home, start the components, wait until all are healthy."""
        with ExitStack() as stack:
            stack.enter_context(self.processes)
            stack.callback(self.api.close)
            for leftover in _MADE_BY_AIRFLOW:
                for path in self.home.glob(leftover):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
            shutil.copytree(_CONFIG, self.home / "config", ignore=shutil.ignore_patterns("__pycache__"))
            self._say("making Airflow's database")
            self._migrate()
            self._say("starting Airflow: " + ", ".join(COMPONENTS))
            for component in COMPONENTS:
                self.start(component)
            self.wait_healthy()
            self.api.log_in(self._user)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End every process of the cluster."""
        with uninterrupted():
            self._stack.close()

    def start(self, component: str, *command: str) -> int:
        """Start one component and return its pid, which also leads its process group and session.

        `command` is what follows `airflow`, by default the component's name.
        """
        airflow = self._airflow(*(command or (component,)))
        return self.processes.start(component, airflow, environment=self.environment).pid

    def kill(self, component: str) -> None:
        """End one component with all that it started, at once (SIGKILL)."""
        self.processes.kill(component)

    def signal(self, component: str, number: signal.Signals) -> None:
        """Send a signal to one component alone, not to what it started."""
        os.kill(self.processes.children[component].pid, number)

    def wait_healthy(self, timeout: float | None = None) -> None:
        """Wait until Airflow itself calls all components healthy."""
        limit = self.start_timeout if timeout is None else timeout
        try:
            until("Airflow to be healthy", self._healthy, timeout=limit)
        except TookTooLongError as late:
            tails = "\n".join(f"--- {name}\n{self.log_tail(name, 15)}" for name in COMPONENTS)
            raise TookTooLongError(f"{late}: {self.api.health()}\n{tails}") from None

    def check(self) -> None:
        """Raise `ComponentEndedError` when a component has ended though nobody asked it to."""
        for name in self.processes.ended():
            raise ComponentEndedError(f"airflow {name} ended by itself; the end of its log:\n{self.log_tail(name)}")

    def cli(self, *arguments: str, timeout: float = 180) -> subprocess.CompletedProcess[str]:
        """Run an `airflow` command to its end, whatever its exit status; what it wrote is in the answer alone."""
        command = self._airflow(*arguments)
        output, errors = self.home / "command.out", self.home / "command.err"
        output.unlink(missing_ok=True)
        run = self.processes.start("command", command, environment=self.environment, log=output, errors=errors)
        until(f"airflow {' '.join(arguments)} to end", lambda: run.poll() is not None, timeout=timeout, every=0.2)
        del self.processes.children["command"]
        done = subprocess.CompletedProcess(command, run.returncode, output.read_text(), errors.read_text())
        output.unlink()
        errors.unlink(missing_ok=True)
        return done

    def log_tail(self, component: str, lines: int = 40) -> str:
        """Return the last lines that a component wrote."""
        log = self.home / f"{component}.log"
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""

    def _healthy(self) -> bool:
        self.check()
        return set(self.api.health().values()) == {"healthy"}

    def _migrate(self) -> None:
        migration = self.processes.start("db-migrate", self._airflow("db", "migrate"), environment=self.environment)
        until("the database to be made", lambda: migration.poll() is not None, timeout=self.start_timeout)
        del self.processes.children["db-migrate"]
        if migration.returncode:
            raise ComponentEndedError(
                f"airflow db migrate ended with {migration.returncode}:\n{self.log_tail('db-migrate')}"
            )

    @staticmethod
    def _airflow(*arguments: str) -> list[str]:
        return [sys.executable, "-m", "airflow", *arguments]
