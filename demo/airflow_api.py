"""A client of Airflow's REST API for the demo and the end-to-end tests."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx

from demo.interruption import pause

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

RUN_ENDED = frozenset({"success", "failed"})
TASK_ENDED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
COMPONENTS = ("metadatabase", "scheduler", "triggerer", "dag_processor")


class TookTooLongError(RuntimeError):
    """Something that was waited for did not happen in time."""


def until(what: str, look: Callable[[], Any], *, timeout: float, every: float = 0.5) -> Any:
    """Poll until there is a result, and return it; `TookTooLongError` names what was waited for."""
    deadline = time.monotonic() + timeout
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise TookTooLongError(f"waited {timeout:.0f} s for {what}")
        pause(every)


class AirflowApi:
    """Airflow's REST API as one user, or as the one user of a cluster without log-in.

    Reads, and writes that set a value (PATCH), are repeated for up to 90 s after a transport error or a 5xx, which
    SQLite causes under load. A POST is not: Airflow may have done what it did not answer.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = httpx.Client(base_url=url, timeout=30, trust_env=False)  # the environment may name a proxy

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def log_in(self, user: tuple[str, str] | None = None) -> None:
        """Take the token of a user (name, password), or that of anybody in a cluster where all are admins."""
        if user is None:
            answer = self._client.get("/auth/token")
        else:
            answer = self._client.post("/auth/token", json={"username": user[0], "password": user[1]})
        self._client.headers["Authorization"] = f"Bearer {answer.raise_for_status().json()['access_token']}"

    def get(self, path: str, **query: Any) -> Any:
        """Read one resource below `/api/v2`."""
        ask = partial(self._client.get, f"/api/v2{path}", params=query, headers={"accept": "application/json"})
        return self._repeated(ask).raise_for_status().json()

    def send(self, method: str, path: str, body: object = None) -> Any:
        """Write one resource below `/api/v2` and return the answer, if there is one."""
        ask = partial(self._client.request, method, f"/api/v2{path}", json=body)
        answer = self._repeated(ask) if method == "PATCH" else ask()
        if answer.is_error:
            raise RuntimeError(f"{method} {path} was answered {answer.status_code}: {answer.text[:2000]}")
        return answer.json() if answer.content else None

    @staticmethod
    def _repeated(ask: Callable[[], httpx.Response]) -> httpx.Response:
        deadline = time.monotonic() + 90
        while True:
            try:
                answer = ask()
                if answer.status_code < 500 or time.monotonic() > deadline:
                    return answer
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise
            pause(1)

    def pages(self, path: str, key: str, **query: Any) -> list[dict[str, Any]]:
        """Read every page of a list."""
        items: list[dict[str, Any]] = []
        while True:
            page = self.get(path, limit=100, offset=len(items), **query)
            items += page[key]
            if not page[key] or len(items) >= page["total_entries"]:
                return items

    def health(self) -> dict[str, str]:
        """Return the state of the four components, `healthy` where all is well."""
        try:
            answer = self._client.get("/api/v2/monitor/health", timeout=5)
            seen = answer.json() if answer.status_code == 200 else {}
        except (httpx.HTTPError, ValueError):
            seen = {}
        return {name: (seen.get(name) or {}).get("status") or "absent" for name in COMPONENTS}

    def wait_for_dag(self, dag_id: str, *, timeout: float = 180) -> dict[str, Any]:
        """Wait until the dag processor has read a DAG; an import error of any file ends the wait."""

        def look() -> Any:
            errors = self.get("/importErrors")["import_errors"]
            if errors:
                raise RuntimeError("\n".join(f"{error['filename']}:\n{error['stack_trace']}" for error in errors))
            answer = self._client.get(f"/api/v2/dags/{dag_id}")
            return answer.json() if answer.status_code == 200 else None

        found: dict[str, Any] = until(f"DAG {dag_id} to be read", look, timeout=timeout)
        return found

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler run a DAG."""
        self.send("PATCH", f"/dags/{dag_id}", {"is_paused": False})

    def pause(self, dag_id: str) -> None:
        """Keep the scheduler from starting more runs of a DAG."""
        self.send("PATCH", f"/dags/{dag_id}", {"is_paused": True})

    def trigger(self, dag_id: str, **body: Any) -> str:
        """Start a run and return its id; without `logical_date` it has neither a date nor a data interval."""
        run = self.send("POST", f"/dags/{dag_id}/dagRuns", {"logical_date": None, **body})
        return str(run["dag_run_id"])

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """Return one run."""
        found: dict[str, Any] = self.get(f"/dags/{dag_id}/dagRuns/{run_id}")
        return found

    def runs(self, dag_id: str, **query: Any) -> list[dict[str, Any]]:
        """Return all runs of a DAG, earliest logical date first."""
        return sorted(self.pages(f"/dags/{dag_id}/dagRuns", "dag_runs", **query), key=lambda run: run["run_after"])

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the task instances of a run."""
        return self.pages(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances", "task_instances")

    def task(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> dict[str, Any]:
        """Return one task instance."""
        found = [
            task for task in self.tasks(dag_id, run_id) if task["task_id"] == task_id and task["map_index"] == map_index
        ]
        if not found:
            raise LookupError(f"{dag_id} {run_id} has no task instance {task_id}[{map_index}]")
        return found[0]

    def wait_for_run(self, dag_id: str, run_id: str, *, timeout: float = 180) -> dict[str, Any]:
        """Wait until a run has ended, and return it."""
        found: dict[str, Any] = until(
            f"{dag_id} {run_id} to end",
            lambda: run if (run := self.run(dag_id, run_id))["state"] in RUN_ENDED else None,
            timeout=timeout,
        )
        return found

    def wait_for_task(
        self, dag_id: str, run_id: str, task_id: str, *, states: Iterable[str] = TASK_ENDED, timeout: float = 120
    ) -> dict[str, Any]:
        """Wait until a task instance is in one of these states, and return it."""
        wanted = frozenset(states)
        found: dict[str, Any] = until(
            f"{dag_id} {run_id} {task_id} to be in {sorted(wanted)}",
            lambda: task if (task := self.task(dag_id, run_id, task_id))["state"] in wanted else None,
            timeout=timeout,
            every=0.3,
        )
        return found

    def log(self, dag_id: str, run_id: str, task_id: str, try_number: int = 1, map_index: int = -1) -> list[str]:
        """Return the lines of one try, those of worker and triggerer in one, each as `level event other=fields`,
        followed by the type, text and origin of an exception."""
        answer = self.get(
            f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}",
            map_index=map_index,
            full_content=True,
        )
        return [_line(record) for record in answer["content"]]

    def xcoms(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> dict[str, Any]:
        """Return all XCom values of a task instance by their keys."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries"
        entries = self.pages(path, "xcom_entries", map_index=map_index)
        return {
            entry["key"]: self.get(f"{path}/{entry['key']}", map_index=map_index, deserialize=False)["value"]
            for entry in entries
        }

    def links(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> dict[str, str | None]:
        """Return the extra links of a task instance by their names."""
        answer = self.get(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/links", map_index=map_index)
        links: dict[str, str | None] = answer["extra_links"]
        return links

    def rendered(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> dict[str, Any]:
        """Return the rendered template fields of a task instance."""
        fields: dict[str, Any] = self.task(dag_id, run_id, task_id, map_index)["rendered_fields"]
        return fields

    def clear(self, dag_id: str, run_id: str, task_ids: list[str], *, downstream: bool = True) -> None:
        """Clear tasks of a run, whatever their state, as the button of the web UI does."""
        body = {
            "dry_run": False,
            "dag_run_id": run_id,
            "task_ids": task_ids,
            "only_failed": False,
            "include_downstream": downstream,
            "reset_dag_runs": True,
        }
        self.send("POST", f"/dags/{dag_id}/clearTaskInstances", body)

    def set_task_state(self, dag_id: str, run_id: str, task_id: str, state: str) -> None:
        """Mark a task instance by hand."""
        self.send("PATCH", f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}", {"new_state": state})


_BESIDE_THE_POINT = {"event", "level", "timestamp", "logger", "filename", "lineno"} | {
    "dag_id",
    "run_id",
    "task_id",
    "ti_id",
    "map_index",
    "try_number",
}


def _line(record: object) -> str:
    if not isinstance(record, dict):
        return str(record)
    fields = {key: value for key, value in record.items() if key not in _BESIDE_THE_POINT}
    errors = fields.pop("error_detail", None) or []
    more = "".join(f" {key}={value!r}" for key, value in fields.items())
    text = f"{record.get('level') or ''} {record.get('event') or ''}{more}".strip()
    for error in errors:
        last = error["frames"][-1] if error.get("frames") else {"filename": "?", "lineno": "?"}
        text += f"\n  {error['exc_type']}: {error['exc_value']} ({last['filename']}:{last['lineno']})"
    return text
