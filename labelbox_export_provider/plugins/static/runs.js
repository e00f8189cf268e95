// Runs of the DAGs that land sources: the one of a window, and those of the last days that run or have failed.

import { get, list } from "./api.js";
import { landingsOf, readable } from "./landings.js";

const RECENT_DAYS = 7;
const DAY_MS = 86_400_000;
const seconds = (iso) => Math.round(Date.parse(iso) / 1000);
const iso = (time) => new Date(time * 1000).toISOString();
const runsPath = (dagId) => `dags/${encodeURIComponent(dagId)}/dagRuns`;

// The window that a run was for: its params where it has them, as runs from the form do, else its data interval.
export function windowOf(run) {
  const { start = run.data_interval_start, end = run.data_interval_end } = run.conf ?? {};
  const window = { start: seconds(start), end: seconds(end) };
  return window.start < window.end ? window : null;
}

// A bare cron string gives a run at the end of a window an interval of no width, for which it is refused.
const isFor = (window) => (run) => {
  const own = windowOf(run);
  return own ? isOf(window)(own) : seconds(run.logical_date) === window.end;
};

const isOf = (window) => (other) => other && other.start === window.start && other.end === window.end;

async function runsOf(dagId, window) {
  const range = { logical_date_gte: iso(window.start - 1), logical_date_lte: iso(window.end + 1) };
  return readable(list(runsPath(dagId), "dag_runs", { ...range, order_by: "-run_after" }), []);
}

// The runs of one window as {dagId, runId, state}, with the manifest where a landing is known. `landing` has what is
// known of the DAGs that land the source, and their landings of late.
export async function findRuns({ prefix, source, window, landing }) {
  const { dagIds, known: recent } = landing;
  const known = [...recent, ...(await landingsOf(prefix, source))].filter((each) => isOf(window)(each.window));
  const landers = new Set([...dagIds, ...known.map((each) => each.dagId)]);
  const found = (await Promise.all([...landers].map((dagId) => runsOf(dagId, window)))).flat();
  const runs = new Map();
  const put = (dagId, runId, state) => runs.set(JSON.stringify([dagId, runId]), { dagId, runId, state });
  found.filter(isFor(window)).forEach((run) => put(run.dag_id, run.dag_run_id, run.state));
  known.filter((each) => each.runId).forEach((each) => put(each.dagId, each.runId, "landed it"));
  return { runs: [...runs.values()], manifest: known[0]?.manifest };
}

// Runs of the last days that have not ended, or ended badly, newest first.
export async function recentTrouble(dagIds) {
  const since = new Date(Date.now() - RECENT_DAYS * DAY_MS).toISOString();
  const query = { state: ["running", "queued", "failed"], run_after_gte: since, order_by: "-run_after", limit: 100 };
  const ask = (dagId) => readable(get(runsPath(dagId), query), { dag_runs: [] });
  const runs = (await Promise.all(dagIds.map(ask))).flatMap((answer) => answer.dag_runs);
  return runs.sort((one, other) => other.run_after.localeCompare(one.run_after));
}

// A source's windows with what its runs have come to since the check: a missing one may be running meanwhile, and the
// newest may be in no snapshot yet.
export function withRuns(windows, runs) {
  const of = runs.map((run) => ({ state: run.state === "failed" ? "failed" : "running", ...windowOf(run) }));
  const running = (window) => of.some((each) => each.state === "running" && isOf(window)(each));
  const checked = windows.map((window) =>
    window.state === "missing" && running(window) ? { ...window, state: "running" } : window,
  );
  const end = Math.max(...windows.map((window) => window.end));
  const later = of.filter((each) => each.start >= end).map((each) => ({ ...each, rows: null }));
  const newest = new Map(later.reverse().map((each) => [each.start, each]));
  return [...checked, ...newest.values()];
}
