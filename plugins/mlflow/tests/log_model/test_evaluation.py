"""Evaluations: metrics of a later run about a kit, which stages and policies can ask for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import kitline
import kitline_mlflow
import mlflow
import pytest
from kitline.errors import PolicyError, SourceError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from kitline.testing import LocalRegistry
    from kitline_mlflow.log_model_info import ModelKitInfo

    from conftest import Fitted, Tracked

EVALUATION = "https://kitline.io/evaluation/v1"


@pytest.fixture(name="info")
def _info(ambient: Tracked, iris: Fitted, registry: LocalRegistry) -> ModelKitInfo:
    with mlflow.start_run(experiment_id=ambient.experiment_id):
        return kitline_mlflow.log_model(
            iris.model,
            name="iris",
            reference=f"{registry.host}/team/iris:v1",
            pip_requirements=["scikit-learn"],
        )


def attested(info: ModelKitInfo) -> list[Any]:
    return [each.predicate for each in kitline.read_statements(str(info.reference), EVALUATION)]


def test_metrics_of_a_later_run_are_attached_and_asked_for_by_a_promotion(
    ambient: Tracked, info: ModelKitInfo, registry: LocalRegistry, tmp_path: Path
) -> None:
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows/rows.csv").write_text("1,2\n")
    data = kitline.pack(tmp_path / "rows", f"{registry.host}/team/rows:v1")
    kit = str(info.reference)
    with pytest.raises(PolicyError):
        kitline.promote(kit, "champion", require=["metric:accuracy:ge:0.9"])
    with mlflow.start_run(experiment_id=ambient.experiment_id) as run:
        dataset = mlflow.data.load_modelkit(str(data))  # type: ignore[attr-defined] # our constructor
        mlflow.log_input(dataset, tags=dataset.tags)
        mlflow.log_metrics({"accuracy": 0.5, "loss": 0.25})
        mlflow.log_metric("accuracy", 0.95)
        first = kitline_mlflow.attest_evaluation(reference=kit)
    assert kitline_mlflow.attest_evaluation(reference=kit, run_id=run.info.run_id) == first
    assert attested(info) == [
        {
            "metrics": {"accuracy": 0.95, "loss": 0.25},
            "run": {"system": "mlflow", "id": run.info.run_id},
            "datasets": [
                {"name": "rows", "digest": dataset.digest, "kit": str(data.digest)},
            ],
        }
    ]
    assert kitline.inspect(kit).digest == info.digest


def test_what_mlflow_evaluates_or_numbers_are_attested_without_a_run(info: ModelKitInfo) -> None:
    result = SimpleNamespace(metrics={"accuracy": 0.75, "note": "a text", "f1": float("nan")})
    with pytest.warns(UserWarning, match="no finite number, so not attested: f1, note"):
        kitline_mlflow.attest_evaluation(result, model_id=info.model_id)
    assert [each["metrics"] for each in attested(info)] == [{"accuracy": 0.75}]


@pytest.mark.parametrize("wrong", [3, {}])
def test_what_holds_no_metric_is_refused(info: ModelKitInfo, wrong: object) -> None:
    with pytest.raises(UsageError, match=r"metrics is a int|no metric is a finite number"):
        kitline_mlflow.attest_evaluation(wrong, model_id=info.model_id)


def test_an_evaluation_is_signed_with_the_key_that_is_set(
    info: ModelKitInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = write_key(tmp_path)
    kitline_mlflow.attest_evaluation({"accuracy": 0.95}, reference=str(info.reference), key=key)
    assert kitline.verify(
        str(info.reference), key=f"{key}.pub", attestations=["evaluation"], signature=False
    )
    monkeypatch.setenv("KITLINE_SIGN_KEY", key)
    kitline_mlflow.attest_run(model_id=info.model_id)
    assert kitline.verify(
        str(info.reference), key=f"{key}.pub", attestations=["mlflow-run"], signature=False
    )
    kitline.promote(
        str(info.reference),
        "champion",
        require=["attestation:evaluation", "metric:accuracy:ge:0.9"],
        verify_key=f"{key}.pub",
    )


def test_a_model_without_a_kit_cannot_be_attested(ambient: Tracked) -> None:
    with pytest.raises(SourceError, match="has no kit yet; make one with 'kitline import"):
        kitline_mlflow.attest_evaluation({"a": 1}, model_id=ambient.model_id)


def write_key(folder: Path) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "ours").write_bytes(private)
    (folder / "ours.pub").write_bytes(public)
    return str(folder / "ours")
