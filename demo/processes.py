"""Child processes that do not outlive their owner, however the owner ends.

Every child leads a session of its own and writes its pid into a record before it becomes the program; whoever wants
the children gone (the owner, the watchdog after the owner was killed, or the next start after both were) reads the
record and ends the sessions. A session, unlike a process group, also holds what the child's own children put into
process groups of their own, as Airflow's workers do.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

import psutil

from demo.interruption import pause

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import TracebackType

RECORDS = "processes.*"
"""Names of the records in a home, one per owner: a line `pid name` for every child that it started."""

_WRITE_PID_THEN_BECOME = 'echo "$$ $0" >>"$1" && shift && exec "$@"'
_INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PROJECT = Path(__file__).resolve().parent.parent


class HomeInUseError(RuntimeError):
    """Another owner holds the home and did not let go in time."""


def recorded(record: Path) -> dict[int, str]:
    """Return the pids in a record, each with its name; nothing when there is no such record."""
    if not record.exists():
        return {}
    lines = [line.split(maxsplit=1) for line in record.read_text().splitlines()]
    return {int(line[0]): line[1] for line in lines if len(line) == 2 and line[0].isdigit()}


def alive(record: Path, leaders: Mapping[int, str] | None = None) -> list[psutil.Process]:
    """Return what still runs of the recorded sessions, or of those of these leaders; zombies are not counted.

    A pid that the system has meanwhile given to a stranger is told apart by its time of start (a leader is older than
    the last line of the record) or, where the leader is gone, by its working directory.
    """
    sessions = recorded(record) if leaders is None else leaders
    if not sessions:
        return []
    latest = record.stat().st_mtime + 2
    found = []
    for process in psutil.process_iter():
        try:
            session = os.getsid(process.pid)
            if session not in sessions or process.status() == psutil.STATUS_ZOMBIE:
                continue
            try:
                ours = psutil.Process(session).create_time() <= latest
            except psutil.NoSuchProcess:
                ours = process.cwd().startswith(str(record.parent))
        except (OSError, psutil.Error):  # it ended during the search
            continue
        if ours:
            found.append(process)
    return found


def end(record: Path, *, grace: float, leaders: Mapping[int, str] | None = None) -> None:
    """End the recorded sessions, or those of these leaders: ask, wait `grace` seconds, then kill.

    Searches until nothing is found twice in a row, since a child may have been starting during the search.
    """
    deadline, asked, quiet = time.monotonic() + grace, set[int](), 0
    while quiet < 2:
        found = alive(record, leaders)
        quiet = 0 if found else quiet + 1
        for process in found:
            with contextlib.suppress(OSError, psutil.Error):  # it ended by itself
                leader = os.getsid(process.pid)
                if time.monotonic() >= deadline or _gone(leader):
                    process.kill()
                elif process.pid == leader and leader not in asked:
                    asked.add(leader)
                    process.terminate()  # it passes this on to its own children; those that stay are killed
        time.sleep(0.1)


def _gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold back Ctrl-C and SIGTERM while cleaning up: a second one must not leave half of it."""
    if threading.current_thread() is not threading.main_thread():  # signals arrive in the main thread only
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _INTERRUPTIONS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Processes:
    """The children of one home, ended with the `with` block and, by the watchdog, with the owner.

    Fails with `HomeInUseError` when another owner holds the home for longer than `wait` seconds. Processes that an
    earlier owner left behind are ended first.
    """

    def __init__(
        self, home: Path, *, grace: float = 8.0, wait: float = 60.0, say: Callable[[str], object] = lambda _: None
    ) -> None:
        self.home = home
        self._say = say
        # Of its own, so that the watchdog of an owner who was killed cannot take a later owner's children for his.
        self.record = home / f"processes.{os.getpid()}-{time.time_ns()}"
        self.grace = grace
        self.wait = wait
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self._lock: IO[str] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Processes:
        """Take the home, end what an earlier owner left, start the watchdog."""
        self.home.mkdir(parents=True, exist_ok=True)
        self._lock = self._take()
        for left in self.home.glob(RECORDS):
            end(left, grace=2.0)
            left.unlink()
        self.record.write_text("")
        self._watchdog = subprocess.Popen(
            [sys.executable, "-m", "demo.processes", str(self.record), str(self.grace)],
            cwd=_PROJECT,
            stdin=subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C in the terminal must not end the one that cleans up
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End every child, then the watchdog."""
        with uninterrupted():
            end(self.record, grace=self.grace)
            for child in self.children.values():
                child.wait()  # collects it, so that no zombie stays
            if self._watchdog is not None and self._watchdog.stdin is not None:
                self._watchdog.stdin.close()
                self._watchdog.wait(timeout=self.grace + 30)
            self.record.unlink(missing_ok=True)
            if self._lock is not None:
                self._lock.close()

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        log: Path | None = None,
        errors: Path | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start one child; all its output goes to `log`, by default `<home>/<name>.log`, but for that to `errors`."""
        log = log or self.home / f"{name}.log"
        with log.open("ab") as output, (errors or log).open("ab" if errors is None else "wb") as error_output:
            child = subprocess.Popen(
                ["/bin/sh", "-c", _WRITE_PID_THEN_BECOME, name, str(self.record), *command],
                cwd=self.home,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=error_output,
                start_new_session=True,
            )
        self.children[name] = child
        return child

    def kill(self, name: str, *, gently: bool = False) -> None:
        """End one child at once with all that it started (SIGKILL), or, gently, as an operator would (SIGTERM)."""
        child = self.children.pop(name)
        end(self.record, grace=30.0 if gently else 0.0, leaders={child.pid: name})
        child.wait()

    def ended(self) -> list[str]:
        """Return the names of the children that have ended though nobody asked them to."""
        return [name for name, child in self.children.items() if child.poll() is not None]

    def _take(self) -> IO[str]:
        handle = (self.home / "lock").open("a+")
        deadline, described = time.monotonic() + self.wait, False
        while not _locked(handle):
            handle.seek(0)
            holder = handle.read().strip() or "unknown"
            if time.monotonic() > deadline:
                handle.close()
                raise HomeInUseError(
                    f"{self.home} is in use by process {holder}. End that process, or use another directory."
                )
            if not described:
                self._say(f"waiting up to {self.wait:.0f} s for process {holder} to leave {self.home}")
                described = True
            pause(0.2)
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        return handle


def _locked(handle: IO[str]) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _watch(record: Path, grace: float) -> None:
    """Wait until the owner lets go of our standard input, by closing it or by dying; then end what is left."""
    for number in _INTERRUPTIONS:
        signal.signal(number, signal.SIG_IGN)
    while os.read(sys.stdin.fileno(), 1):
        pass
    end(record, grace=grace)


if __name__ == "__main__":
    _watch(Path(sys.argv[1]), float(sys.argv[2]))
