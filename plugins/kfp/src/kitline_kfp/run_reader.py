"""Reading finished runs: what a reader of local or of cluster runs offers, and nothing about how.

MLMD, in which clusters keep artifacts today, is on its way out of KFP and cannot be installed
beside kfp; whatever comes next becomes one more reader.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kitline_kfp.steps.drawers import ContentSource


@dataclass(frozen=True, kw_only=True)
class RunArtifact:
    """An output artifact of a task."""

    task: str
    name: str
    kind: str | None
    """Its schema title, such as `system.Model`; None if the run does not tell."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    open: Callable[[], ContentSource] | None = None
    """Opens its content; None if it has none, as metrics have."""

    @property
    def path(self) -> str:
        """How options name it."""
        return f"{self.task}/{self.name}"


@dataclass(frozen=True, kw_only=True)
class RunTask:
    """A task that ended well."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Output parameters."""
    artifacts: tuple[RunArtifact, ...] = ()


class RunReader(Protocol):
    """One finished run."""

    @property
    def run_id(self) -> str:
        """KFP's name for the run: a UUID on a cluster, the name of the folder locally."""

    @property
    def server(self) -> str | None:
        """Where the run is kept, without password; None for a folder."""

    @property
    def times(self) -> tuple[str | None, str | None]:
        """When it began and ended, in RFC 3339, where KFP tells."""

    def tasks(self) -> Sequence[RunTask]:
        """Return the tasks that ended well, by name.

        Raises:
            SourceError: if the run is not there or cannot be read.
        """
