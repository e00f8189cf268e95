"""Run by `make matrix` beside the wheel and Airflow alone: no import needs a cloud provider.

Not a test, since pytest is not installed there.
"""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

import labelbox_export_provider as package


def main() -> None:
    """Import every public name, and have the transfers say what they lack."""
    assert "site-packages" in Path(package.__file__).parts, package.__file__
    for name in package.__all__:
        getattr(package, name)
    cloud = {"apache-airflow-providers-amazon", "apache-airflow-providers-google", "boto3", "google-cloud-storage"}
    installed = {name for each in importlib.metadata.distributions() if (name := each.metadata["Name"])}
    assert not cloud & installed, cloud & installed
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
    sys.stdout.write(f"{len(package.__all__)} names imported without extras\n")


if __name__ == "__main__":
    main()
