// The page's style sheet. Airflow marks its dark mode by a class on <html>.

export const STYLE = `
.lbw {
  --line: #d1d9e0; --quiet: #59636e; --none: #f6f8fa; --good: #1a7f37; --bad: #b3261e; --link: #0969da; --card: #f6f8fa;
  --landed-1: #9be9a8; --landed-2: #5fcf75; --landed-3: #30a14e; --landed-4: #216e39;
  --empty: #c8d1da; --running: #54aeff; --overlapping: #8250df; --failed: #fa8a81; --rejected: #bc5c00; --missing: #cf222e;
  padding: 1rem; height: 100%; overflow: auto; font-size: 14px; line-height: 1.45;
}
html.dark .lbw {
  --line: #3d444d; --quiet: #9198a1; --none: #161b22; --good: #3fb950; --bad: #ff7b72; --link: #4493f8; --card: #161b22;
  --landed-1: #0e4429; --landed-2: #006d32; --landed-3: #26a641; --landed-4: #39d353;
  --empty: #57606a; --running: #1f6feb; --overlapping: #a371f7; --failed: #8e3a36; --rejected: #c9711a; --missing: #f85149;
}
.lbw h2 { font-size: 1.4em; font-weight: 600; margin-bottom: .5rem; }
.lbw h3 { font-size: 1.1em; font-weight: 600; overflow-wrap: anywhere; }
.lbw h4 { font-weight: 600; outline: none; }
.lbw a { color: var(--link); text-decoration: underline; overflow-wrap: anywhere; }
.lbw code { font-family: ui-monospace, monospace; font-size: .92em; overflow-wrap: anywhere; }
.lbw button { border: 1px solid var(--line); border-radius: 4px; padding: 0 .5em; cursor: pointer; }
.lbw :focus-visible { outline: 2px solid var(--link); outline-offset: 1px; }
.lbw-quiet, .lbw-newest, .lbw-about { color: var(--quiet); }
.lbw-good { color: var(--good); font-weight: 500; }
.lbw-bad, .lbw-run-failed { color: var(--bad); font-weight: 600; }
.lbw-snapshot { margin: 0 0 2rem; }
.lbw-runs { margin: .25rem 0; }
.lbw-runs ul { padding-left: 1.5rem; }
.lbw-runs summary, .lbw-source > summary { cursor: pointer; }
.lbw-legend { display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin: .5rem 0; }
.lbw-badge { border-radius: 4px; color: #fff; padding: 0 .4em; margin-right: .3em; font-size: .85em; font-weight: 600; white-space: nowrap; }
.lbw-key { display: inline-flex; align-items: center; gap: .35rem; }
.lbw-swatch { width: 11px; height: 11px; border-radius: 2px; display: inline-block; }
.lbw-tools { display: flex; flex-wrap: wrap; gap: 1rem; align-items: center; margin: .5rem 0; }
.lbw-tools input[type=search] { border: 1px solid var(--line); border-radius: 4px; padding: .2em .6em; background: transparent; min-width: 16em; }
.lbw-span { display: flex; justify-content: space-between; color: var(--quiet); font-size: .85em; margin-left: min(35rem, 60%); }
.lbw-newest { white-space: nowrap; }
.lbw-source { border-top: 1px solid var(--line); content-visibility: auto; contain-intrinsic-size: auto 34px; }
.lbw-source > summary { display: grid; grid-template-columns: minmax(8rem, 18rem) 9rem 7rem 1fr; gap: .5rem; align-items: center; padding: .3rem 0; list-style: none; }
.lbw-source > summary::-webkit-details-marker { display: none; }
.lbw-name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.lbw-name::before { content: "▸ "; color: var(--quiet); }
.lbw-source[open] .lbw-name::before { content: "▾ "; }
.lbw-name i { color: var(--quiet); }
.lbw-strip { width: 100%; height: 14px; border-radius: 3px; background: var(--none); }
.lbw-calendars { padding: .5rem 0 1rem 1rem; overflow-x: auto; }
.lbw-calendar { border-collapse: separate; border-spacing: 3px; width: auto; margin-bottom: .5rem; }
.lbw-calendar th { font-size: 10px; font-weight: 400; color: var(--quiet); text-align: left; line-height: 1; height: 11px; padding: 0 4px 0 0; white-space: nowrap; overflow: hidden; max-width: 40px; }
.lbw-calendar td { width: 12px; min-width: 12px; height: 12px; padding: 0; border-radius: 2px; text-align: center; font: bold 10px/12px monospace; color: #fff; }
.lbw-day { background: var(--none); }
.lbw-day[data-state=none] { box-shadow: inset 0 0 0 1px var(--line); }
.lbw-day:not([data-state=none]) { cursor: pointer; }
.lbw-day[aria-selected=true] { outline: 2px solid var(--link); }
${[1, 2, 3, 4].map((level) => `.lbw-day[data-level="${level}"] { background: var(--landed-${level}); }`).join("\n")}
${["empty", "running", "overlapping", "failed", "rejected", "missing"].map((state) => `.lbw-day[data-state=${state}], .lbw-bg-${state} { background: var(--${state}); } .lbw-fill-${state} { fill: var(--${state}); }`).join("\n")}
.lbw-bg-landed { background: var(--landed-3); } .lbw-fill-landed { fill: var(--landed-3); }
.lbw-details { position: relative; border: 1px solid var(--line); border-radius: 6px; background: var(--card); padding: .75rem 1rem; margin-top: .25rem; max-width: 60rem; }
.lbw-details dl { margin-top: .4rem; }
.lbw-entry { display: grid; grid-template-columns: 6rem 1fr; }
.lbw-entry dt { color: var(--quiet); }
.lbw-close { position: absolute; top: .6rem; right: .75rem; }
.lbw-copy code { max-height: 6em; overflow: auto; }
.lbw-copy { display: flex; gap: .5rem; align-items: baseline; justify-content: space-between; }
`;
