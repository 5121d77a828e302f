"""Sources: how one names a run, `mlflow://runs/ID` and its relatives."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kitline.errors import UsageError
from kitline.plugin import without_passwords

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,255}\Z", re.ASCII)
_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?\Z", re.ASCII)
_LOOPBACK = re.compile(r"(?:localhost|127(?:\.[0-9]+){3}|\[::1\])(?::[0-9]+)?\Z", re.ASCII)
_FORMS = "'mlflow://runs/ID', 'mlflow://HOST/experiments/E/runs/ID' or 'runs:/ID'"


@dataclass(frozen=True, kw_only=True)
class RunSource:
    """A run; `host` and `experiment` only where the source names them."""

    run_id: str
    experiment: str | None = None
    host: str | None = None

    @classmethod
    def parse(cls, text: str) -> RunSource:
        """Read a source.

        Raises:
            UsageError: if it is none of the known forms.
        """
        scheme, _, rest = text.partition(":")
        if scheme.lower() == "runs":
            return cls(run_id=_run_id(rest.removeprefix("/"), text))
        if not rest.startswith("//"):
            raise _unknown(text, "'mlflow:' is followed by '//'")
        parts = rest[2:].split("/")
        host = None if parts[0] in ("runs", "experiments") else _host(parts.pop(0), text)
        match parts:
            case ["runs", run_id]:
                return cls(run_id=_run_id(run_id, text), host=host)
            case ["experiments", experiment, "runs", run_id] if _ID.match(experiment):
                return cls(run_id=_run_id(run_id, text), experiment=experiment, host=host)
            case _:
                raise _unknown(text, "no run is named")

    @property
    def canonical(self) -> str:
        """The one spelling: where the run lies is told apart from it."""
        return f"mlflow://runs/{self.run_id}"

    @property
    def tracking_uri(self) -> str | None:
        """The server that the source names; loopback hosts speak plain HTTP, others HTTPS."""
        if self.host is None:
            return None
        return f"{'http' if _LOOPBACK.match(self.host) else 'https'}://{self.host}"


def _host(text: str, source: str) -> str:
    if "@" in text:
        raise _unknown(source, "a source names no user, MLFLOW_TRACKING_USERNAME does")
    if not _HOST.match(text):
        raise _unknown(source, f"{text!r} is not 'host' or 'host:port'")
    return text.lower()


def _run_id(text: str, source: str) -> str:
    if not _ID.match(text):
        raise _unknown(source, f"{text!r} is not a run id")
    return text


def _unknown(source: str, reason: str) -> UsageError:
    return UsageError(f"cannot read {without_passwords(source)!r}: {reason}; write {_FORMS}")
