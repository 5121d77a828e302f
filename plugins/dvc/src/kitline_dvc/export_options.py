"""The options of `kitline export REF dvc`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kitline.errors import UsageError
from kitline.plugin import check_options

if TYPE_CHECKING:
    from collections.abc import Mapping

_KNOWN = ("path", "repo", "dataset", "force", "remote")
_BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """Where a kit goes in a DVC repository."""

    path: str | None = None
    """Relative to `repo`; None means where the kit has it."""
    repo: str = "."
    dataset: str | None = None
    """Name or path of one dataset, or `all`."""
    force: bool = False
    """Whether what is there and differs is replaced."""
    remote: str | None = None
    """The DVC remote from which data by reference is read."""

    @classmethod
    def from_options(cls, target: str, options: Mapping[str, str]) -> ExportOptions:
        """Read the options; `target` is what follows `dvc:`, a short way to say `path`.

        Raises:
            UsageError: if an option is unknown or has no meaning.
        """
        check_options(options, _KNOWN, "the dvc exporter")
        if target and options.get("path", target) != target:
            raise UsageError(f"'dvc:{target}' and path={options['path']!r} name two places")
        force = options.get("force", "false").lower()
        if force not in _BOOLEANS:
            raise UsageError(f"option force: {options['force']!r} is neither 'true' nor 'false'")
        return cls(
            path=target or options.get("path") or None,
            repo=options.get("repo") or ".",
            dataset=options.get("dataset") or None,
            force=_BOOLEANS[force],
            remote=options.get("remote") or None,
        )
