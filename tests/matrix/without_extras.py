"""Run by `make matrix` beside the wheel and Airflow alone: nothing needs a cloud provider or OpenLineage.

Not a test, since pytest is not installed there.
"""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import labelbox_export_provider as package


def main() -> None:
    """Import every public name, and have the transfers say what they lack."""
    assert "site-packages" in Path(package.__file__).parts, package.__file__
    for name in package.__all__:
        getattr(package, name)
    extras = {"apache-airflow-providers-amazon", "apache-airflow-providers-google", "boto3", "google-cloud-storage"}
    extras |= {"apache-airflow-providers-openlineage", "openlineage-python"}
    installed = {name for each in importlib.metadata.distributions() if (name := each.metadata["Name"])}
    assert not extras & installed, extras & installed
    package.LabelboxExportToFileOperator(task_id="land", export="{{ x }}", root="/")
    for operator, target, extra in (
        (package.LabelboxExportToS3Operator, {"s3_bucket": "lake", "s3_prefix": "/"}, "amazon"),
        (package.LabelboxExportToGCSOperator, {"bucket_name": "lake", "object_prefix": "/"}, "google"),
    ):
        try:
            operator(task_id="land", export="{{ x }}", **target)
            described = "nothing"
        except package.LabelboxExportError as error:
            described = str(error)
        assert f"airflow-provider-labelbox-export[{extra}]" in described, described
    _ask_airflow()
    sys.stdout.write(f"{len(package.__all__)} names imported without extras\n")


def _ask_airflow() -> None:
    """The page is among Airflow's plugins, the commands are there from 3.2 on, and other commands are undisturbed."""
    from airflow import __version__

    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "AIRFLOW_HOME": home}

        def airflow(*arguments: str) -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-m", "airflow", *arguments]
            return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

        plugins = airflow("plugins", "--output", "json")
        assert plugins.returncode == 0, plugins.stderr
        assert "labelbox_windows" in plugins.stdout, plugins.stdout
        assert "Failed to import plugin" not in plugins.stdout + plugins.stderr, plugins.stderr
        asked = airflow("labelbox", "windows", "--help")
        if tuple(map(int, __version__.split(".")[:2])) >= (3, 2):
            assert (asked.returncode, "--dag-id" in asked.stdout) == (0, True), asked.stderr
        else:
            assert (asked.returncode, "invalid choice: 'labelbox'" in asked.stderr.lower()) == (2, True), asked.stderr
        # The command that needs no Airflow is there under all of them.
        alone = subprocess.run(
            [sys.executable, "-m", "labelbox_export_provider", "windows", home],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (alone.returncode, "No export was landed" in alone.stderr) == (2, True), alone.stderr


if __name__ == "__main__":
    main()
