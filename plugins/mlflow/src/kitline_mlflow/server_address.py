"""Addresses of tracking servers: what may be told of one, and whose folders are ours."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

SQLITE = "sqlite:///"


def may_name_folders(uri: str) -> bool:
    """Tell whether a tracking server is on this machine, so that its folders are ours."""
    parts = urlsplit(uri)
    if parts.scheme.lower() not in ("http", "https"):
        return True  # a database or folder that the user named
    try:
        host = parts.hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def without_secrets(uri: str) -> str:
    """Return a tracking address without password and query; relative databases made absolute."""
    if uri.startswith(SQLITE):
        path = Path(uri.removeprefix(SQLITE).partition("?")[0])
        return f"{SQLITE}{path.absolute()}"
    parts = urlsplit(uri)
    user, at, host = parts.netloc.rpartition("@")
    netloc = f"{user.partition(':')[0]}@{host}" if at else host
    return urlunsplit((parts.scheme, netloc, parts.path, "", ""))
