"""Artifact hosts: where MLflow's credentials may go when a server says that files lie elsewhere.

MLflow sends the tracking server's token to any host that an artifact address names, and whoever may
make an experiment chooses that address.
"""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from kitline.errors import SourceError

_CREDENTIALS = (
    "MLFLOW_TRACKING_TOKEN",
    "MLFLOW_TRACKING_USERNAME",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_AUTH",
    "MLFLOW_TRACKING_AWS_SIGV4",
    "MLFLOW_TRACKING_CLIENT_CERT_PATH",
)
_PORTS = {"http": 80, "https": 443}


def check_artifact_host(address: str, tracking_uri: str, allowed: tuple[str, ...]) -> None:
    """Refuse to send credentials to another host than the one they are for.

    `address` is where MLflow would ask for files over HTTP, `allowed` are further hosts, with
    their port unless it is the scheme's own.

    Raises:
        SourceError: naming the host and the option that allows it.
    """
    host = _host(address)
    if host == _host(tracking_uri) or host in {_host(f"https://{each}") for each in allowed}:
        return
    if host in {_host(f"http://{each}") for each in allowed}:
        return
    if any(os.environ.get(each) for each in _CREDENTIALS):
        raise SourceError(
            f"the files lie at {host!r}, another host than the tracking server's, and would be"
            f" asked for with its credentials; if it may have them, say '-o artifact-hosts={host}'"
        )


def _host(address: str) -> str:
    """Return host and port in one spelling; what is no address is no host."""
    parts = urlsplit(address)
    try:
        port = parts.port or _PORTS.get(parts.scheme.lower())
    except ValueError:
        return ""
    name = (parts.hostname or "").lower()
    shown = f"[{name}]" if ":" in name else name
    return f"{shown}:{port}" if port else shown
