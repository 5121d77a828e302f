"""Roll back: a stage points again at the last kit that was good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from kitline_airflow.operators.operator import ModelKitOperator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kitline_airflow.errand import Errand


class ModelKitRollbackOperator(ModelKitOperator):
    """Rolls a stage back, once for each run of the task however often it is tried.

    XCom as of `ModelKitPromoteOperator`.

    Args:
        repository: Where the stage is.
        stage: A tag such as `production`.
        to: A digest that the stage held; by default the last that was good.
        before: Instead: what was good at that time, RFC 3339 or a span such as `2h`.
        reason: Why, for the record.
        key: The private key that signs the record: a file or a KMS address, no secret.
    """

    template_fields: Sequence[str] = (
        *ModelKitOperator.shared_fields,
        "repository",
        "stage",
        "to",
        "before",
        "reason",
        "key",
    )
    more_xcoms: ClassVar[tuple[str, ...]] = ("stage", "seq", "record", "previous", "changed")

    def __init__(
        self,
        *,
        repository: str,
        stage: str,
        to: str | None = None,
        before: str | None = None,
        reason: str = "",
        key: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.repository = repository
        self.stage = stage
        self.to = to
        self.before = before
        self.reason = reason
        self.key = key

    def do(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Roll back, unless an earlier try of this task already did: again would go further."""
        from kitline_airflow.errand import Errand
        from kitline_airflow.failures import explained
        from kitline_airflow.hooks import ModelKitHook

        with explained(self.modelkit_conn_id):
            errand = Errand.of(ModelKitHook(self.modelkit_conn_id), context, self.log)
            done = self._done_before(errand)
        if done is not None:
            self.log.info("an earlier try rolled back already, as record %s", done["record"])
            return done
        return super().do(context)

    def call(self, errand: Errand) -> Any:
        import kitline

        return kitline.rollback(
            errand.locate(self.repository),
            self.stage,
            to=self.to or None,
            before=self.before or None,
            reason=self.reason,
            key=self.key,
            invocation=errand.invocation,
            settings=errand.settings,
        )

    def words(self, errand: Errand) -> list[str]:
        given = {
            "--to": self.to,
            "--before": self.before,
            "--reason": self.reason,
            "--key": self.key,
        }
        chosen = [word for flag, value in given.items() if value for word in (flag, value)]
        return ["rollback", errand.locate(self.repository), self.stage, *chosen]

    def _done_before(self, errand: Errand) -> dict[str, Any] | None:
        if errand.invocation is None:
            return None
        import kitline

        repository = errand.locate(self.repository)
        history = kitline.stage_history(repository, self.stage, settings=errand.settings)
        wanted = {"system": errand.invocation.system, "id": errand.invocation.id}
        kits = {each.digest: each.kit for each in history}
        for each in reversed(history):
            run = {name: each.run.get(name) for name in wanted}
            if run == wanted and each.action == "rollback" and not each.lost:
                before = None if each.previous is None else kits.get(each.previous)
                return {
                    "stage": each.stage,
                    "reference": f"{repository}@{each.kit}",
                    "digest": str(each.kit),
                    "previous": None if before is None else str(before),
                    "record": str(each.digest),
                    "seq": each.seq,
                    "changed": False,
                    "action": each.action,
                    "reason": each.reason,
                }
        return None
