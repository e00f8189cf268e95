"""The servers that Airflow with Celery stands on: PostgreSQL and Redis as the distribution packages them.

Both listen on a free port of 127.0.0.1, keep their data in a temporary folder, and are gone with the `with` block.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.e2e.distribution import CannotInstallError, install

from demo.airflow_api import until
from demo.ports import free_ports
from demo.processes import Processes

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGES = ("redis-server", "postgresql")
HOW = (
    f"The tests with Celery need the packages {' and '.join(PACKAGES)}. They install them themselves where they may "
    "(root, apt-get). Here: install them, then `make e2e-celery`."
)
_PATIENCE = 60


def require_servers() -> None:
    """Install what is missing; where that is not allowed, skip the test, but fail it in CI."""
    if _programs_found():
        return
    try:
        install(*PACKAGES)
    except CannotInstallError as error:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{HOW} {error}")
    if not _programs_found():
        pytest.fail(f"{HOW} After `apt-get install` they were not found.")


@contextmanager
def postgresql() -> Iterator[str]:
    """Start an empty PostgreSQL, and return the address of its database for SQLAlchemy.

    It refuses to run as root, and root's folders are closed to others: root runs it as `postgres`, in a folder of its
    own.
    """
    programs = _postgresql_programs()
    assert programs is not None
    with _folder("postgresql") as folder, Processes(folder) as processes:
        password, port = secrets.token_hex(16), free_ports(1)[0]
        given = folder / "password"
        given.write_text(password)
        as_user: list[str] = []
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            for path in (folder, given):
                os.chown(path, user.pw_uid, user.pw_gid)
            as_user = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--"]
        data = str(folder / "data")
        new = ["--pgdata", data, "--username", "airflow", "--auth", "scram-sha-256", "--pwfile", str(given)]
        new += ["--encoding", "UTF8", "--locale", "C", "--no-sync"]
        made = subprocess.run(
            [*as_user, programs / "initdb", *new], cwd=folder, capture_output=True, text=True, check=False
        )
        assert made.returncode == 0, made.stderr
        unsafe = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")  # nobody reads it after a crash
        settings = ("listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=200", *unsafe)
        options = [option for setting in settings for option in ("-c", setting)]
        command = [*as_user, str(programs / "postgres"), "-D", data, "-p", str(port), *options]
        processes.start("postgresql", command, environment=dict(os.environ))
        ready = [str(programs / "pg_isready"), "--quiet", "--host", "127.0.0.1", "--port", str(port)]
        until("PostgreSQL to answer", lambda: _runs(ready), timeout=_PATIENCE, every=0.2)
        yield f"postgresql+psycopg2://airflow:{password}@127.0.0.1:{port}/postgres"


@contextmanager
def redis() -> Iterator[str]:
    """Start an empty Redis, and return its address as Celery reads it."""
    with _folder("redis") as folder, Processes(folder) as processes:
        port, password = free_ports(1)[0], secrets.token_hex(16)
        given = folder / "redis.conf"
        given.write_text(f"bind 127.0.0.1\nport {port}\nrequirepass {password}\nsave ''\ndir {folder}\n")
        processes.start("redis", ["redis-server", str(given)], environment=dict(os.environ))
        until("Redis to answer", lambda: _answers(port), timeout=_PATIENCE, every=0.2)
        yield f"redis://:{password}@127.0.0.1:{port}/0"


@contextmanager
def _folder(name: str) -> Iterator[Path]:
    """Make a folder that another user can reach, wherever TMPDIR is."""
    with tempfile.TemporaryDirectory(prefix=f"labelbox-{name}-", dir="/tmp") as folder:
        yield Path(folder)


def _programs_found() -> bool:
    return shutil.which("redis-server") is not None and _postgresql_programs() is not None


def _postgresql_programs() -> Path | None:
    """Return the folder of the server's programs: the newest version's, since Debian keeps them off the path."""
    if (found := shutil.which("initdb")) is not None:
        return Path(found).resolve().parent
    versions = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    return max((path.parent for path in versions), key=lambda path: int(path.parent.name), default=None)


def _runs(command: list[str]) -> bool:
    return subprocess.run(command, check=False).returncode == 0


def _answers(port: int) -> bool:
    """Return whether Redis answers, if only that it wants a password."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(100) != b""
    except OSError:
        return False
