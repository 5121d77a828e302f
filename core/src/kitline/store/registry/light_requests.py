"""requests and urllib3, imported without what they need for what kitline never asks of them.

No answer of a registry is read as text, so that nothing guesses encodings; HTTP/2 is not spoken.
Few of the regular expressions by which they take addresses, cookies and mail apart are ever used.
"""

from __future__ import annotations

from typing import Any

from kitline.stand_in import load, patterns_when_used, standing_in


def _version(name: str) -> Any:
    return load("importlib.metadata").version(name)


with (
    patterns_when_used(),
    standing_in("charset_normalizer", version_from="version"),
    standing_in("importlib.metadata", version=_version),
    standing_in("zipfile"),
):
    import requests
    import requests.adapters
    from urllib3 import exceptions as urllib3_errors
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

__all__ = [
    "HTTPConnection",
    "HTTPConnectionPool",
    "HTTPSConnection",
    "HTTPSConnectionPool",
    "requests",
    "urllib3_errors",
]
