"""The report as a message of a bounded length: what a mail, a chat or the end of a log can show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from labelbox_export_provider.windows_check.check import SourceReport, WindowsReport
from labelbox_export_provider.windows_check.fill import Fill
from labelbox_export_provider.windows_check.table import table
from labelbox_export_provider.windows_check.tiling import WindowState

_STATES: tuple[WindowState, ...] = ("missing", "rejected")
MAX_SOURCES = 10
MAX_FILLS = 5
MAX_COMMAND = 1000
"""How many sources, gaps and characters of a command are shown; the log has them all."""


def headline(report: WindowsReport, prefix: str) -> str:
    """Return what is wrong, in sentences."""
    expected = [each for each in report.sources if each.expected]
    if not expected:
        return (
            f"No window was landed where it was looked for. Check prefix={prefix!r}: it is the place that holds "
            "manifests/ and errors/."
        )
    wrong = []
    for state in _STATES:
        gaps = [gap for gap in report.gaps if gap.state == state]
        sources = len({gap.source for gap in gaps})
        if gaps:
            windows = sum(gap.windows for gap in gaps)
            wrong.append(f"{windows} {state} ({'1 source' if sources == 1 else f'{sources} sources'})")
    never = [str(each.source) for each in expected if each.never_landed]
    if never:
        named = ", ".join(never) if len(never) <= 3 else f"{', '.join(never[:2])} and {len(never) - 2} more"
        wrong.append(f"nothing at all of {named}")
    return f"Not all windows that are due are landed: {', '.join(wrong)}. They were looked for below {prefix}."


def alert(report: WindowsReport, fills: Sequence[Fill]) -> str:
    """Return the table of the sources that lack something, then the newest gaps, each with the way to fill it."""
    lacking = [each for each in report.sources if _lacks(each)]
    shown = replace(report, sources=tuple(lacking[:MAX_SOURCES]), ignored=0)
    more = len(lacking) - MAX_SOURCES
    text = table(shown, [_short(fill) for fill in fills[:MAX_FILLS]]) if lacking else ""
    left_out = [
        f"{more} more sources lack windows" if more > 0 else "",
        f"{len(fills) - MAX_FILLS} older gaps are not shown" if len(fills) > MAX_FILLS else "",
    ]
    if any(left_out):
        text += f"{', and '.join(filter(None, left_out))}: the log of this task has them all.\n"
    return text.rstrip("\n")


def _lacks(source: SourceReport) -> bool:
    return source.expected and (source.never_landed or bool(source.gaps))


def _short(fill: Fill) -> Fill:
    if len(fill.command) <= MAX_COMMAND:
        return fill
    return replace(fill, command=f"the command names {len(fill.sources)} sources: the log of this task has it")
