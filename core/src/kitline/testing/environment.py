"""A clean environment: own home, no credentials, no proxies, nothing of the developer's machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping
    from pathlib import Path

_REMOVED_PREFIXES = (
    "KITLINE_", "REGISTRY_", "DOCKER_", "KITOPS_", "COSIGN_", "SIGSTORE_", "ORAS_", "XDG_", "AWS_",
    "AZURE_", "GOOGLE_", "GCE_", "MLFLOW_", "OTEL_", "SOURCE_DATE_EPOCH", "GITHUB_", "GITLAB_",
    "TF_BUILD", "CIRCLE", "BUILDKITE", "JENKINS_",
)  # fmt: skip
_REMOVED = {
    "http_proxy", "https_proxy", "no_proxy", "all_proxy", "ftp_proxy", "requests_ca_bundle",
    "curl_ca_bundle", "ssl_cert_file", "ssl_cert_dir", "netrc",
}  # fmt: skip
_KEPT = {"KITLINE_VECTORS"}
"""Where tests find the golden kits."""


def clean_environment(home: Path, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of this process with every place of settings moved below `home`."""
    found = {
        key: value
        for key, value in (os.environ if base is None else base).items()
        if key in _KEPT or not (key.startswith(_REMOVED_PREFIXES) or key.lower() in _REMOVED)
    }
    return found | {
        "HOME": str(home),
        "KITLINE_HOME": str(home / "kitline"),
        "DOCKER_CONFIG": str(home / "docker"),
        "KITOPS_HOME": str(home / "kitops"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_DATA_HOME": str(home / "data"),
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_RUNTIME_DIR": str(home / "run"),
        "XDG_CONFIG_DIRS": str(home / "system-config"),
        "COSIGN_PASSWORD": "",
        "OTEL_TRACES_EXPORTER": "none",
    }


def replace_environment(environment: MutableMapping[str, str], wanted: Mapping[str, str]) -> None:
    """Make `environment` (such as `os.environ`) equal to `wanted`."""
    for key in set(environment) - set(wanted):
        del environment[key]
    for key, value in wanted.items():
        if environment.get(key) != value:
            environment[key] = value
