"""How soon the page of windows is there, and what its plugin costs: `python -m benchmarks.windows_page`.

A real Airflow, whose newest check found one source, then many, is opened in headless Chromium. Time counts from the
click in Airflow's navigation: to the first paint of the page, until Airflow has answered with the snapshot, to the
first screen of sources, and until all sources are painted. The costs are what the plugin's import takes in a process
that loads Airflow's plugins, against the whole process.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from benchmarks.years_of_windows import DAY, snapshot_of
from demo.airflow_cluster import AirflowCluster, clean_environment

ROOT = Path(__file__).parent.parent
GATE_SECONDS = 1.0
GATE_COST = 1.02
CASES = {"1 source, 420 nights": (1, 420), "300 sources, 3 years": (300, 1095)}
PROGRAMS = {
    "DAG parse": "import airflow.plugins_manager as p; p.ensure_plugins_loaded()\n"
    "from airflow.dag_processing.dagbag import DagBag; DagBag(sys.argv[1])",
    "airflow providers list": "from airflow.__main__ import main; sys.argv[1:] = ['providers', 'list']; main()",
    "triggerer": "import airflow.jobs.triggerer_job_runner, airflow.plugins_manager as p; p.ensure_plugins_loaded()",
}
_SHARE = """
import atexit, json, os, resource, sys, time
import airflow.configuration, airflow.plugins_manager
resident = lambda: int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 1024**2
memory, began = resident(), time.process_time()
import labelbox_export_provider.plugins.windows_page
plugin = {"cpu_seconds": time.process_time() - began, "memory_mib": resident() - memory}
def tell():
    whole = {"cpu_seconds": time.process_time(), "memory_mib": resident()}
    open(os.environ["MEASURED"], "w").write(json.dumps({"plugin": plugin, "whole": whole}))
atexit.register(tell)
"""
_DAG = """
import json, pathlib, datetime
from airflow.sdk import DAG, BaseOperator, Param
class LabelboxWindowsCheckOperator(BaseOperator):
    def execute(self, context):
        context["ti"].xcom_push("labelbox_windows", json.loads(pathlib.Path(context["params"]["file"]).read_text()))
with DAG("windows_check", params={"file": Param("", type="string")}):
    LabelboxWindowsCheckOperator(task_id="check")
"""
_TIMES = """
() => new Promise(resolve => {
  const started = performance.now(), seen = {};
  const calls = () => performance.getEntriesByType("resource")
    .filter(entry => entry.startTime > started && /api.v2/.test(entry.name));
  const look = () => {
    if (document.querySelector(".lbw h2")) seen.first ??= performance.now() - started;
    const lines = document.querySelectorAll(".lbw-source").length;
    if (lines) seen.sources ??= performance.now() - started;
    if (lines === COUNT) {
      return requestAnimationFrame(() => resolve({
        first_paint: seen.first / 1000, first_sources: seen.sources / 1000,
        all_sources: (performance.now() - started) / 1000,
        snapshot_answered: (Math.max(...calls().filter(each => /labelbox_windows/.test(each.name))
          .map(each => each.responseEnd)) - started) / 1000,
        api_calls: calls().length, api_bytes: calls().reduce((sum, each) => sum + each.encodedBodySize, 0) }));
    }
    requestAnimationFrame(look);
  };
  document.querySelector('a[href$="/plugin/labelbox-windows"]').click();
  requestAnimationFrame(look);
})
"""


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, print, and write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--chromium", default=shutil.which("chromium"))
    parser.add_argument("--output", type=Path)
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as work:
        costs = _costs(Path(work), given.rounds)
        page = _page(Path(work), given.rounds, given.chromium)
    report = {
        "date": f"{datetime.now(timezone.utc):%Y-%m-%d}",
        "settings": {"rounds": given.rounds},
        "gate": {"first_paint_seconds": GATE_SECONDS, "cost_ratio": GATE_COST},
        "page": page,
        "costs": costs,
    }
    print(json.dumps({"page": page, "costs": costs}, indent=1))
    if given.output:
        given.output.write_text(json.dumps(report, indent=1) + "\n")
    return report


def _page(work: Path, rounds: int, chromium: str) -> dict[str, Any]:
    from playwright.sync_api import sync_playwright

    (work / "dags").mkdir()
    (work / "dags" / "check.py").write_text(_DAG)
    end = (datetime.now(timezone.utc) - DAY).replace(hour=2, minute=0, second=0, microsecond=0)
    found = {}
    with AirflowCluster(work / "airflow", work / "dags") as airflow, sync_playwright() as playwright:
        airflow.api.wait_for_dag("windows_check")
        airflow.api.unpause("windows_check")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, (sources, nights) in CASES.items():
            file = work / "snapshot.json"
            file.write_text(json.dumps(snapshot_of(sources, nights, end)))
            run_id = airflow.api.trigger("windows_check", conf={"file": str(file)})
            airflow.api.wait_for_run("windows_check", run_id)
            measured = [_open(browser, airflow.url, sources) for _ in range(rounds + 1)][
                1:
            ]  # the first warms Airflow up
            found[name] = {key: statistics.median(each[key] for each in measured) for key in measured[0]}
            found[name]["snapshot_bytes"] = file.stat().st_size
    return found


def _open(browser: Any, url: str, sources: int) -> dict[str, float]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(f"{url}/dags")
    page.get_by_role("button", name="Browse").click()
    page.locator('a[href$="/plugin/labelbox-windows"]').wait_for()
    measured: dict[str, float] = page.evaluate(_TIMES.replace("COUNT", str(sources)))
    context.close()
    return measured


def _costs(work: Path, rounds: int) -> dict[str, Any]:
    """Return what importing the plugin takes of each program, and that as a ratio to the program without it."""
    found: dict[str, Any] = {}
    for name, program in PROGRAMS.items():
        measured = [_run(f"{_SHARE}{program}", work) for _ in range(rounds + 1)][1:]  # the first compiles
        found[name] = {}
        for what in ("cpu_seconds", "memory_mib"):
            plugin = statistics.median(each["plugin"][what] for each in measured)
            whole = statistics.median(each["whole"][what] for each in measured)
            found[name] |= {what: round(whole, 3), f"{what}_of_plugin": round(plugin, 5)}
            found[name][f"{what}_ratio"] = round(whole / (whole - plugin), 5)
    return found


def _run(program: str, work: Path) -> dict[str, dict[str, float]]:
    file = work / "measured.json"
    own = {"AIRFLOW_HOME": str(work / "home"), "MEASURED": str(file), "PYTHONPATH": str(ROOT)}
    arguments = [sys.executable, "-c", program, str(ROOT / "dags_examples")]
    subprocess.run(arguments, env=clean_environment(work) | own, check=True, capture_output=True)
    measured: dict[str, dict[str, float]] = json.loads(file.read_text())
    return measured


if __name__ == "__main__":
    main()
