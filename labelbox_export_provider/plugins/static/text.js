// How times, ages, numbers and sources are written. Times are in UTC, as windows are.

const number = new Intl.NumberFormat("en");

export const count = (value, noun) => `${number.format(value)} ${noun}${value === 1 ? "" : "s"}`;

export const day = (days) => new Date(days * 86_400_000).toISOString().slice(0, 10);

export const moment = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ");

export const period = (window) => `${moment(window.start)} – ${moment(window.end)}`;

export function age(iso, now = Date.now()) {
  const seconds = Math.max(0, Math.round((now - Date.parse(iso)) / 1000));
  const units = [["day", 86_400], ["hour", 3_600], ["minute", 60]];
  const [unit, length] = units.find(([name, each]) => seconds >= (name === "minute" ? each : 2 * each)) ?? [];
  if (!unit) return "just now";
  return `${count(Math.floor(seconds / length), unit)} ago`;
}

export const sourceName = (source) => `${source.source.replace("_", " ")} ${source.id}`;

// As the names of objects write a window: 20261122T020000Z_20261123T020000Z
const compact = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 19).replace(/[-:]/g, "") + "Z";
export const windowName = (window) => `${compact(window.start)}_${compact(window.end)}`;
