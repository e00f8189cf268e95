"""Programs as the distribution packages them, installed where they are missing and that is allowed."""

from __future__ import annotations

import os
import shutil
import subprocess


class CannotInstallError(RuntimeError):
    """Packages are missing and cannot be installed; the message gives the reason."""


def install(*packages: str) -> None:
    """Install packages by apt-get; fails with `CannotInstallError` for who is not root, or has no apt-get."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise CannotInstallError("Only root can install packages, by apt-get.")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        done = subprocess.run(
            ["apt-get", "-qq", *command], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise CannotInstallError(f"apt-get {command[0]} failed: {done.stderr[-2000:]}")
