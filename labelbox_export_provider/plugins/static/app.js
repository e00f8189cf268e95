// The page: what the newest checks have found, source by source.

import { airflowUrl, runPath } from "./api.js";
import { plainPrefix, recentLandings, sameSource } from "./landings.js";
import { recentTrouble } from "./runs.js";
import { readSnapshots } from "./snapshots.js";
import { Sources } from "./sources.js";
import { STYLE } from "./style.js";
import { age, count, moment } from "./text.js";
import { countOf, GAPS, olderGapsOf, STATES } from "./windows.js";

const { createElement: h, useCallback, useEffect, useState } = globalThis.React;
const STALE_MS = 2 * 86_400_000;
const VERSION = 1;
const NONE = [];

const link = (path, text) => h("a", { href: airflowUrl(path) }, text);

function useAnswer(ask, key) {
  const [answer, setAnswer] = useState({ key });
  useEffect(() => {
    let current = true;
    ask().then(
      (value) => current && setAnswer({ key, value }),
      (error) => current && setAnswer({ key, error }),
    );
    return () => (current = false);
  }, [key]);
  return answer.key === key ? answer : { key };
}

function Failure({ error }) {
  const reasons = {
    401: "Airflow does not accept the session here. Log in again; the page needs Airflow 3.1.8 or newer.",
    403: "You may not read XComs, where checks leave what they have found.",
  };
  return h("p", { role: "alert" }, reasons[error.status] ?? `What checks have found could not be read: ${error.message}.`);
}

function NoSnapshot({ dagId }) {
  const where = dagId ? "about a source that this DAG lands" : "in a DAG that you may read";
  return h("p", { role: "status" }, `No check of windows has reported ${where}. A task that checks windows reports each time it runs.`);
}

function Trouble({ runs }) {
  if (!runs.length) return null;
  const item = (run) =>
    h(
      "li",
      { key: `${run.dag_id} ${run.dag_run_id}` },
      link(runPath(run.dag_id, run.dag_run_id), `${run.dag_id} › ${run.dag_run_id}`),
      h("span", { className: `lbw-run-${run.state}` }, ` ${run.state}`),
    );
  return h(
    "details",
    { className: "lbw-runs" },
    h("summary", null, `${count(runs.length, "run")} of the last 7 days not ended, or failed`),
    h("ul", null, runs.map(item)),
  );
}

function Legend() {
  const item = (state) => h("span", { key: state, className: "lbw-key" }, h("i", { className: `lbw-swatch lbw-bg-${state}` }), state);
  return h("p", { className: "lbw-legend", "aria-hidden": true }, STATES.map(item));
}

function Found({ snapshot: { sources, windows_since: since } }) {
  const expected = sources.filter((source) => source.expected);
  const found = GAPS.map((state) => [state, expected.reduce((sum, source) => sum + countOf(source, state), 0)]);
  const told = found.filter(([, number]) => number).map(([state, number]) => `${number} ${state}`);
  const older = expected.reduce((sum, source) => sum + olderGapsOf(source), 0);
  if (older) told.push(`${older} before ${since.slice(0, 10)}`);
  const never = expected.filter((source) => !source.newest_landed && !source.without_window).length;
  if (never) told.push(`${count(never, "source")} never landed`);
  return h("b", { className: told.length ? "lbw-bad" : "lbw-good" }, told.length ? told.join(", ") : "no gap");
}

// The DAGs that land a source and their runs of the last days. Where no event tells, it is the DAG that the check names;
// else a single source is landed by the DAG whose page this is, or by that of the check.
function useLandings(snapshot, dagId, landed) {
  const here = landed.filter((landing) => landing.prefix === plainPrefix(snapshot.prefix));
  const named = snapshot.landing_dag_id;
  const by = named ? [named] : [...new Set([dagId, snapshot.dagId].filter(Boolean))];
  const all = [...new Set([dagId, snapshot.dagId, named, ...here.map((landing) => landing.dagId)].filter(Boolean))];
  const { value: runs = NONE } = useAnswer(() => recentTrouble(all), all.join("\n"));
  const landings = useCallback(
    (source) => {
      const known = here.filter((landing) => sameSource(landing.source, source));
      const dagIds = known.length || (!named && snapshot.sources.length > 1) ? [...new Set(known.map((each) => each.dagId))] : by;
      return { dagIds, known, runs: runs.filter((run) => dagIds.includes(run.dag_id)) };
    },
    [snapshot, runs, landed, all.join("\n")],
  );
  return { runs, landings };
}

// Where a check has found more than Airflow's database should hold.
function LeftOut({ snapshot: { sources, windows_since: since, snapshot_uri: uri } }) {
  const what = sources ? `windows before ${since.slice(0, 10)} are not shown` : "no window is shown";
  const where = uri ? ["All of it is in ", h("code", { key: "uri" }, uri), "."] : "The store did not let the check write all of it.";
  return h("p", { role: "note" }, `What the check found is too large for Airflow's database, so ${what}. `, where);
}

function Body({ snapshot, landings }) {
  if (!snapshot.sources) return h(LeftOut, { snapshot });
  if (snapshot.version !== VERSION) {
    return h("p", { role: "alert" }, `A snapshot of version ${snapshot.version} cannot be shown here.`);
  }
  return [snapshot.windows_since && h(LeftOut, { key: "left out", snapshot }), h(Sources, { key: "sources", snapshot, landings })];
}

function Snapshot({ snapshot, dagId, landed }) {
  const { runs, landings } = useLandings(snapshot, dagId, landed);
  const { dagId: by, runId, taskId, checked_at: at, sources } = snapshot;
  const stale = Date.now() - Date.parse(at) > STALE_MS;
  const title = snapshot.prefix ?? `${by}.${taskId}`;
  return h(
    "section",
    { className: "lbw-snapshot", "aria-label": title },
    h("h3", null, title),
    h(
      "p",
      { className: "lbw-about" },
      sources && h(Found, { snapshot }),
      sources && ` in ${count(sources.length, "source")}. `,
      at && `Checked ${age(at)} (${moment(Date.parse(at) / 1000)} UTC) by `,
      link(runPath(by, runId), `${by} › ${taskId}`),
      stale && h("b", { className: "lbw-bad" }, " This is old: does the check still run?"),
    ),
    h(Trouble, { runs }),
    h(Body, { snapshot, landings }),
  );
}

// In the tab of a DAG that checks nothing itself: what other DAGs' checks have found of the sources that it lands there,
// as the check was told or as its asset events tell.
function ofLandedSources(snapshots, dagId, landed) {
  const isLanded = (source, prefix) =>
    landed.some((landing) => landing.prefix === prefix && sameSource(landing.source, source));
  const own = ({ sources, prefix, landing_dag_id: named }) =>
    named === dagId ? sources : sources?.filter((source) => isLanded(source, plainPrefix(prefix)));
  return snapshots
    .map((snapshot) => ({ ...snapshot, sources: own(snapshot) }))
    .filter((snapshot) => snapshot.sources?.length);
}

async function read(dagId) {
  const own = await readSnapshots(dagId);
  return own.length || !dagId ? own : ofLandedSources(await readSnapshots(), dagId, await recentLandings(dagId));
}

export function WindowsPage({ dagId }) {
  const { value: snapshots, error } = useAnswer(() => read(dagId), dagId ?? "~");
  const { value: landed = NONE } = useAnswer(() => recentLandings(dagId), dagId ?? "~");
  const content = () => {
    if (error) return h(Failure, { error });
    if (!snapshots) return h("p", { role: "status" }, "Reading what checks have found…");
    if (!snapshots.length) return h(NoSnapshot, { dagId });
    return snapshots.map((snapshot) =>
      h(Snapshot, {
        key: `${snapshot.dagId} ${snapshot.taskId} ${snapshot.mapIndex}`,
        snapshot,
        dagId,
        landed,
      }),
    );
  };
  return h("div", { className: "lbw" }, h("style", null, STYLE), h("h2", null, "Labelbox windows"), snapshots?.length > 0 && h(Legend), content());
}
