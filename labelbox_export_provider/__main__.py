"""``python -m labelbox_export_provider``: the command line of this package."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from pydantic import ValidationError

from labelbox_export_provider.check_account import command as check_account
from labelbox_export_provider.client.settings import ConnectionSettings
from labelbox_export_provider.commands import estimate_options
from labelbox_export_provider.commands import options as windows_options
from labelbox_export_provider.errors import ConnectionSettingsError

KEY_VARIABLE = "LABELBOX_API_KEY"
ENDPOINT_VARIABLE = "LABELBOX_ENDPOINT"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    if options.command == "windows":
        from labelbox_export_provider.commands import ambient_stores, windows

        return windows.run(options, ambient_stores.open_store)
    if options.command == "estimate":
        from labelbox_export_provider.commands import estimate

        return estimate.run(options)
    if options.connection is not None and options.endpoint is not None:
        return check_account.fail("--connection brings its own endpoint: leave out --endpoint.")
    whose = f"the Airflow connection {options.connection!r}" if options.connection else KEY_VARIABLE
    return check_account.run(options, lambda: _settings(options), whose=whose)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m labelbox_export_provider")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    check = commands.add_parser(
        "check-account",
        help="settle on your account what Labelbox's documentation leaves open",
        description="Settles on your account what Labelbox's documentation leaves open,\nwith exports of one data row "
        "at most, and compares it with what this package assumes.",
        epilog=check_account.EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_connection_options(check)
    check_account.add_options(check)
    windows = commands.add_parser(
        "windows",
        help=windows_options.HELP,
        description=windows_options.DESCRIPTION,
        epilog=windows_options.EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for flags, settings in windows_options.WINDOWS:
        windows.add_argument(*flags, **settings)
    planned = commands.add_parser(
        "estimate",
        help=estimate_options.HELP,
        description=estimate_options.DESCRIPTION,
        epilog=estimate_options.EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for flags, settings in estimate_options.ESTIMATE:
        planned.add_argument(*flags, **settings)
    return parser


def _add_connection_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--connection",
        metavar="ID",
        help=f"an Airflow connection (default: the key in {KEY_VARIABLE}, without Airflow)",
    )
    parser.add_argument(
        "--endpoint",
        metavar="URL",
        help=f"the GraphQL endpoint for the key in {KEY_VARIABLE} (default: {ENDPOINT_VARIABLE}, else Labelbox's own)",
    )


def _settings(options: argparse.Namespace) -> ConnectionSettings:
    if options.connection is not None:
        return _of_connection(options.connection)
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if not key:
        raise ConnectionSettingsError(
            f"There is no API key: set the environment variable {KEY_VARIABLE} to a key from Workspace settings > API, "
            "or name an Airflow connection with --connection ID."
        )
    endpoint = options.endpoint or os.environ.get(ENDPOINT_VARIABLE)
    try:
        return ConnectionSettings(api_key=key, endpoint=endpoint) if endpoint else ConnectionSettings(api_key=key)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        reason = str(first.get("ctx", {}).get("error", first["msg"]))
        name = KEY_VARIABLE if first["loc"] == ("api_key",) else "--endpoint"
        raise ConnectionSettingsError(f"{name}: {reason}") from None


def _of_connection(connection_id: str) -> ConnectionSettings:
    # Outside its own processes Airflow reads its database only if this variable allows it.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    from labelbox_export_provider.hooks.labelbox import LabelboxHook

    return LabelboxHook(connection_id).settings


if __name__ == "__main__":
    sys.exit(main())
