"""Artifact hosts: where MLflow's credentials may go when a server says that files lie elsewhere.

MLflow sends the tracking server's token, or a token for Azure, to any host that an artifact address
names, and whoever may make an experiment chooses that address.
"""

from __future__ import annotations

import os
import re
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
_AZURE = re.compile(
    r"[a-z0-9-]+(\.[a-z0-9-]+)*\.(core\.(windows\.net|chinacloudapi\.cn|usgovcloudapi\.net)"
    r"|storage\.azure\.net|fabric\.microsoft\.com)",
    re.IGNORECASE,
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


def check_azure_host(address: str, allowed: tuple[str, ...]) -> None:
    """Refuse to send Azure's credentials to a host that is none of Azure's; `address` is `abfss:`.

    Raises:
        SourceError: naming the host and the option that allows it.
    """
    host = address.partition("://")[2].partition("/")[0].partition("@")[2]
    if not _AZURE.fullmatch(host) and host not in allowed:
        raise SourceError(
            f"the files lie at {host!r}, which is no host of Azure's, and would be asked for with"
            f" the credentials for Azure; if it may have them, say '-o artifact-hosts={host}'"
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
