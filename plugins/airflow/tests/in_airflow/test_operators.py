"""Operators: `execute` with a context, against a registry on loopback."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import kitline
import pytest
from contexts import make_context
from kitline_airflow import (
    ModelKitAttestOperator,
    ModelKitPackOperator,
    ModelKitPromoteOperator,
    ModelKitPullOperator,
    ModelKitPushOperator,
    ModelKitRollbackOperator,
    ModelKitTagOperator,
    ModelKitVerifyOperator,
    modelkit_asset,
)

if TYPE_CHECKING:
    from pathlib import Path

    from kitline.testing import LocalRegistry


def push(folder: Path, to: str = "team/iris:v1", **more: Any) -> str:
    operator = ModelKitPushOperator(task_id="push", folder=str(folder), to=to, **more)
    return operator.execute(make_context())


def test_push_returns_the_pinned_reference_and_hands_on_digest_and_receipt(
    connected: LocalRegistry, model: Path
) -> None:
    asset = modelkit_asset(f"{connected.host}/team/iris")
    operator = ModelKitPushOperator(
        task_id="push", folder=str(model), to="team/iris:v1", outlets=[asset]
    )
    context = make_context()

    pinned = operator.execute(context)

    digest = pinned.rpartition("@")[2]
    assert pinned == f"{connected.host}/team/iris@{digest}"
    assert str(kitline.resolve(f"{connected.host}/team/iris:v1")) == pinned
    xcoms = context["ti"].xcoms
    assert xcoms["digest"] == digest
    assert xcoms["receipt"]["reference"] == pinned
    assert {each["path"] for each in xcoms["receipt"]["layers"]} == {"model.bin", "train.csv"}
    event = context["outlet_events"][asset]
    assert event.extra["digest"] == digest
    assert event.extra["reference"] == pinned
    assert len(json.dumps(xcoms)) < 5000


def test_a_retry_gives_the_same_digest_and_uploads_nothing_twice(
    connected: LocalRegistry, model: Path
) -> None:
    first = push(model)
    connected.forget()
    operator = ModelKitPushOperator(task_id="push", folder=str(model), to="team/iris:v1")

    again = operator.execute(make_context(try_number=2))

    assert again == first
    assert connected.count("PUT") + connected.count("PATCH") + connected.count("POST") == 0


def test_dag_run_task_and_try_are_in_the_provenance_and_not_in_the_manifest(
    connected: LocalRegistry, model: Path
) -> None:
    pinned = push(model)

    statements = kitline.inspect(pinned).statements
    manifest = kitline.inspect(pinned).kit.manifest.raw
    said = json.dumps([dict(each.predicate or {}) for each in statements])
    assert '"dag": "train"' in said
    assert '"run": "manual__1"' in said
    assert '"try": 1' in said
    assert b"manual__1" not in manifest
    assert pinned.endswith(str(kitline.pack(model, "elsewhere:v1").digest))


def test_parents_come_from_xcom_references_with_roles(
    connected: LocalRegistry, model: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "d.csv").write_text("1\n")
    data_kit = push(data, "team/data:v1")
    base_kit = push(data, "team/base:v1")

    pinned = push(model, parents=[{"reference": data_kit}, f"base={base_kit}"])

    found = kitline.inspect(pinned).parents
    assert {each["role"] for each in found} == {"data", "base"}
    assert {each["digest"] for each in found} == {data_kit.rpartition("@")[2]}


def test_pack_goes_to_the_local_store_without_connection(model: Path) -> None:
    operator = ModelKitPackOperator(
        task_id="pack", folder=str(model), to="iris:local", modelkit_conn_id=None
    )

    pinned = operator.execute(make_context())

    assert pinned == str(kitline.resolve("iris:local"))


def test_push_takes_a_kit_of_the_local_store_to_the_connections_registry(
    connected: LocalRegistry, model: Path
) -> None:
    packed = kitline.pack(model, "team/iris:v3")

    pinned = ModelKitPushOperator(task_id="push", source="team/iris:v3").execute(make_context())

    assert pinned == f"{connected.host}/team/iris@{packed.digest}"


def test_pull_unpacks_what_a_task_before_it_returned(
    connected: LocalRegistry, model: Path, tmp_path: Path
) -> None:
    pinned = push(model)
    context = make_context()
    operator = ModelKitPullOperator(
        task_id="pull", reference=pinned, folder=str(tmp_path / "out"), filters=["model"]
    )

    assert operator.execute(context) == pinned
    assert operator.execute(context) == pinned  # a retry

    assert (tmp_path / "out/model.bin").read_bytes() == b"weights"
    assert not (tmp_path / "out/train.csv").exists()
    assert context["ti"].xcoms["folder"] == str(tmp_path / "out")


def test_repository_and_digest_name_a_kit_too(connected: LocalRegistry, model: Path) -> None:
    pinned = push(model)
    digest = pinned.rpartition("@")[2]
    operator = ModelKitTagOperator(
        task_id="tag", repository="team/iris", digest=digest, tag="candidate"
    )

    assert operator.execute(make_context()) == pinned
    assert str(kitline.resolve(f"{connected.host}/team/iris:candidate")) == pinned


def test_promote_twice_and_roll_back_once_however_often_it_is_tried(
    connected: LocalRegistry, model: Path
) -> None:
    one = push(model)
    (model / "model.bin").write_bytes(b"better weights")
    two = push(model, "team/iris:v2")
    context = make_context(run_id="r3")
    for number, kit in enumerate((one, two)):
        ModelKitPromoteOperator(task_id="p", reference=kit, stage="production").execute(
            make_context(run_id=f"r{number}")
        )

    rollback = ModelKitRollbackOperator(
        task_id="rollback", repository="team/iris", stage="production", reason="too slow"
    )
    first = rollback.execute(context)
    again = rollback.execute(make_context(run_id="r3", try_number=2))

    assert first == again == one
    history = kitline.stage_history(f"{connected.host}/team/iris", "production")
    assert [each.action for each in history] == ["promote", "promote", "rollback"]
    assert context["ti"].xcoms["seq"] == 3
    assert context["ti"].xcoms["previous"] == two.rpartition("@")[2]


def test_attest_and_verify_say_who_signed(
    connected: LocalRegistry, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kitline.cli.main import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COSIGN_PASSWORD", "")
    with pytest.raises(SystemExit):
        main(["keygen"])
    pinned = push(model)
    kitline.sign(pinned, key="kitline.key")

    attest = ModelKitAttestOperator(
        task_id="attest",
        reference=pinned,
        type="https://kitline.io/evaluation/v1",
        predicate={"accuracy": 0.97},
        key="kitline.key",
    )
    context = make_context()
    assert attest.execute(context) == pinned
    assert context["ti"].xcoms["written"] is True

    verify = ModelKitVerifyOperator(
        task_id="verify",
        reference=pinned,
        key="kitline.pub",
        attestations=["https://kitline.io/evaluation/v1"],
    )
    assert verify.execute(context) == pinned
    assert context["ti"].xcoms["verifiedWith"]


def test_verify_fails_without_retries_where_nothing_is_signed(
    connected: LocalRegistry, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.providers.common.compat.sdk import AirflowFailException
    from kitline.cli.main import main

    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(["keygen"])
    pinned = push(model)

    with pytest.raises(AirflowFailException, match="signature"):
        ModelKitVerifyOperator(task_id="v", reference=pinned, key="kitline.pub").execute(
            make_context()
        )
