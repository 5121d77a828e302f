"""Invocations: the run of a pipeline, or of a CI system, that makes a kit or moves a stage.

It is named by whoever runs, in a call or in the environment, and goes into provenance only: the
same content made by another run is the same kit.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import field, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from kitline.errors import UsageError
from kitline.frozen import dataclass
from kitline.oci.json import decode

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "KITLINE_INVOCATION"
"""Names the run for programs that a run starts: JSON with the fields of `Invocation`."""
BUILDER = "https://kitline.io/builder"
_SYSTEM = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,62}[a-z0-9])?\Z")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_TEXT_LIMIT = 1000


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """One run: two with the same builder and `id` are the same, however often it is retried.

    Raises:
        UsageError: naming the field that is malformed.
    """

    system: str
    """Lower case, such as `airflow`, `kfp`, `github`, `script`."""
    id: str
    """The system's name for the run, the same for each retry."""
    builder_id: str | None = None
    """A URI; None for the one that kitline gives to the system."""
    url: str | None = None
    """Where people look at the run."""
    parameters: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """What the run was started with; JSON, and no secrets."""
    git_commit: str | None = None
    repository: str | None = None
    """The address of the code's repository; passwords in it are left out where it is written."""
    started: datetime | str | None = None
    finished: datetime | str | None = None

    def __post_init__(self) -> None:
        _check_text("system", self.system)
        if not _SYSTEM.match(self.system):
            raise UsageError(
                f"invocation: system {self.system!r} is not a lower-case name such as 'airflow'"
            )
        if not self.id:
            raise UsageError("invocation: id is empty; give the system's name for the run")
        for name in ("id", "builder_id", "url", "git_commit", "repository"):
            _check_text(name, getattr(self, name))
        if self.git_commit is not None and not _COMMIT.match(self.git_commit):
            raise UsageError(f"invocation: git_commit {self.git_commit!r} is not a full commit")
        for name in ("started", "finished"):
            if not isinstance(getattr(self, name), datetime | None):
                _check_text(name, getattr(self, name))
        if not hasattr(self.parameters, "items"):
            raise UsageError("invocation: parameters is not an object")

    @property
    def builder(self) -> str:
        """The URI of whoever runs."""
        return self.builder_id or f"{BUILDER}/{self.system}/v1"

    def to_json(self) -> dict[str, Any]:
        """Return the fields that are set; times as text."""
        found = {each.name: getattr(self, each.name) for each in fields(self)}
        found["parameters"] = dict(self.parameters)
        for name in ("started", "finished"):
            if isinstance(found[name], datetime):
                found[name] = found[name].isoformat()
        return {name: value for name, value in found.items() if value not in (None, {})}

    @classmethod
    def from_json(cls, value: object) -> Invocation:
        """Read what `to_json` gives.

        Raises:
            UsageError: if it is something else.
        """
        if not isinstance(value, dict):
            raise UsageError("invocation: it is not a JSON object")
        known = {each.name for each in fields(cls)}
        if unknown := sorted(set(value) - known):
            raise UsageError(f"invocation: {unknown[0]!r} is none of {', '.join(sorted(known))}")
        if missing := [name for name in ("system", "id") if name not in value]:
            raise UsageError(f"invocation: {missing[0]!r} is missing")
        return cls(**value)

    def to_environment(self) -> dict[str, str]:
        """Return the variable that names this run for a program that it starts.

        Raises:
            UsageError: if the parameters are not JSON.
        """
        try:
            return {VARIABLE: json.dumps(self.to_json(), sort_keys=True, allow_nan=False)}
        except (TypeError, ValueError) as cause:
            raise UsageError(f"invocation: parameters are not JSON: {cause}") from cause

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Invocation | None:
        """Return the run that the environment names: `KITLINE_INVOCATION`, else a CI system's.

        Raises:
            UsageError: if `KITLINE_INVOCATION` is malformed.
        """
        from kitline.plugin.ci import find_ci_run

        environ = os.environ if environ is None else environ
        text = environ.get(VARIABLE)
        if not text:
            return find_ci_run(environ)
        try:
            return cls.from_json(decode(text.encode()))
        except ValueError as cause:
            raise UsageError(f"{VARIABLE} is not JSON: {cause}") from cause
        except UsageError as cause:
            raise UsageError(f"{VARIABLE}: {cause}") from cause


def _check_text(name: str, value: object) -> None:
    if value is None:
        return
    if not isinstance(value, str) or len(value) > _TEXT_LIMIT or not value.isprintable():
        raise UsageError(
            f"invocation: {name} is not a printable text of up to {_TEXT_LIMIT} characters"
        )
