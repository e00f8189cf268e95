"""The description of this provider for Airflow. Free of imports: every Airflow command loads it."""

from __future__ import annotations

from typing import Any

_INTEGRATION = "Labelbox"
_CONNECTION_TYPE: dict[str, Any] = {
    "connection-type": "labelbox",
    "hook-class-name": "labelbox_export_provider.hooks.labelbox.LabelboxHook",
    "hook-name": "Labelbox",
    "ui-field-behaviour": {
        # The list's Test icon works for connections with a stored port only (docs/connection.md).
        "hidden-fields": ["schema", "login"],
        "relabeling": {"password": "API key", "host": "GraphQL endpoint"},
        "placeholders": {
            "host": "https://api.labelbox.com/graphql",
            "password": "from Workspace settings, API",
            "port": "443",
        },
    },
    "conn-fields": {
        "app_url": {
            "label": "Web app",
            "description": "Address that task links point to. Empty: https://app.labelbox.com",
            "schema": {"type": ["string", "null"]},
        },
        "timeout": {
            "label": "Timeout",
            "description": "Seconds that one call may take. Empty: 60",
            "schema": {"type": ["number", "null"], "exclusiveMinimum": 0},
        },
        "verify": {
            "label": "Verify TLS",
            "description": "true, false, or the path of a CA bundle. Empty: true",
            "schema": {"type": ["string", "null"]},
        },
        "proxy": {
            "label": "Proxy",
            "description": "Proxy for calls and file downloads. Empty: the proxy environment variables",
            "schema": {"type": ["string", "null"]},
        },
        "min_bytes_per_second": {
            "label": "Least download rate",
            "description": "Bytes a second below which a file is asked for again. Empty: 1000; 0 allows any rate",
            "schema": {"type": ["integer", "null"], "minimum": 0},
        },
        "polls_per_minute": {
            "label": "Polls a minute",
            "description": "Requests a minute with which one triggerer polls waiting exports. Empty: 60",
            "schema": {"type": ["integer", "null"], "minimum": 1},
        },
        "max_running_exports": {
            "label": "Running exports",
            "description": "Exports that run when a start that rests at Labelbox's limit is tried again. Empty: 18",
            "schema": {"type": ["integer", "null"], "minimum": 1},
        },
        "allow_http": {
            "label": "Allow plain http",
            "description": "Let the key travel unencrypted to an address that is not this machine",
            "schema": {"type": ["boolean", "null"]},
        },
        "deployment_id": {
            "label": "Deployment",
            "description": "A name for this Airflow, where two have the same DAGs and key. Empty: its [api] base_url",
            "schema": {"type": ["string", "null"]},
        },
    },
}
_TRANSFERS: list[dict[str, str]] = [
    {
        "source-integration-name": _INTEGRATION,
        "target-integration-name": "Amazon Simple Storage Service (S3)",
        "python-module": "labelbox_export_provider.transfers.to_s3",
    },
    {
        "source-integration-name": _INTEGRATION,
        "target-integration-name": "Google Cloud Storage (GCS)",
        "python-module": "labelbox_export_provider.transfers.to_gcs",
    },
    {
        "source-integration-name": _INTEGRATION,
        "target-integration-name": "Local file system",
        "python-module": "labelbox_export_provider.transfers.to_file",
    },
]


def get_provider_info() -> dict[str, Any]:
    """Describe the provider in the form of Airflow's provider info schema."""
    return {
        "package-name": "airflow-provider-labelbox-export",
        "name": "Labelbox export",
        "description": "Lands `Labelbox <https://labelbox.com/>`__ exports in a data lake: once, whole, verified.",
        "integrations": [
            {
                "integration-name": _INTEGRATION,
                "external-doc-url": "https://docs.labelbox.com/reference/export-overview",
                "tags": ["service"],
            }
        ],
        "hooks": [
            {"integration-name": _INTEGRATION, "python-modules": ["labelbox_export_provider.hooks.labelbox"]},
        ],
        "operators": [
            {
                "integration-name": _INTEGRATION,
                "python-modules": [
                    "labelbox_export_provider.operators.export",
                    "labelbox_export_provider.operators.windows_check",
                ],
            },
        ],
        "sensors": [
            {"integration-name": _INTEGRATION, "python-modules": ["labelbox_export_provider.sensors.export_task"]},
        ],
        "triggers": [
            {
                "integration-name": _INTEGRATION,
                "python-modules": [
                    "labelbox_export_provider.triggers.export_task",
                    "labelbox_export_provider.triggers.start_gate",
                ],
            },
        ],
        "transfers": _TRANSFERS,
        "extra-links": [
            "labelbox_export_provider.links.source_page.LabelboxSourceLink",
            "labelbox_export_provider.links.manifest_page.LabelboxManifestLink",
        ],
        "connection-types": [_CONNECTION_TYPE],
        # Known from Airflow 3.2 on, and ignored before.
        "cli": ["labelbox_export_provider.commands.airflow_cli.get_labelbox_commands"],
    }
