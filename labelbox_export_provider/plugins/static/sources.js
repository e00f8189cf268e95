// The sources of one snapshot, those with gaps first: a line each, and a calendar per year behind it.

import { Calendar } from "./calendar.js";
import { Details } from "./details.js";
import { withRuns } from "./runs.js";
import { Strip } from "./strip.js";
import { age, moment, sourceName } from "./text.js";
import { countOf, daysOf, gapsOf, GLYPHS, NOTABLE, olderGapsOf, quartiles, spanOf, windowsOf } from "./windows.js";

const { createContext, createElement: h, memo, useContext, useEffect, useMemo, useState } = globalThis.React;
const FEW = 3; // so many sources are open from the start
const FIRST_LINES = 30; // more than a screen shows: they are painted before the others
// The function that tells the landings of a source. A context, so that its answers draw no line again that is closed.
const Landings = createContext();

function Calendars({ snapshot, source }) {
  const landings = useContext(Landings);
  const landing = useMemo(() => landings(source), [landings, source]);
  const { runs } = landing;
  const days = useMemo(() => daysOf(withRuns(windowsOf(source), runs)), [source, runs]);
  const bounds = useMemo(() => quartiles(days), [days]);
  const [chosen, setChosen] = useState(null);
  const years = [...new Set([...days.keys()].map((day) => new Date(day * 86_400_000).getUTCFullYear()))];
  years.sort((one, other) => other - one);
  const calendar = (year) =>
    h(Calendar, { key: year, year, days, bounds, chosen, onChoose: setChosen, label: `Windows of ${sourceName(source)}` });
  const day = days.get(chosen);
  return h(
    "div",
    { className: "lbw-calendars" },
    years.map(calendar),
    day && h(Details, { key: chosen, snapshot, source, number: chosen, day, landing, onClose: () => setChosen(null) }),
  );
}

function Gaps({ source }) {
  const badges = NOTABLE.map((state) => [state, countOf(source, state)]).filter(([, number]) => number);
  const badge = ([state, number]) => {
    const text = `${number} ${state}`;
    const look = { className: `lbw-badge lbw-bg-${state}`, title: text, "aria-label": text, role: "img" };
    return h("span", { key: state, ...look }, `${GLYPHS[state]} ${number}`);
  };
  const older = olderGapsOf(source);
  if (!source.expected) return h("span", { className: "lbw-quiet" }, "not expected");
  return [gapsOf(source) ? null : h("span", { key: "none", className: "lbw-good" }, "no gap "), ...badges.map(badge), older > 0 && h("span", { key: "older", className: "lbw-bad" }, `${older} older`)];
}

const SourceLine = memo(function SourceLine({ snapshot, source, span, startsOpen }) {
  const [open, setOpen] = useState(startsOpen);
  const newest = source.newest_landed;
  return h(
    "details",
    { className: "lbw-source", open, onToggle: (event) => setOpen(event.currentTarget.open) },
    h(
      "summary",
      null,
      h("span", { className: "lbw-name", title: source.id }, sourceName(source), source.state === "current" ? "" : h("i", null, ` ${source.state}`)),
      h("span", { className: "lbw-told" }, h(Gaps, { source })),
      h("span", { className: "lbw-newest", title: newest && `landed up to ${moment(Date.parse(newest) / 1000)} UTC` }, newest ? age(newest) : "never landed"),
      h(Strip, { source, span }),
    ),
    open && h(Calendars, { snapshot, source }),
  );
});

export function Sources({ snapshot, landings }) {
  const [text, setText] = useState("");
  const [gapsOnly, setGapsOnly] = useState(false);
  const [painted, setPainted] = useState(false);
  useEffect(() => {
    const next = requestAnimationFrame(() => setTimeout(setPainted, 0, true));
    return () => cancelAnimationFrame(next);
  }, []);
  const span = useMemo(() => spanOf(snapshot.sources), [snapshot]);
  const sorted = useMemo(
    () => [...snapshot.sources].sort((one, other) => gapsOf(other) - gapsOf(one) || one.id.localeCompare(other.id)),
    [snapshot],
  );
  if (!span) return h("p", null, "Nothing has landed and nothing is due.");
  const shown = sorted.filter((source) => sourceName(source).includes(text.trim()) && (!gapsOnly || gapsOf(source)));
  const few = sorted.length <= FEW;
  return h(
    "div",
    { className: "lbw-sources" },
    !few && h(
      "div",
      { className: "lbw-tools" },
      h("input", { type: "search", value: text, placeholder: "Find a source", "aria-label": "Find a source", onChange: (event) => setText(event.target.value) }),
      h("label", null, h("input", { type: "checkbox", checked: gapsOnly, onChange: (event) => setGapsOnly(event.target.checked) }), " only with gaps"),
      h("span", { className: "lbw-quiet", role: "status" }, `${shown.length} of ${sorted.length}`),
    ),
    h("div", { className: "lbw-span", "aria-hidden": true }, h("span", null, moment(span[0]).slice(0, 10)), h("span", null, moment(span[1]).slice(0, 10))),
    h(
      Landings.Provider,
      { value: landings },
      shown.slice(0, painted ? undefined : FIRST_LINES).map((source) =>
        h(SourceLine, { key: `${source.source} ${source.id}`, snapshot, source, span, startsOpen: few }),
      ),
    ),
  );
}
