"""Names of landed windows, as files without content."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from labelbox_export_provider.windows_check.names import ExportState

DAY = timedelta(days=1)
_NAME = "%Y%m%dT%H%M%SZ"


def touch(root: Path, project_id: str, start: datetime, state: ExportState) -> None:
    """Make the file that shows how the window of one day, which starts then, has come out."""
    window = f"{start:{_NAME}}_{start + DAY:{_NAME}}.g00000001"
    folder = root / ("errors" if state == "rejected" else "manifests") / f"source=project/id={project_id}"
    if state == "rejected":
        folder /= f"dt={start:%Y-%m-%d}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{window}.{'ndjson.gz' if state == 'rejected' else f'{state}.json'}").touch()
