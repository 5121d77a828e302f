"""New digest: the rest of a run is skipped for a digest that an earlier run handled.

Triggers of Airflow before 3.3 have no memory and fire again when the triggerer restarts; this is
their memory, in a variable of Airflow.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSkipException, Variable

from kitline_airflow.inputs import read_reference
from kitline_airflow.operators.kit_input import KitInputOperator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kitline_airflow.errand import Errand


class ModelKitNewDigestOperator(KitInputOperator):
    """Returns the pinned reference, or skips itself if the digest was handled by another run.

    Tasks after it are skipped with it, by Airflow's usual rule. A retry of the run that handled the
    digest passes.

    Args:
        memory: Names what is remembered; by default DAG and task.
    """

    template_fields: Sequence[str] = (*KitInputOperator.shared_fields, "memory")

    def __init__(self, *, memory: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.memory = memory

    def do(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Resolve, and look whether another run had the digest last."""
        done = super().do(context)
        ti = context["ti"]
        variable = variable_name(self.memory or f"{ti.dag_id}.{ti.task_id}")
        before = _read(Variable.get(variable, None))
        if before.get("digest") == done["digest"] and before.get("run") != ti.run_id:
            raise AirflowSkipException(f"{done['reference']} was handled by {before.get('run')}")
        note = json.dumps({"digest": done["digest"], "run": ti.run_id})
        Variable.set(variable, note)
        return done

    def call(self, errand: Errand) -> Any:
        from kitline.errors import NotFound

        found = errand.hook.resolve(read_reference(self.reference, self.repository, self.digest))
        if found is None:
            raise NotFound(f"nothing is there under {self.reference or self.repository!r}")
        return _Resolved(found)

    def words(self, errand: Errand) -> list[str]:
        return ["inspect", self.kit(errand)]


class _Resolved:
    def __init__(self, reference: str) -> None:
        self._reference = reference

    def to_json(self) -> dict[str, Any]:
        return {"reference": self._reference, "digest": self._reference.rpartition("@")[2]}


def variable_name(memory: str) -> str:
    """Return the name of the variable that remembers."""
    return "kitline_handled_" + re.sub(r"[^A-Za-z0-9_.-]", "_", memory)[:200]


def _read(text: object) -> dict[str, Any]:
    try:
        found = json.loads(str(text))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
