"""The commands as `airflow labelbox ...`, from Airflow 3.2 on. Every command of Airflow loads this module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand, lazy_load_command

from labelbox_export_provider.commands import options

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
        args=(*(Arg(flags=flags, **settings) for flags, settings in options.WINDOWS), _CONN_ID),
    )
    return [GroupCommand(name="labelbox", help="Exports of Labelbox", subcommands=(windows,))]
