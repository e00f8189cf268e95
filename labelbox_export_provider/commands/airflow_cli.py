"""The commands as `airflow labelbox ...`, from Airflow 3.2 on. Every command of Airflow loads this module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.cli.cli_config import ARG_VERBOSE, ActionCommand, Arg, GroupCommand, lazy_load_command

from labelbox_export_provider.commands import estimate_options, options

if TYPE_CHECKING:
    from airflow.cli.cli_config import CLICommand

_CONN_ID = Arg(
    flags=("--conn-id",),
    metavar="ID",
    help="AWS or Google Cloud connection of the address (default: aws_default, google_cloud_default)",
)


def get_labelbox_commands() -> list[CLICommand]:
    """Return the group `labelbox`."""
    windows = ActionCommand(
        name="windows",
        help=options.HELP,
        description=options.DESCRIPTION,
        epilog=options.EXIT_CODES,
        func=lazy_load_command("labelbox_export_provider.commands.airflow_windows.windows"),
        args=(*(Arg(flags=flags, **settings) for flags, settings in options.WINDOWS), _CONN_ID, ARG_VERBOSE),
    )
    estimate = ActionCommand(
        name="estimate",
        help=estimate_options.HELP,
        description=estimate_options.DESCRIPTION,
        epilog=estimate_options.EXIT_CODES,
        func=lazy_load_command("labelbox_export_provider.commands.estimate.run_and_exit"),
        args=tuple(Arg(flags=flags, **settings) for flags, settings in estimate_options.ESTIMATE),
    )
    return [GroupCommand(name="labelbox", help="Exports of Labelbox", subcommands=(windows, estimate))]
