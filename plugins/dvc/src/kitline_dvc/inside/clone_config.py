"""The configuration of a clone: whose remotes are read, and with which settings.

A clone is somebody else's, and is read with the credentials of this user. Of its committed
configuration counts the default remote, and of each remote what says where the data lies with the
service itself. What leads elsewhere or brings credentials counts for the one remote that the user
names; what names files of this machine, or runs a command, never.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kitline.errors import SourceError
from kitline.plugin import without_passwords

if TYPE_CHECKING:
    from collections.abc import Mapping

_HARMLESS = frozenset({
    "url", "version_aware", "worktree", "region", "jobs", "checksum_jobs", "read_timeout",
    "connect_timeout", "connection_timeout", "timeout", "max_sessions", "projectname", "user",
    "port", "account_name", "allow_anonymous_login", "cache_regions", "listobjects", "verify",
    "no_traverse",
})  # fmt: skip
_FOR_WRITING = frozenset({
    "acl", "grant_read", "grant_read_acp", "grant_write_acp", "grant_full_control", "sse",
    "sse_kms_key_id", "method", "replication", "gdrive_trash_only", "type", "shared", "protected",
    "slow_link_warning",
})  # fmt: skip
_OF_THIS_MACHINE = frozenset({
    "credentialpath", "configpath", "profile", "keyfile", "cert_path", "key_path", "kerb_ticket",
    "bearer_token_command", "gdrive_user_credentials_file", "ask_password", "ask_passphrase",
    "gdrive_service_account_json_file_path",
})  # fmt: skip
"""Files, names and commands of this machine."""


class CloneRemotes:
    """Which remotes of a clone may be read; `trusted` is the one that the user names."""

    def __init__(self, trusted: str | None) -> None:
        self._trusted = trusted.lower() if trusted else None
        self._own: dict[str, dict[str, Any]] = {}
        self.refused: dict[str, str] = {}
        """Why a remote is not read, by name."""

    def add_own(self, remotes: Mapping[str, Mapping[str, Any]]) -> None:
        """Take remotes of the user's own configuration; those with an address stand alone."""
        for name, settings in remotes.items():
            self._own.setdefault(name, {}).update(settings)

    def narrow(self, committed: Mapping[str, Any]) -> dict[str, Any]:
        """Return what counts of a committed configuration."""
        found: dict[str, Any] = {}
        name = (committed.get("core") or {}).get("remote")
        if isinstance(name, str):
            found["core"] = {"remote": name}
        remotes = {}
        for name, settings in (committed.get("remote") or {}).items():
            if "url" in self._own.get(name, {}) or not isinstance(settings, dict):
                continue
            reason = None if name == self._trusted else self._doubt(name, settings)
            if reason is not None:
                self.refused[name] = reason
                continue
            remotes[name] = {
                key: value
                for key, value in settings.items()
                if key not in _FOR_WRITING and not _is_of_this_machine(key, value)
            }
        return {**found, "remote": remotes}

    def require(self, name: str | None) -> None:
        """See that a remote may be read.

        Raises:
            SourceError: saying why not, and how it may.
        """
        reason = self.refused.get(name.lower()) if name else None
        if reason is not None:
            raise SourceError(
                f"the remote {name!r} of a repository that lies elsewhere is not read: {reason};"
                f" if you trust that, name it with '-o remote={name}', or give it an address of"
                " your own with 'dvc remote add --global'"
            )

    def _doubt(self, name: str, settings: Mapping[str, Any]) -> str | None:
        """Say why a remote is not read unless the user names it."""
        url = str(settings.get("url", ""))
        if not urlsplit(url).netloc or url.lower().startswith("file:"):
            return f"it is the folder {url!r} of this machine"
        if url.lower().startswith("remote:"):
            return f"it is a part of another remote, {url!r}"
        for key in sorted(settings):
            if key not in _HARMLESS | _FOR_WRITING:
                value = str(settings[key])
                shown = f" {without_passwords(value)!r}" if "://" in value else ""
                return f"it sets {key!r}{shown}"
        if name in self._own:
            return "your own configuration of DVC has settings of that name, and no address"
        return None


def _is_of_this_machine(key: str, value: Any) -> bool:
    return key in _OF_THIS_MACHINE or (
        key == "ssl_verify" and str(value).lower() not in ("true", "false")
    )
