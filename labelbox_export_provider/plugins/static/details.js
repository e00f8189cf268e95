// What is known of the windows of one day, and the ways on: the run, the manifest, the fill.

import { airflowUrl, runPath } from "./api.js";
import { consoleUrl, placeOf, split } from "./places.js";
import { findRuns } from "./runs.js";
import { count, day as dayText, period, sourceName } from "./text.js";

const { createElement: h, useEffect, useRef, useState } = globalThis.React;
const MEANINGS = {
  landed: "rows and manifest are there",
  empty: "landed; the export had no rows",
  rejected: "too many error rows: the errors landed, the rows did not",
  missing: "due, and nothing has landed",
  overlapping: "landed, and begins before an earlier window ends",
  running: "not landed yet; its run has not ended",
  failed: "its run has failed; no check has looked since",
};

function useRuns({ prefix, source, window, landing }) {
  const [found, setFound] = useState(null);
  useEffect(() => {
    let current = true;
    findRuns({ prefix, source, window, landing }).then((answer) => current && setFound(answer));
    return () => (current = false);
  }, [prefix, source, window, landing]);
  return found;
}

function Runs({ runs }) {
  if (!runs) return h("span", { className: "lbw-quiet" }, "looking…");
  if (!runs.length) return h("span", { className: "lbw-quiet" }, "none that you may see is known");
  return runs.map(({ dagId, runId, state }) =>
    h("div", { key: `${dagId} ${runId}` }, h("a", { href: airflowUrl(runPath(dagId, runId)) }, `${dagId} › ${runId}`), ` (${state})`),
  );
}

// Where no landing is known by its event, the place is told by its folder and the beginning of its name.
function Place({ prefix, source, window, manifest }) {
  const { folder, name } = manifest ? split(manifest) : placeOf(prefix, source, window);
  const url = consoleUrl(folder, name);
  const text = `${folder}${name}${manifest ? "" : "…"}`;
  return url ? h("a", { href: url, target: "_blank", rel: "noreferrer" }, text) : h("code", null, text);
}

function Copy({ text }) {
  const [copied, setCopied] = useState(false);
  const copy = () => navigator.clipboard?.writeText(text).then(() => setCopied(true));
  const button = { type: "button", onClick: copy, "aria-label": "Copy the command" };
  return h("div", { className: "lbw-copy" }, h("code", null, text), h("button", button, copied ? "copied" : "copy"));
}

function Fill({ fill }) {
  const { note, params, command } = fill;
  const form = params && [
    h("div", { key: "form" }, "Or trigger ", h("a", { href: airflowUrl("dags/labelbox_fill_gaps") }, "labelbox_fill_gaps"), " with"),
    h("div", { key: "values" }, Object.entries(params).map(([name, value]) => h("div", { key: name }, `${name}: `, h("code", null, [value].flat().join(", "))))),
  ];
  return h("div", { className: "lbw-fill" }, note && h("div", null, `${note[0].toUpperCase()}${note.slice(1)}:`), h(Copy, { text: command }), form);
}

function fillsOf(snapshot, source, window) {
  const name = `${source.source}:${source.id}`;
  const covers = ({ start, end }) => Date.parse(start) <= window.start * 1000 && window.end * 1000 <= Date.parse(end);
  return (snapshot.fills ?? []).filter((fill) => fill.sources.includes(name) && covers(fill));
}

const entry = (name, value) => h("div", { className: "lbw-entry", key: name }, h("dt", null, name), h("dd", null, value));

function WindowDetails({ snapshot, source, window, landing }) {
  const { prefix } = snapshot;
  const found = useRuns({ prefix, source, window, landing });
  const there = !["missing", "running", "failed"].includes(window.state);
  const fills = fillsOf(snapshot, source, window);
  return h(
    "dl",
    null,
    entry("Window", `${period(window)} UTC`),
    entry("State", h("span", null, h("b", null, window.state), `: ${MEANINGS[window.state]}`)),
    window.rows !== null && entry("Rows", count(window.rows, "row")),
    entry("Run", h(Runs, { runs: found?.runs })),
    there && entry(window.state === "rejected" ? "Error rows" : "Manifest", h(Place, { prefix, source, window, manifest: found?.manifest })),
    fills.map((fill) => entry("To fill it", h(Fill, { fill }))),
  );
}

export function Details({ snapshot, source, number, day, landing, onClose }) {
  const title = `${dayText(number)}, ${sourceName(source)}`;
  const heading = useRef(null);
  useEffect(() => heading.current.focus(), []);
  return h(
    "section",
    { className: "lbw-details", "aria-label": title, onKeyDown: (event) => event.key === "Escape" && onClose() },
    h("h4", { tabIndex: -1, ref: heading }, title),
    h("button", { type: "button", className: "lbw-close", onClick: onClose, "aria-label": "Close" }, "×"),
    day.windows.map((window) =>
      h(WindowDetails, { key: `${window.start} ${window.end}`, snapshot, source, window, landing }),
    ),
  );
}
