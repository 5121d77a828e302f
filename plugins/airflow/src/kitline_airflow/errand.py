"""Errand: one call of kitline for a task, in this process or by another interpreter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kitline_airflow.elsewhere import OtherKitline
from kitline_airflow.invocation import read_invocation
from kitline_airflow.log_progress import LogProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import kitline
    from kitline.plugin import Invocation

    from kitline_airflow.hooks import ModelKitHook


@dataclass(frozen=True, kw_only=True)
class Errand:
    """What an operator needs for one call: who asks, for which run, and how to stop it."""

    hook: ModelKitHook
    context: Mapping[str, Any]
    invocation: Invocation | None
    progress: LogProgress

    @classmethod
    def of(cls, hook: ModelKitHook, context: Mapping[str, Any], log: Any) -> Errand:
        """Begin an errand for the task that a context belongs to."""
        return cls(
            hook=hook,
            context=context,
            invocation=read_invocation(context),
            progress=LogProgress(log),
        )

    @property
    def settings(self) -> kitline.Settings:
        """Settings with what the connection says."""
        return self.hook.settings()

    def locate(self, text: str) -> str:
        """Return a reference with the connection's registry, where it names none itself."""
        return self.hook.locate(text)

    def here(self, call: Callable[[Errand], Any]) -> dict[str, Any]:
        """Make the call in this process; return its result as kitline's `--json` prints it."""
        self.progress.check()
        found: dict[str, Any] = call(self).to_json()
        return found


class ErrandElsewhere:
    """The same by another interpreter."""

    def __init__(self, errand: Errand, python: str, log: Any) -> None:
        self._errand = errand
        self._kitline = OtherKitline(python, log)

    def run(self, words: Sequence[str]) -> dict[str, Any]:
        """Run a verb; the run and the connection are named in the process's environment."""
        environment = self._errand.hook.access.environment()
        if self._errand.invocation is not None:
            environment |= self._errand.invocation.to_environment()
        return self._kitline.run(words, environment)

    @property
    def pid(self) -> int | None:
        """The process, once there is one."""
        return self._kitline.pid

    def stop(self) -> None:
        """End the process and what it started."""
        self._kitline.stop()
