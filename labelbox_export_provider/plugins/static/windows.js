// Windows of a source as its snapshot holds them: intervals [start, step, how many, state, rows of each or null], in
// seconds since 1970; and the days (in UTC) on which they are shown.

export const DAY = 86_400;
// The worst last. Only the page knows `failed`: a run of the last days whose window no check has looked at yet.
export const STATES = ["landed", "empty", "running", "overlapping", "failed", "rejected", "missing"];
export const GAPS = ["missing", "rejected"];
export const NOTABLE = [...GAPS, "overlapping"];
// Told apart without colours too.
export const GLYPHS = { missing: "×", rejected: "!", overlapping: "=", running: "…", failed: "!" };

const rank = (state) => STATES.indexOf(state);

export const worst = (states) => states.reduce((one, other) => (rank(other) > rank(one) ? other : one));

export const countOf = (source, state) =>
  source.intervals.reduce((sum, [, , count, each]) => (each === state ? sum + count : sum), 0);

// A source that is not expected, such as a retired one, has none.
export const gapsOf = (source) =>
  source.expected ? GAPS.reduce((sum, state) => sum + countOf(source, state), olderGapsOf(source)) : 0;

// Those before the windows that a snapshot holds, where all would be too many for it.
export const olderGapsOf = (source) => source.gaps_left_out ?? 0;

export function spanOf(sources) {
  let [first, last] = [Infinity, -Infinity];
  for (const source of sources) {
    for (const [start, step, count] of source.intervals) {
      first = Math.min(first, start);
      last = Math.max(last, start + step * count);
    }
  }
  return first < last ? [first, last] : null;
}

export function windowsOf(source) {
  const windows = [];
  for (const [start, step, count, state, rows] of source.intervals) {
    for (let index = 0; index < count; index += 1) {
      const from = start + index * step;
      windows.push({ start: from, end: from + step, state, rows: rows?.[index] ?? null });
    }
  }
  return windows.sort((one, other) => one.start - other.start);
}

// Days by their number since 1970. A window is on the day it starts, a longer one on as many days as it is long.
export function daysOf(windows) {
  const days = new Map();
  for (const window of windows) {
    const first = Math.floor(window.start / DAY);
    const length = Math.max(1, Math.round((window.end - window.start) / DAY));
    for (let day = first; day < first + length; day += 1) {
      if (!days.has(day)) days.set(day, { windows: [] });
      days.get(day).windows.push(window);
    }
  }
  for (const day of days.values()) {
    day.state = worst(day.windows.map((window) => window.state));
    const known = day.windows.filter((window) => window.rows !== null);
    day.rows = known.length ? known.reduce((sum, window) => sum + window.rows, 0) : null;
  }
  return days;
}

// Bounds that part the days with rows in four, as a calendar of contributions is coloured.
export function quartiles(days) {
  const rows = [...days.values()].filter((day) => day.state === "landed" && day.rows !== null).map((day) => day.rows);
  rows.sort((one, other) => one - other);
  return [0.25, 0.5, 0.75].map((share) => rows[Math.floor(rows.length * share)] ?? 0);
}

export const levelOf = (rows, bounds) => (rows === null ? 3 : 1 + bounds.filter((bound) => rows > bound).length);
