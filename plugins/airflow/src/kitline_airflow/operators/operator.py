"""ModelKitOperator: what all our operators share; each adds one verb of kitline."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import BaseOperator

from kitline_airflow.connection import DEFAULT
from kitline_airflow.delivery import emit_events, push_xcoms
from kitline_airflow.errand import Errand, ErrandElsewhere
from kitline_airflow.failures import explained
from kitline_airflow.hooks import ModelKitHook
from kitline_airflow.links import ModelKitLink

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context

_EMIT = ("changed", "always")


class ModelKitOperator(BaseOperator):
    """Does one thing with one kit, and returns its pinned reference.

    XCom holds the reference (`return_value`), `digest` and the receipt (`receipt`): never content.
    The event of each outlet says `digest` and `reference`.

    Args:
        modelkit_conn_id: The Airflow connection that says where the registry is and who asks.
        python: The interpreter of another environment whose kitline does the work; for tools that
            cannot share the worker's.
        partition_by_digest: Give the outlets' events the digest as partition key (Airflow 3.3).
        emit: `changed` gives the key only when it differs from the last one; `always` each time.
    """

    shared_fields: ClassVar[tuple[str, ...]] = ("modelkit_conn_id", "python")
    template_fields: Sequence[str] = shared_fields
    operator_extra_links = (ModelKitLink(),)
    ui_color = "#d8ecf3"
    more_xcoms: ClassVar[tuple[str, ...]] = ()
    """Fields of the verb's answer that go to XCom under their own names."""

    def __init__(
        self,
        *,
        modelkit_conn_id: str | None = DEFAULT,
        python: str | None = None,
        partition_by_digest: bool = False,
        emit: str = "changed",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.modelkit_conn_id = modelkit_conn_id
        self.python = python
        self.partition_by_digest = partition_by_digest
        self.emit = emit
        if emit not in _EMIT:
            raise ValueError(f"emit={emit!r} is none of {', '.join(_EMIT)}")
        if partition_by_digest:
            _need_partitions()

    @abstractmethod
    def call(self, errand: Errand) -> Any:
        """Call kitline in this process; the result has `to_json()`, as `--json` prints it."""

    @abstractmethod
    def words(self, errand: Errand) -> list[str]:
        """Return the words of the same call for another interpreter."""

    def execute(self, context: Context) -> str:
        """Do it; returns the pinned reference."""
        done = self.do(context)
        return self.deliver(context, done)

    def do(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Do it here or elsewhere; returns what `--json` prints.

        Raises:
            AirflowFailException: if it failed and a retry cannot help.
            AirflowException: if one may; what arrived is not sent again.
        """
        with explained(self.modelkit_conn_id):
            errand = Errand.of(ModelKitHook(self.modelkit_conn_id), context, self.log)
            self._errand = errand
            if self.python is None:
                done = errand.here(self.call)
            else:
                self._elsewhere = ErrandElsewhere(errand, self.python, self.log)
                done = self._elsewhere.run(self.words(errand))
        for each in done.get("warnings", ()):
            self.log.warning("%s", each)
        for each in done.get("writeBacks", ()):
            if each.get("warning"):
                self.log.warning("%s was not told: %s", each["plugin"], each["warning"])
        return done

    def deliver(self, context: Mapping[str, Any], done: Mapping[str, Any]) -> str:
        """Hand on what was done; returns the pinned reference."""
        self.kitline_done = dict(done)
        push_xcoms(context, done, *self.more_xcoms)
        emit_events(
            context,
            self.outlets,
            done,
            self.log,
            partition=self.partition_by_digest,
            emit=self.emit,
        )
        return str(done["reference"])

    def on_kill(self) -> None:
        """Stop: an upload under way is given up, another interpreter is ended; no tag moves."""
        errand: Errand | None = getattr(self, "_errand", None)
        if errand is not None:
            errand.progress.cancel()
        elsewhere: ErrandElsewhere | None = getattr(self, "_elsewhere", None)
        if elsewhere is not None:
            elsewhere.stop()

    def inputs(self) -> tuple[str, ...]:
        """Return the references of kits that this task reads, for OpenLineage."""
        return ()

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Return which kits went in and came out; their version is the digest."""
        from kitline_airflow.openlineage import operator_lineage

        return operator_lineage(getattr(self, "kitline_done", None), self.inputs())


def _need_partitions() -> None:
    from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_3_PLUS

    if not AIRFLOW_V_3_3_PLUS:
        raise ValueError(
            "partition_by_digest=True needs Airflow 3.3, where a task gives its events partition"
            " keys; without it the digest is in the event's extra"
        )
