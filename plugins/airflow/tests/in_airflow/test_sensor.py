"""The sensor: it goes on waiting until all that was asked for holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import kitline
import pytest
from contexts import make_context
from kitline_airflow import ModelKitAttestOperator, ModelKitSensor

if TYPE_CHECKING:
    from pathlib import Path

    from kitline.testing import LocalRegistry

EVALUATION = "https://kitline.io/evaluation/v1"


def look(**wanted: Any) -> str | None:
    """Look once; return the pinned reference if it holds."""
    found = ModelKitSensor(task_id="wait", **wanted).poke(make_context(task_id="wait"))
    assert found.is_done == (found.xcom_value is not None)
    return found.xcom_value


def test_it_waits_for_a_signature_and_then_for_an_attestation(
    connected: LocalRegistry, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kitline.cli.main import main

    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(["keygen"])
    signed = {"reference": "team/iris:v1", "key": "kitline.pub"}
    attested = {**signed, "attestations": [EVALUATION]}

    assert look(**signed) is None  # nothing is there
    kit = kitline.pack(model, f"{connected.host}/team/iris:v1")
    assert look(reference="team/iris:v1") == str(kit)
    assert look(**signed) is None
    kitline.sign(kit.reference, key="kitline.key")
    assert look(**signed) == str(kit)
    assert look(**attested) is None
    assert look(reference="team/iris:v1", attestations=[EVALUATION]) is None
    ModelKitAttestOperator(
        task_id="attest",
        reference=str(kit),
        type=EVALUATION,
        predicate={"accuracy": 1},
        key="kitline.key",
    ).execute(make_context())
    assert look(**attested) == str(kit)
    assert look(reference="team/iris:v1", attestations=[EVALUATION]) == str(kit)


def test_it_waits_until_a_stage_or_a_tag_points_at_a_digest(
    connected: LocalRegistry, model: Path
) -> None:
    one = kitline.pack(model, f"{connected.host}/team/iris:v1")
    (model / "model.bin").write_bytes(b"better weights")
    two = kitline.pack(model, f"{connected.host}/team/iris:v2")
    staged = {"repository": "team/iris", "stage": "production"}

    assert look(**staged) is None
    kitline.promote(one.reference, "production")
    assert look(**staged) == str(one)
    assert look(**staged, digest=str(two.digest)) is None
    assert look(reference="team/iris:v1", digest=str(two.digest)) is None
    kitline.promote(two.reference, "production")
    assert look(**staged, digest=str(two.digest)) == str(two)
