"""What goes wrong in a step: one clear line in the log, no tag moved, and a retry that works."""

import socket
from typing import TYPE_CHECKING, Any

import kitline
import kitline_kfp
import pytest
from kfp import dsl
from kfp.dsl import Artifact, Output
from kitline.errors import KitlineError, SourceError, UsageError, VerificationError
from kitline.testing import Fault
from kitline_kfp import steps

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import LocalRun

ABSENT = "sha256:" + "0" * 64


@dsl.component(base_image="python:3.11", packages_to_install=[], install_kfp_package=False)
def make(forgotten: Output[Artifact]) -> None:
    pass


@dsl.pipeline(name="push")
def push(to: str, code: str) -> None:
    kitline_kfp.push_modelkit(to=to, code=code)


@dsl.pipeline(name="push forgotten")
def push_forgotten(to: str) -> None:
    kitline_kfp.push_modelkit(to=to, model=make().outputs["forgotten"])


@dsl.pipeline(name="pull")
def pull(modelkit: str) -> None:
    kitline_kfp.pull_modelkit(modelkit=modelkit)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.mark.parametrize(
    ("pipeline", "inputs", "words"),
    [
        (push, {"to": "Team/Bad Name:v1", "code": __file__}, "invalid reference"),
        (push_forgotten, {"to": "team/iris:v1"}, "did the step that makes it write"),
        (push, {"to": f"127.0.0.1:{free_port()}/team/iris:v1", "code": __file__}, "is it running?"),
        (pull, {"modelkit": f"team/iris@{ABSENT}"}, f"no manifest {ABSENT}"),
        (pull, {"modelkit": "team/iris:v1"}, "names no digest"),
    ],
    ids=["bad reference", "missing artifact", "registry down", "digest not there", "no digest"],
)
def test_the_step_fails_with_one_clear_line(
    run_locally: "Callable[..., LocalRun]",
    pipeline: Any,
    inputs: dict[str, str],
    words: str,
) -> None:
    run = run_locally(pipeline, fails=True, **inputs)

    [error] = run.errors
    assert words in error
    assert "Traceback" not in run.log


def test_a_push_that_breaks_off_moves_no_tag_and_the_retry_gives_the_same_digest(
    run_locally: "Callable[..., LocalRun]", local_registry: Any, tmp_path: "Path"
) -> None:
    to = f"{local_registry.host}/team/iris:v1"
    (tmp_path / "train.py").write_text("old")
    old = steps.push(to, code=tmp_path / "train.py")
    (tmp_path / "train.py").write_text("new")
    inputs = {"to": to, "code": str(tmp_path / "train.py")}

    local_registry.inject(Fault.answer(403, code="DENIED", methods=("PUT",), path="/manifests/"))
    run = run_locally(push, fails=True, **inputs)

    assert len(run.errors) == 1
    assert str(kitline.resolve(to)) == old.reference
    retried = run_locally(push, **inputs).output("push-modelkit")
    assert retried["digest"] == steps.push("elsewhere:v1", code=tmp_path / "train.py").digest
    assert str(kitline.resolve(to)) == retried["reference"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "there is nothing to push"),
        ({"docs": "x", "framework": "sklearn"}, "framework belong to a model"),
        ({"docs": "x", "parameters": {"a": 1}}, "parameters belong to a model"),
        ({"model": ["x", "x"]}, "one model"),
        ({"docs": "x", "metrics": {"accuracy": "high"}}, "metric 'accuracy' is 'high'"),
        ({"docs": "x", "metrics": {"rows": 10**400}}, "metric 'rows' is 1000"),
        (
            {"model": "x", "parameters": {"rate": [float("nan")]}},
            r"parameters.rate\[0\]: nan cannot",
        ),
        ({"model": "x", "parameters": {"on": {1: 2}}}, "parameters.on: the key 1 is not a text"),
        ({"model": "x", "parameters": {"names": {"a"}}}, "parameters.names: {'a'} cannot"),
        ({"model": "x", "parents": [3]}, r"parents\[0\] is 3, and has to be a text"),
        ({"model": "x", "parents": {"data": None}}, r"parents\[0\] is None"),
    ],
)
def test_what_makes_no_kit_is_refused(
    arguments: dict[str, Any], words: str, tmp_path: "Path", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").write_text("x")

    with pytest.raises(UsageError, match=words):
        steps.push("team/iris:v1", **arguments)


def test_one_parent_may_be_given_as_a_text(tmp_path: "Path") -> None:
    (tmp_path / "x").write_text("x")
    parent = "data=sha256:" + "1" * 64

    one = steps.push("team/iris:v1", model=tmp_path / "x", parents=parent)

    assert one == steps.push("team/iris:v1", model=tmp_path / "x", parents=[parent])


def test_a_link_that_leaves_the_artifact_is_refused(tmp_path: "Path") -> None:
    model = tmp_path / "model"
    model.mkdir()
    (tmp_path / "secret").write_text("secret")
    (model / "weights").symlink_to(tmp_path / "secret")

    with pytest.raises(SourceError, match="weights"):
        steps.push("team/iris:v1", model=model)


def test_a_pull_into_a_place_that_is_taken_changes_nothing(tmp_path: "Path") -> None:
    (tmp_path / "model").write_text("weights")
    pushed = steps.push("team/iris:v1", model=tmp_path / "model")
    taken = dsl.Model(uri=str(tmp_path / "taken"))
    (tmp_path / "taken").write_text("mine")

    with pytest.raises(KitlineError, match="something is there already"):
        steps.pull(pushed.reference, outputs={"model": taken})

    assert (tmp_path / "taken").read_text() == "mine"
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []


def test_content_that_was_tampered_with_is_not_pulled(
    local_registry: Any, tmp_path: "Path"
) -> None:
    (tmp_path / "model").write_text("weights " * 1000)
    pushed = steps.push(f"{local_registry.host}/team/iris:v1", model=tmp_path / "model")
    output = dsl.Model(uri=str(tmp_path / "pulled"))

    local_registry.inject(Fault.wrong_bytes(times=None))
    with pytest.raises(VerificationError):
        steps.pull(pushed.reference, outputs={"model": output})

    assert not (tmp_path / "pulled").exists()
