"""What the operating system refuses, with the access that would be needed."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from labelbox_export_provider.errors import StorageDeniedError
from labelbox_export_provider.sinks.file_errors import file_error


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ("read", "could not read the file: .* Give the worker's user read access to it"),
        ("look at", "could not look at the file: .* Give the worker's user read access to it"),
        ("list", "could not list the directory: .* Give the worker's user read access to it"),
        ("write", "could not write the file: .* Give the worker's user write access to it"),
        ("remove", "could not remove the file: .* Give the worker's user write access to it"),
    ],
)
def test_the_missing_access_is_that_of_the_action(action: str, message: str) -> None:
    denied = file_error(OSError(errno.EACCES, os.strerror(errno.EACCES)), action, Path("/lake/rows"))
    assert type(denied) is StorageDeniedError
    with pytest.raises(StorageDeniedError, match=message):
        raise denied
