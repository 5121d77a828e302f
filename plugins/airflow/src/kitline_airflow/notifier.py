"""ModelKitNotifier: a callback of a DAG or task that tells a kit how the run went."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseNotifier

from kitline_airflow.connection import DEFAULT
from kitline_airflow.hooks import ModelKitHook
from kitline_airflow.inputs import read_reference
from kitline_airflow.invocation import read_invocation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context

PREDICATE_TYPE = "https://kitline.io/airflow-run/v1"


class ModelKitNotifier(BaseNotifier):
    """Attaches a statement to a kit: which run of which DAG ended how, and what you add.

        deploy = BashOperator(..., on_success_callback=ModelKitNotifier(
            reference="{{ ti.xcom_pull('train') }}", said={"deployed_to": "eu-1"}))

    Args:
        reference: The kit.
        said: What else is said; JSON, and no secrets.
        state: How the run ended; by default what the context says.
        type: The predicate type of the statement.
        modelkit_conn_id: The Airflow connection.
    """

    template_fields: Sequence[str] = ("reference", "said", "state", "modelkit_conn_id")

    def __init__(
        self,
        *,
        reference: str,
        said: Mapping[str, Any] | None = None,
        state: str | None = None,
        type: str = PREDICATE_TYPE,
        modelkit_conn_id: str | None = DEFAULT,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.reference = reference
        self.said = said
        self.state = state
        self.type = type
        self.modelkit_conn_id = modelkit_conn_id

    def notify(self, context: Context) -> None:
        """Attach the statement; the same run ending the same way is said once."""
        import kitline

        hook = ModelKitHook(self.modelkit_conn_id)
        kitline.attest_unsigned(
            hook.locate(read_reference(self.reference)),
            self.type,
            self.predicate(context),
            settings=hook.settings(),
        )

    def predicate(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is said."""
        run = read_invocation(context)
        ended = self.state or getattr(context.get("ti"), "state", None)
        state = getattr(ended, "value", ended)
        return {
            "system": "airflow",
            "run": dict(run.parameters) if run is not None else {},
            **({"state": str(state)} if state else {}),
            **(dict(self.said) if self.said else {}),
        }
