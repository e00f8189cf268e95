"""Land an export in a directory of the worker, or of a share that all workers mount."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from labelbox_export_provider.domain.options.object_keys import check_key_text, check_no_address, control_character
from labelbox_export_provider.domain.options.templates import is_template
from labelbox_export_provider.errors import ConfigurationError, StorageUnavailableError
from labelbox_export_provider.execution.options import came_by_default, written_first
from labelbox_export_provider.links.consoles import FileAddress
from labelbox_export_provider.transfers.base import LabelboxExportTransferOperator

if TYPE_CHECKING:
    from labelbox_export_provider.sinks.base import Sink

_MAX_PATH_BYTES = 4095
"""Of Linux; what a file system takes of it is asked before the start."""


class LabelboxExportToFileOperator(LabelboxExportTransferOperator):
    """Lands an export in the local file system; needs no cloud library.

    Files are written aside, flushed to the disk and renamed, so that a reader sees them whole or not at all. The
    directory must exist: one that is missing is treated as a mount that failed.

    :param root: the directory in which the layout is put, absolute; it has to exist. Either this or `path`.
    :param path: one explicit file instead, absolute; may hold fields such as `{window_start:%Y-%m-%d}`.
    """

    target_options: ClassVar[tuple[str, str]] = ("root", "path")
    console = FileAddress()
    template_fields: Sequence[str] = (*LabelboxExportTransferOperator.template_fields, "root", "path")

    def __init__(self, *, root: str | Path | None = None, path: str | Path | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        by_default = came_by_default(kwargs, root=root, path=path)
        root, path = written_first(by_default, root=root, path=path)
        self.root = str(root) if isinstance(root, Path) else root
        self.path = str(path) if isinstance(path, Path) else path

    def _check_options(self) -> None:
        if "sink_args" in self._by_default:
            self.sink_args = {}
        if self.sink_args:
            raise ConfigurationError(f"sink_args={self.sink_args!r}: a directory has none. Leave it out.")
        super()._check_options()
        if not is_template(self.root) and not is_template(self.path):
            self._folder_and_key()

    def _folder_and_key(self) -> tuple[Path, str | None]:
        """Split a path at the last folder that holds no field: that one must exist, those below it are created."""
        option, given = ("root", self.root) if self.path is None else ("path", self.path)
        if given is not None:
            check_no_address(option, given, "write the path alone, '/{rest}' for instance")
        if given is None or not Path(given).is_absolute():
            raise ConfigurationError(
                f"{option}={given!r} must be an absolute path: tasks run in a folder of Airflow's choice."
            )
        fault = control_character(given)
        if fault is None and {".", ".."} & set(given.split("/")):
            fault = "it has a part '.' or '..', which would leave the place that it seems to name"
        if fault is not None:
            raise ConfigurationError(f"{option}={given!r} cannot be used: {fault}. Write the path without it.")
        if self.path is None:
            return Path(given), None
        folder = self.path.partition("{")[0].rpartition("/")[0] or "/"
        key = self.path[len(folder) :].lstrip("/")
        check_key_text(option, key, max_bytes=_MAX_PATH_BYTES)
        return Path(folder), key

    def _target(self) -> tuple[str | None, str | None]:
        key = self._folder_and_key()[1]
        return ("", None) if key is None else (None, key)

    def _open_sink(self) -> Sink:
        from labelbox_export_provider.sinks.file import FileSink

        folder = self._folder_and_key()[0]
        if not folder.is_dir():
            raise StorageUnavailableError(
                f"The directory {folder} does not exist on this worker. If it is a mount, mount it; if it is new, "
                "create it. It is not created here, so that no export lands on the worker's own disk.",
                remedy="create or mount the directory",
            )
        return FileSink(folder)
