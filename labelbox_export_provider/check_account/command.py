"""The subcommand: its options, its exit codes and its output."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from labelbox_export_provider.check_account.plan import describe_plan
from labelbox_export_provider.check_account.questions import NOT_REACHED
from labelbox_export_provider.client.settings import ConnectionSettings
from labelbox_export_provider.errors import AccessError, LabelboxExportError

OK, DIFFERS, FAILED, INTERRUPTED = 0, 1, 2, 130
EXIT_CODES = """\
exit codes:
  0    what could be settled is as the provider assumes; or, without --yes, the plan was printed
  1    at least one answer differs from what the provider assumes: please attach the JSON to an issue
  2    the check could not be carried out: an option, the key, the network, the data row
  130  Ctrl-C
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this subcommand; the caller adds those of the connection."""
    parser.add_argument("--data-row-id", metavar="ID", type=_data_row_id, help="a data row that may be exported")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write a report without ids and names, for an issue")
    parser.add_argument("--timeout", type=_seconds, metavar="S", default=600.0, help="seconds that one export may take")
    parser.add_argument("--yes", action="store_true", help="do it; without it, the plan is printed and nothing is sent")


def _data_row_id(text: str) -> str:
    if not text or not text.isascii() or not text.replace("-", "").isalnum():
        raise argparse.ArgumentTypeError(f"{text!r} is not the id of a data row, which has letters and digits only")
    return text


def _seconds(text: str) -> float:
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of seconds above 0")
    return float(text)


def run(options: argparse.Namespace, read_settings: Callable[[], ConnectionSettings], *, whose: str) -> int:
    """Print the plan and, with --yes, carry it out. Returns the exit code."""
    sys.stdout.write(describe_plan(options.data_row_id, whose=whose))
    if not options.yes:
        sys.stdout.write("\nNothing was sent. Add --yes to do it.\n")
        return OK
    sys.stdout.write("\n")
    sys.stdout.flush()
    if options.json is not None:
        try:
            options.json.touch()  # before an export is started: its report could not be written
        except OSError as error:
            return fail(f"--json {options.json} cannot be written: {error.strerror or error}. Name another file.")
    try:
        return _carry_out(options, read_settings())
    except AccessError as error:
        return fail(f"{error} The key is that of {whose}.")
    except LabelboxExportError as error:
        return fail(str(error))
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted. Exports that were started end by themselves.\n")
        return INTERRUPTED


def _carry_out(options: argparse.Namespace, settings: ConnectionSettings) -> int:
    from labelbox_export_provider.check_account import report
    from labelbox_export_provider.check_account.run import check, identify
    from labelbox_export_provider.client.http_clients import LabelboxClient

    with LabelboxClient(settings) as client:
        account = identify(client, say=_say, timeout=options.timeout)
        failure: str | None = None
        try:
            check(account, options.data_row_id)
        except LabelboxExportError as error:
            failure = account.redactor.text(str(error))
        findings = [each for each in account.findings() if failure is None or each.found != NOT_REACHED]
        if findings:
            sys.stdout.write(report.table(findings))
        if options.json is not None:
            options.json.write_text(report.as_json(account, error=failure))
            sys.stdout.write(f"\nThe report is in {options.json}.\n")
        sys.stdout.flush()
    if failure is not None:
        return fail(failure)
    return DIFFERS if any(each.result == "differs" for each in findings) else OK


def fail(message: str) -> int:
    """Print an error and return its exit code."""
    sys.stdout.flush()
    sys.stderr.write(f"error: {message}\n")
    return FAILED


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
