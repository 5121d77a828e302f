"""ModelKitSensor: waits until a kit is there, is signed, is attested to, or is in a stage."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseSensorOperator, PokeReturnValue, conf

from kitline_airflow.conditions import Condition
from kitline_airflow.connection import DEFAULT
from kitline_airflow.delivery import emit_events, push_xcoms
from kitline_airflow.failures import explained, failure
from kitline_airflow.hooks import ModelKitHook
from kitline_airflow.inputs import read_reference
from kitline_airflow.links import ModelKitLink
from kitline_airflow.polling import INTERVAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context


class ModelKitSensor(BaseSensorOperator):
    """Waits for a kit and returns its pinned reference; with `deferrable` without holding a worker.

    Args:
        reference: A tag that has to exist, or a pinned reference. With `stage`: the repository.
        repository: Instead of a reference: the repository, with `digest` or `stage`.
        stage: The stage that has to hold a kit.
        digest: What the tag or the stage has to point at.
        key: The public key that has to have signed the kit.
        attestations: Types that have to be attested to: verified with `key` if there is one.
        deferrable: Wait in the triggerer.
    """

    template_fields: Sequence[str] = (
        "modelkit_conn_id",
        "reference",
        "repository",
        "stage",
        "digest",
        "key",
        "attestations",
    )
    operator_extra_links = (ModelKitLink(),)
    ui_color = "#d8ecf3"

    def __init__(
        self,
        *,
        reference: Any = None,
        repository: str | None = None,
        stage: str | None = None,
        digest: str | None = None,
        key: str | None = None,
        attestations: list[str] | None = None,
        modelkit_conn_id: str | None = DEFAULT,
        deferrable: bool | None = None,
        poke_interval: float = INTERVAL,
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poke_interval, **kwargs)
        self.reference = reference
        self.repository = repository
        self.stage = stage
        self.digest = digest
        self.key = key
        self.attestations = attestations
        self.modelkit_conn_id = modelkit_conn_id
        if deferrable is None:
            deferrable = conf.getboolean("operators", "default_deferrable", fallback=False)
        self.deferrable = deferrable

    def condition(self) -> Condition:
        """Return what is waited for.

        Raises:
            UsageError: if too little or too much is named.
        """
        if self.stage:
            name = read_name_of_repository(self.reference, self.repository)
        elif self.reference:
            name = read_reference(self.reference)
        else:
            name = read_reference(None, self.repository, self.digest)
        return Condition(
            reference=name,
            stage=self.stage or None,
            digest=self.digest or None,
            key=self.key or None,
            attestations=tuple(self.attestations or ()),
        )

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once.

        Raises:
            AirflowFailException: if waiting on makes no sense, such as for refused credentials.
        """
        with explained(self.modelkit_conn_id):
            hook = ModelKitHook(self.modelkit_conn_id)
            found = self._look(hook)
        if found is not None:
            self._hand_on(context, found)
        return PokeReturnValue(is_done=found is not None, xcom_value=found)

    def execute(self, context: Context) -> Any:
        """Look, and wait if it does not hold yet."""
        if not self.deferrable:
            return super().execute(context)
        found = self.poke(context)
        if found.is_done:
            return found.xcom_value
        from kitline_airflow.triggers import ModelKitConditionTrigger

        seconds = self.poke_interval
        self.log.info("waiting for %s", self.condition().words)
        self.defer(
            trigger=ModelKitConditionTrigger(
                self.condition().to_json(), self.modelkit_conn_id, float(seconds)
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=float(self.timeout)),
        )

    def execute_complete(self, context: Context, event: dict[str, Any]) -> str:
        """Hand on what the trigger found."""
        if "reference" not in event:
            raise failure(str(event.get("error") or "the trigger ended"), final=True)
        found = str(event["reference"])
        self._hand_on(context, found)
        return found

    def _look(self, hook: ModelKitHook) -> str | None:
        from kitline.errors import RegistryUnreachable

        try:
            return self.condition().check(hook.locate, hook.settings())
        except RegistryUnreachable as cause:
            self.log.warning("cannot tell yet: %s", cause)
            return None

    def _hand_on(self, context: Any, found: str) -> None:
        done = {"reference": found, "digest": found.rpartition("@")[2], "stage": self.stage}
        push_xcoms(context, done)
        emit_events(context, self.outlets, done, self.log)


def read_name_of_repository(reference: Any, repository: str | None) -> str:
    """Return the repository of a stage, from either field; a tag or digest is left away."""
    from kitline.plugin import Reference

    given = read_reference(reference) if reference else read_reference(repository)
    found = Reference.parse(given)
    return found.name
