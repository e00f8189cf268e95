// All windows of one source on a line, as a picture: where it is green there is no gap.

import { NOTABLE, STATES } from "./windows.js";

const { createElement: h, memo } = globalThis.React;
const WIDTH = 1000; // units of the picture, however wide it is shown
const LEAST = 4; // so that one missing day of three years can be seen

// One path per state, however many windows there are; the worst are drawn last, over the others.
function paths(source, [first, last]) {
  const scale = WIDTH / (last - first);
  const drawn = new Map(STATES.map((state) => [state, ""]));
  for (const [start, step, count, state] of source.intervals) {
    const width = Math.max(step * count * scale, NOTABLE.includes(state) ? LEAST : 0);
    const x = Math.min((start - first) * scale, WIDTH - width);
    drawn.set(state, `${drawn.get(state) ?? ""}M${x.toFixed(1)} 0h${width.toFixed(1)}v10h-${width.toFixed(1)}z`);
  }
  return [...drawn].filter(([, path]) => path);
}

export const Strip = memo(function Strip({ source, span }) {
  const picture = { className: "lbw-strip", viewBox: `0 0 ${WIDTH} 10`, preserveAspectRatio: "none", "aria-hidden": true };
  return h("svg", picture, paths(source, span).map(([state, d]) => h("path", { key: state, d, className: `lbw-fill-${state}` })));
});
