"""What Airflow reads about this provider; nothing is imported for it."""

from __future__ import annotations

from typing import Any

NAME = "ModelKit"
_HOME = "kitline_airflow"
_ASSET = {
    "schemes": ["modelkit"],
    "handler": f"{_HOME}.asset_uris.normalise",
    "factory": f"{_HOME}.assets.create_asset",
    "to_openlineage_converter": f"{_HOME}.openlineage.convert_asset",
}


def _field(label: str, kind: str, description: str) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": [kind, "null"]}}


def get_provider_info() -> dict[str, Any]:
    """Return the provider info, for Airflow 2.11 and 3 alike."""
    return {
        "package-name": "kitline-airflow",
        "name": NAME,
        "description": "ModelKits for Airflow: operators, sensors and assets that speak digests.",
        "integrations": [
            {
                "integration-name": NAME,
                "external-doc-url": "https://kitops.org/",
                "tags": ["software"],
            }
        ],
        "connection-types": [
            {
                "connection-type": "modelkit",
                "hook-name": "ModelKit registry",
                "hook-class-name": f"{_HOME}.hooks.ModelKitHook",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema"],
                    "relabeling": {"host": "Registry", "login": "User", "password": "Secret"},
                    "placeholders": {
                        "host": "registry.example or registry.example/team",
                        "login": "user name; empty: what 'docker login' left",
                        "password": "password or access token",
                    },
                },
                "conn-fields": {
                    "plain_http": _field("Plain HTTP", "boolean", "Speak HTTP without TLS."),
                    "insecure": _field(
                        "Insecure", "boolean", "Do not check the registry's certificate."
                    ),
                    "ca_file": _field(
                        "CA file", "string", "PEM file of certificate authorities, on each worker."
                    ),
                },
            }
        ],
        "hooks": [{"integration-name": NAME, "python-modules": [f"{_HOME}.hooks"]}],
        "operators": [{"integration-name": NAME, "python-modules": [f"{_HOME}.operators"]}],
        "sensors": [{"integration-name": NAME, "python-modules": [f"{_HOME}.sensors"]}],
        "triggers": [{"integration-name": NAME, "python-modules": [f"{_HOME}.triggers"]}],
        "extra-links": [f"{_HOME}.links.ModelKitLink"],
        "notifications": [f"{_HOME}.notifier.ModelKitNotifier"],
        "task-decorators": [
            {"name": "modelkit", "class-name": f"{_HOME}.decorators.modelkit_task"}
        ],
        "asset-uris": [_ASSET],
        "dataset-uris": [_ASSET],  # the name of the same in Airflow 2
    }
