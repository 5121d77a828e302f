"""Parents: the kits that a model says it was made from.

A param of a logged model cannot change, so `kitline.parents` on the model is the best witness;
`log_model` writes it. The tag `kitline.input.digest` is stamped on a run at its start. Models that
MLflow alone logged have no such param: for them the run's dataset inputs speak.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kitline.errors import InvalidDigest
from kitline.plugin import Digest, Parent, without_passwords

from kitline_mlflow.tags import DIGEST, INPUT, PARENTS_PARAM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlflow.entities import LoggedModel, Run

_ROLE = "data"


def find_parents(
    run: Run | None, model: LoggedModel | None = None
) -> tuple[tuple[Parent, ...], tuple[str, ...]]:
    """Return the parents, and warnings about params and tags that name none."""
    parents: dict[tuple[Digest, str], Parent] = {}
    warnings = []
    recorded = (model.params or {}).get(PARENTS_PARAM) if model is not None else None
    found = _stamped(run, with_inputs=recorded is None) if run is not None else iter(())
    for what, text, role in (*_recorded(recorded, model), *found):
        try:
            parent = _parent(text, role)
        except InvalidDigest as error:
            warnings.append(f"{what} names no parent: {without_passwords(str(error))}")
            continue
        earlier = parents.get((parent.digest, role))
        if earlier is None or earlier.reference is None:
            parents[parent.digest, role] = parent
    return tuple(parents[each] for each in sorted(parents)), tuple(warnings)


def parents_param(parents: tuple[Parent, ...]) -> str:
    """Return the value of the param `kitline.parents`; write it even if there are none."""
    rows: list[dict[str, str]] = []
    for each in sorted(set(parents), key=lambda each: (each.digest, each.role)):
        row = {"digest": str(each.digest), "role": each.role}
        rows.append(row | ({"reference": each.reference} if each.reference else {}))
    return json.dumps(rows, sort_keys=True, separators=(",", ":"))


def _parent(text: str, role: str) -> Parent:
    reference, _, digest = text.rpartition("@")
    return Parent(digest=Digest(digest), role=role, reference=text if reference else None)


def _recorded(text: str | None, model: LoggedModel | None) -> Iterator[tuple[str, str, str]]:
    if text is None or model is None:
        return
    what = f"param {PARENTS_PARAM!r} of logged model {model.model_id!r}"
    try:
        rows: Any = json.loads(text)
    except (ValueError, RecursionError):
        rows = None
    if not isinstance(rows, list):
        yield what, text, _ROLE
        return
    for row in rows:
        fields = row if isinstance(row, dict) else {}
        digest, role = fields.get("digest"), fields.get("role", _ROLE)
        reference = fields.get("reference")
        if not isinstance(digest, str) or not isinstance(role, str):
            yield what, json.dumps(row), _ROLE
        elif isinstance(reference, str) and reference.endswith(f"@{digest}"):
            yield what, reference, role
        else:
            yield what, digest, role


def _stamped(run: Run, *, with_inputs: bool) -> Iterator[tuple[str, str, str]]:
    what = f"tag {{}} of run {run.info.run_id!r}"
    for text in run.data.tags.get(INPUT, "").split(","):
        if text.strip():
            yield what.format(repr(INPUT)), text.strip(), _ROLE
    inputs = run.inputs.dataset_inputs if with_inputs and run.inputs else ()
    for each in inputs:
        for tag in each.tags:
            if tag.key == DIGEST:
                yield what.format(repr(DIGEST)), tag.value.strip(), _ROLE
