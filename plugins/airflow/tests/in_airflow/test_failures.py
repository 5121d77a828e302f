"""Registries that are down, slow, refuse or break off: a retry where it helps, no moved tag."""

from __future__ import annotations

from typing import TYPE_CHECKING

import kitline
import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException
from contexts import execute_and_kill, make_context
from kitline.testing import BasicAuth, Fault, LocalRegistry
from kitline_airflow import (
    ModelKitPromoteOperator,
    ModelKitPullOperator,
    ModelKitPushOperator,
    ModelKitTagOperator,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def push(folder: Path) -> ModelKitPushOperator:
    return ModelKitPushOperator(task_id="push", folder=str(folder), to="team/iris:v1")


def test_a_registry_that_is_down_is_worth_a_retry(
    connect: Callable[..., None], model: Path
) -> None:
    with LocalRegistry() as gone:
        host = gone.host
    connect(host)

    with pytest.raises(AirflowException, match="is it running") as caught:
        push(model).execute(make_context())
    assert not isinstance(caught.value, AirflowFailException)


def test_refused_credentials_are_not_and_the_message_names_the_connection(
    connect: Callable[..., None], model: Path
) -> None:
    with LocalRegistry(auth=BasicAuth(username="ann", password="s3cret")) as registry:
        connect(registry.host, login="ann", password="wr0ng-secret")

        with pytest.raises(AirflowFailException, match="modelkit_default") as caught:
            push(model).execute(make_context())
    assert "wr0ng-secret" not in str(caught.value)


def test_credentials_of_the_connection_are_used_and_no_variable_is_set(
    connect: Callable[..., None], model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    with LocalRegistry(auth=BasicAuth(username="ann", password="s3cret")) as registry:
        connect(registry.host, login="ann", password="s3cret")
        before = dict(os.environ)

        pinned = push(model).execute(make_context())

    assert pinned.startswith(registry.host)
    assert dict(os.environ) == before


def test_a_connection_lost_in_mid_upload_is_taken_up_again(
    connected: LocalRegistry, model: Path
) -> None:
    (model / "model.bin").write_bytes(bytes(6 << 20))
    connected.inject(Fault.cut_upload(after=1 << 20))

    pinned = push(model).execute(make_context())

    assert str(kitline.resolve(f"{connected.host}/team/iris:v1")) == pinned


def test_one_that_stays_lost_fails_for_a_retry_and_moves_no_tag(
    connected: LocalRegistry, model: Path
) -> None:
    first = push(model).execute(make_context())
    (model / "model.bin").write_bytes(bytes(6 << 20))
    connected.inject(Fault.cut_upload(after=1 << 10, times=None))

    with pytest.raises(AirflowException) as caught:
        push(model).execute(make_context())

    assert not isinstance(caught.value, AirflowFailException)
    connected.faults.clear()
    assert str(kitline.resolve(f"{connected.host}/team/iris:v1")) == first


def test_a_quota_is_final_and_nothing_is_named(connected: LocalRegistry, model: Path) -> None:
    connected.inject(Fault.quota_exceeded())

    with pytest.raises(AirflowFailException, match="quota"):
        push(model).execute(make_context())

    connected.faults.clear()
    assert kitline.resolve(f"{connected.host}/team/iris:v1") is None


def test_a_slow_registry_is_waited_for(connected: LocalRegistry, model: Path) -> None:
    connected.inject(Fault.stall(seconds=0.5, times=2))

    assert push(model).execute(make_context())


def test_content_that_is_not_its_digest_is_final_and_leaves_nothing(
    connected: LocalRegistry, model: Path, tmp_path: Path
) -> None:
    pinned = push(model).execute(make_context())
    connected.inject(Fault.wrong_bytes(times=None))
    operator = ModelKitPullOperator(task_id="p", reference=pinned, folder=str(tmp_path / "out"))

    with pytest.raises(AirflowFailException, match="digest"):
        operator.execute(make_context())

    assert not list((tmp_path / "out").glob("**/*.bin"))


@pytest.mark.parametrize("given", ["", None])
def test_an_empty_reference_says_what_to_give(connected: LocalRegistry, given: object) -> None:
    operator = ModelKitTagOperator(task_id="tag", reference=given, tag="x")

    with pytest.raises(AirflowFailException, match="'reference' is empty; give 'reference', or"):
        operator.execute(make_context())


def test_a_kit_that_is_not_there_is_not_promoted(connected: LocalRegistry) -> None:
    operator = ModelKitPromoteOperator(task_id="p", reference="team/iris:v9", stage="production")

    with pytest.raises(AirflowFailException, match="v9"):
        operator.execute(make_context())

    assert kitline.resolve(f"{connected.host}/team/iris:production") is None


def test_on_kill_gives_up_an_upload_and_moves_no_tag(connected: LocalRegistry, model: Path) -> None:
    (model / "model.bin").write_bytes(bytes(32 << 20))
    connected.inject(Fault.stall(seconds=1, methods=("PATCH",), times=None, path="/blobs/uploads/"))
    operator = push(model)

    execute_and_kill(operator, lambda: connected.count("POST"))

    connected.faults.clear()
    assert kitline.resolve(f"{connected.host}/team/iris:v1") is None
