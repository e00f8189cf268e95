"""The search for secrets: every file that Airflow wrote, byte by byte, and every cell of its database."""

from __future__ import annotations

import base64
import sqlite3
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def spellings(secret: str) -> dict[str, bytes]:
    """Return the forms in which a secret may have been written."""
    raw = secret.encode()
    return {
        "plain": raw,
        "quoted": quote(secret, safe="").encode(),
        "base64": base64.b64encode(raw).rstrip(b"="),
        "hex": raw.hex().encode(),
    }


def places_in_files(root: Path, secrets: Iterable[str]) -> list[str]:
    """Return the files below a directory that hold one of the secrets.

    The database and its journal are searched as files too, so that rows which have meanwhile been deleted are seen.
    """
    wanted = [(name, form) for secret in secrets for name, form in spellings(secret).items()]
    found = []
    for path in sorted(root.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            found += [f"{path.relative_to(root)} ({name})" for name, form in wanted if form in content]
    return found


def places_in_database(database: Path, secrets: Iterable[str]) -> list[str]:
    """Return every `table.column` of an SQLite database that holds one of the secrets."""
    wanted = [form for secret in secrets for form in spellings(secret).values()]
    found = []
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
        for table in tables:
            rows = connection.execute(f'select * from "{table}"')
            columns = [column[0] for column in rows.description]
            for row in rows:
                for column, value in zip(columns, row, strict=True):
                    cell = value if isinstance(value, bytes) else str(value).encode()
                    if any(form in cell for form in wanted):
                        found.append(f"{table}.{column}")
    finally:
        connection.close()
    return sorted(set(found))
