// A year of one source as a calendar of contributions: a column per week, a row per weekday, a cell per day (UTC).
// The arrow keys move by day and week, Home and End to the ends, Enter or Space choose.

import { count, day as dayText } from "./text.js";
import { GLYPHS, levelOf } from "./windows.js";

const { createElement: h, useEffect, useMemo, useRef, useState } = globalThis.React;
const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const STEPS = { ArrowUp: -1, ArrowDown: 1, ArrowLeft: -7, ArrowRight: 7, PageUp: -28, PageDown: 28 };

const weekday = (day) => (day + 3) % 7; // day 0 was a Thursday
const dayNumber = (year, month = 0) => Date.UTC(year, month, 1) / 86_400_000;

function weeksOf(year) {
  const [first, next] = [dayNumber(year), dayNumber(year + 1)];
  const weeks = [];
  for (let monday = first - weekday(first); monday < next; monday += 7) weeks.push(monday);
  return { weeks, inYear: (day) => first <= day && day < next };
}

function monthHeads(year, weeks) {
  const starts = MONTHS.map((name, month) => {
    const first = dayNumber(year, month);
    return { name, column: weeks.indexOf(first - weekday(first)) };
  });
  return starts.map(({ name, column }, month) =>
    h("th", { key: name, colSpan: (starts[month + 1]?.column ?? weeks.length) - column, scope: "colgroup" }, name),
  );
}

export function describeDay(number, day) {
  if (!day) return `${dayText(number)}: no window`;
  const many = day.windows.length > 1 ? `, ${count(day.windows.length, "window")}` : "";
  const rows = day.rows === null ? "" : `, ${count(day.rows, "row")}`;
  return `${dayText(number)}: ${day.state}${many}${rows}`;
}

export function Calendar({ label, year, days, bounds, chosen, onChoose }) {
  const { weeks, inYear } = useMemo(() => weeksOf(year), [year]);
  const known = useMemo(() => [...days.keys()].filter(inYear), [days, inYear]);
  const [first, last] = [Math.min(...known), Math.max(...known)];
  const [focused, setFocused] = useState(last);
  const table = useRef(null);
  const moved = useRef(false);

  useEffect(() => {
    if (moved.current) table.current.querySelector('[tabindex="0"]')?.focus();
    moved.current = false;
  }, [focused]);

  const onKeyDown = (event) => {
    const jumps = { Home: first - focused, End: last - focused, ...STEPS };
    if (event.key in jumps) {
      moved.current = true;
      setFocused(Math.min(Math.max(focused + jumps[event.key], first), last));
    } else if (event.key === "Enter" || event.key === " ") {
      onChoose(focused);
    } else {
      return;
    }
    event.preventDefault();
  };

  const cell = (number) => {
    if (!inYear(number) || number < first || number > last) return h("td", { key: number, role: "presentation" });
    const day = days.get(number);
    const text = describeDay(number, day);
    return h(
      "td",
      {
        key: number,
        role: "gridcell",
        className: "lbw-day",
        "data-state": day?.state ?? "none",
        "data-level": day?.state === "landed" ? levelOf(day.rows, bounds) : undefined,
        "aria-label": text,
        "aria-selected": number === chosen,
        title: text,
        tabIndex: number === focused ? 0 : -1,
        onClick: day && (() => (setFocused(number), onChoose(number))),
      },
      h("span", { "aria-hidden": true }, GLYPHS[day?.state]),
    );
  };

  return h(
    "table",
    { ref: table, className: "lbw-calendar", role: "grid", "aria-label": `${label}, ${year}`, onKeyDown },
    h("thead", null, h("tr", { "aria-hidden": true }, h("th", null, year), monthHeads(year, weeks))),
    h(
      "tbody",
      null,
      WEEKDAYS.map((name, row) =>
        h(
          "tr",
          { key: name, role: "row" },
          h("th", { scope: "row", role: "rowheader", "aria-label": name }, row % 2 ? "" : name),
          weeks.map((monday) => cell(monday + row)),
        ),
      ),
    ),
  );
}
