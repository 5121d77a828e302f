"""Push and pull in real local runs: one digest in parameters, metadata, receipt and store."""

from typing import TYPE_CHECKING, Any

import kitline
import kitline_kfp
from kfp import dsl
from kfp.dsl import Dataset, Metrics, Model, Output
from kitline_kfp import steps

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import LocalRun


STEP = {"base_image": "python:3.11", "packages_to_install": [], "install_kfp_package": False}


@dsl.component(**STEP)
def make(model: Output[Model], train: Output[Dataset], metrics: Output[Metrics]) -> None:
    import os

    os.makedirs(f"{model.path}/étage un")
    with open(f"{model.path}/étage un/poids.bin", "wb") as file:
        file.write(b"weights")
    with open(train.path, "w") as file:
        file.write("1,2\n")
    metrics.log_metric("accuracy", 0.9)


@dsl.component(**STEP)
def read(model: dsl.Input[Model], data: dsl.Input[Dataset]) -> str:
    with open(f"{model.path}/étage un/poids.bin", "rb") as file:
        weights = file.read()
    with open(data.path) as file:
        return weights.decode() + " " + file.read().strip()


@dsl.pipeline(name="push")
def push(to: str) -> None:
    made = make()
    kitline_kfp.push_modelkit(
        to=to, model=made.outputs["model"], dataset=made.outputs["train"], parameters={"depth": 3}
    )


@dsl.pipeline(name="round trip")
def round_trip(to: str) -> None:
    made = make()
    pushed = kitline_kfp.push_modelkit(
        to=to,
        model=made.outputs["model"],
        dataset=made.outputs["train"],
        metrics=made.outputs["metrics"],
        parameters={"depth": 3},
    )
    pulled = kitline_kfp.source(pushed.outputs["reference"])
    read(model=pulled.outputs["model"], data=pulled.outputs["datasets"])


def test_what_is_pushed_is_pulled_by_digest_in_a_later_step(
    run_locally: "Callable[..., LocalRun]", local_registry: Any
) -> None:
    run = run_locally(round_trip, to=f"{local_registry.host}/team/kit:v1")

    digest = run.output("push-modelkit")["digest"]
    assert run.output("read")["Output"] == "weights 1,2"
    assert run.output("push-modelkit")["reference"] == f"{local_registry.host}/team/kit@{digest}"
    assert run.metadata("push-modelkit", "kit")["oci_digest"] == digest
    assert run.receipt("push-modelkit")["digest"] == digest
    assert str(kitline.inspect(f"{local_registry.host}/team/kit:v1").digest) == digest


def test_the_local_store_gives_the_same_digest(
    run_locally: "Callable[..., LocalRun]", local_registry: Any
) -> None:
    run = run_locally(push, to="team/kit:v1")

    made = run.folder / "make"
    content = {"model": made / "model", "datasets": made / "train", "parameters": {"depth": 3}}
    scripted = steps.push(f"{local_registry.host}/team/kit:v1", **content)
    assert run.output("push-modelkit")["digest"] == scripted.digest
