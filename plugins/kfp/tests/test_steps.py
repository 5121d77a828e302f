"""Steps called directly, as people do in tests of their own components."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import kitline
import pytest
from kfp import dsl
from kitline.errors import NotFound, PolicyError, UsageError
from kitline_kfp import steps
from kitline_kfp.components.lineage import lineage_report_component
from kitline_kfp.components.promote import promote_modelkit_component
from kitline_kfp.components.pull import pull_modelkit_component
from kitline_kfp.components.push import push_modelkit_component
from kitline_kfp.components.resolve import resolve_modelkit_component
from kitline_kfp.components.tag import tag_modelkit_component
from kitline_kfp.components.verify import verify_modelkit_component
from kitline_kfp.steps.run import find_invocation, find_run

if TYPE_CHECKING:
    from pathlib import Path

CLUSTER = "minio://mlpipeline/v2/artifacts/iris/6f1b0c1e-7a0f-4f5b-9d3c-2f6f6b8f0a11/push/0a1b/kit"
SALT = "f3c1de11-52c8-4d92-8b0e-7d1d6a1f2b33"
RUN = "6f1b0c1e-7a0f-4f5b-9d3c-2f6f6b8f0a11"
IN_A_TENANT = f"s3://b/11111111-2222-4333-8444-555555555555/x/iris/{RUN}/push/{SALT}/kit"
LOCAL = "/tmp/runs/two-step-2026-11-21-19-24-37-232493/for-loop-2-iteration-0/push/kit"


def artifact(path: Path, kind: Any = dsl.Artifact) -> Any:
    return kind(name=path.name, uri=str(path), metadata={})


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "trained model"
    folder.mkdir()
    (folder / "poids é.bin").write_text("weights")
    return folder


def test_python_functions_of_components_can_be_tested_directly(model: Path, tmp_path: Path) -> None:
    kit = artifact(tmp_path / "kit")
    pushed = push_modelkit_component().python_func(
        to="team/iris:v1", kit=kit, model=artifact(model, dsl.Model)
    )
    outputs = {
        name: artifact(tmp_path / "out" / name)
        for name in ("model", "datasets", "code", "docs", "prompts", "kit")
    }
    pulled = pull_modelkit_component().python_func(modelkit=pushed.reference, **outputs)
    again = artifact(tmp_path / "again")
    resolved = resolve_modelkit_component().python_func(modelkit="team/iris:v1", kit=again)
    tagged = tag_modelkit_component().python_func(modelkit=pushed.reference, tag="b", kit=again)
    report = artifact(tmp_path / "report.html", dsl.HTML)
    shown = lineage_report_component().python_func(modelkit=pushed.reference, report=report)

    assert tuple(pushed) == tuple(pulled) == tuple(resolved) == tuple(tagged) == tuple(shown)
    assert (tmp_path / "out/model/poids é.bin").read_text() == "weights"
    assert not (tmp_path / "out/datasets").exists()
    assert kit.metadata["oci_digest"] == pushed.digest
    assert kit.uri == str(tmp_path / "kit")  # never a reference: to KFP, that is an image
    for each in (kit, again, report, *outputs.values()):
        assert {type(value) for value in each.metadata.values()} <= {str}


def test_python_functions_that_judge_and_move_can_be_tested_directly(
    model: Path, tmp_path: Path, make_keys: Any
) -> None:
    pushed = steps.push("team/iris:v1", model=model)
    private, public = make_keys(tmp_path)
    kitline.sign(pushed.reference, key=str(private))
    report, moved = artifact(tmp_path / "report"), artifact(tmp_path / "moved")

    verified = verify_modelkit_component().python_func(
        modelkit=pushed.reference, report=report, key=public.read_text()
    )
    promoted = promote_modelkit_component().python_func(
        modelkit=verified.reference, stage="production", kit=moved
    )

    assert tuple(promoted) == (*pushed, "")
    assert tuple(verified) == tuple(pushed)
    assert json.loads((tmp_path / "report").read_text())["digest"] == pushed.digest
    for each in (report, moved):  # clusters bring back other values as something else
        assert each.metadata["oci_digest"] == pushed.digest
        assert {type(value) for value in each.metadata.values()} == {str}


def test_names_of_outputs_do_not_change_the_digest(model: Path, tmp_path: Path) -> None:
    other = model.rename(tmp_path / "another name")

    one = steps.push("a:v1", model=other)
    two = steps.push("b:v1", model=other.rename(model))

    assert one.digest == two.digest


def test_the_run_is_said_beside_the_kit_and_another_run_adds_one_statement(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_RUN_ID", "0123456789abcdef0123456789abcdef")
    monkeypatch.setenv("KITLINE_GIT_COMMIT", "a" * 40)
    digests = set()
    for run in ("one-2026-11-21-19-24-37-232493", "two-2026-11-21-19-24-37-232493"):
        for _ in range(2):  # a retry of the step says nothing new
            kit = artifact(tmp_path / run / "push/kit")
            digests.add(steps.push("team/iris:v1", model=model, kit=kit).digest)

    said = [
        each.predicate
        for each in kitline.read_statements("team/iris:v1", "https://slsa.dev/provenance/v1")
    ]
    assert len(digests) == 1
    ids = {each["runDetails"]["metadata"]["invocationId"] for each in said}
    assert ids == {"one-2026-11-21-19-24-37-232493", "two-2026-11-21-19-24-37-232493"}
    assert len(said) == 2
    for kind, value in (("git-commit", "a" * 40), ("mlflow-run", "0123456789abcdef" * 2)):
        [found] = kitline.find(kind, value)
        assert {str(found.digest)} == digests


@pytest.mark.parametrize(
    ("address", "run", "task"),
    [
        (CLUSTER, RUN, "push"),
        (IN_A_TENANT, RUN, "push"),
        (LOCAL, "two-step-2026-11-21-19-24-37-232493", "for-loop-2-iteration-0/push"),
    ],
)
def test_the_address_of_an_output_names_the_run(address: str, run: str, task: str) -> None:
    assert find_run(address) == (run, task)
    found = find_invocation(dsl.Artifact(uri=address), environ={})
    assert found is not None
    assert (found.system, found.id) == ("kfp", run)


@pytest.mark.parametrize("address", ["", "/tmp/kit", "s3://bucket/kit", "kit"])
def test_an_address_that_names_no_run_says_nothing(address: str) -> None:
    assert find_invocation(dsl.Artifact(uri=address), environ={}) is None


def test_what_the_environment_says_of_the_run_comes_first() -> None:
    said = {"KITLINE_INVOCATION": '{"system": "airflow", "id": "dag/1"}'}
    found = find_invocation(dsl.Artifact(uri=LOCAL), environ=said)
    assert found is not None
    assert found.system == "airflow"
    found = find_invocation(dsl.Artifact(uri=LOCAL), environ={"KFP_RUN_ID": "a-run"})
    assert found is not None
    assert found.id == "a-run"


def test_bare_names_go_below_the_registry_of_the_settings(
    model: Path, local_registry: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KITLINE_REGISTRY", f"{local_registry.host}/team")

    pushed = steps.push("iris:v1", model=model)

    assert pushed.reference.startswith(f"{local_registry.host}/team/iris@")
    assert steps.resolve("iris:v1") == pushed
    assert steps.fetch(f"iris@{pushed.digest}").reference == pushed.reference


def test_a_folder_is_packed_as_on_the_command_line(model: Path) -> None:
    pushed = steps.push_folder(model, "team/iris:v1", parents=["base=sha256:" + "1" * 64])

    again = kitline.pack(model, "again:v1", parents=["base=sha256:" + "1" * 64])
    assert pushed.digest == str(again.digest)


@pytest.mark.parametrize("place", ["local store", "registry"])
def test_a_kit_that_was_removed_is_noticed_by_whoever_takes_it(
    model: Path, tmp_path: Path, make_keys: Any, local_registry: Any, place: str
) -> None:
    host = f"{local_registry.host}/" if place == "registry" else ""
    pushed = steps.push(f"{host}team/iris:v1", model=model)
    _, public = make_keys(tmp_path)
    kitline.remove(pushed.reference)

    for consume in (
        lambda: steps.fetch(pushed.reference),
        lambda: steps.pull(pushed.reference, outputs={}),
        lambda: steps.tag(pushed.reference, "checked"),
        lambda: steps.promote(pushed.reference, "production"),
        lambda: steps.evaluate(pushed.reference, {"recall": 1}),
        lambda: steps.lineage_report(pushed.reference, artifact(tmp_path / "page")),
        lambda: steps.verify(pushed.reference, key=str(public)),
    ):
        with pytest.raises(NotFound, match=f"no manifest {pushed.digest}"):
            consume()


def test_in_a_pod_a_name_without_registry_is_refused(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.delenv("KITLINE_HOME")

    with pytest.raises(UsageError, match="would go with this pod"):
        steps.push("team/iris:v1", model=model)


def test_numbers_of_numpy_are_numbers(model: Path) -> None:
    import numpy

    given = {"depth": numpy.int64(3), "rates": [numpy.float32(0.5)]}
    pushed = steps.push("a:v1", model=model, parameters=given, metrics=given | {"rates": 1})

    assert pushed == steps.push("a:v1", model=model, parameters={"depth": 3, "rates": [0.5]})
    [said] = kitline.read_statements("a:v1", "https://kitline.io/evaluation/v1")
    assert said.predicate == {"metrics": {"depth": 3, "rates": 1}}


def test_three_is_three_whether_it_came_through_kfp_or_not(model: Path) -> None:
    one = steps.push("a:v1", model=model, parameters={"depth": 3, "rate": [1, 0.5]})
    two = steps.push("b:v1", model=model, parameters={"depth": 3.0, "rate": [1.0, 0.5]})

    assert one.digest == two.digest


def test_outputs_of_one_name_keep_apart(tmp_path: Path) -> None:
    sources = []
    for number in range(3):
        path = tmp_path / str(number) / "data: é@x"
        path.parent.mkdir()
        path.write_text(str(number))
        sources.append(path)

    pushed = steps.push("team/data:v1", datasets=sources)

    datasets = kitline.inspect(pushed.reference).kit.kitfile.datasets
    assert [each.path for each in datasets] == [
        "datasets/data- é-x", "datasets/data- é-x-2", "datasets/data- é-x-3",
    ]  # fmt: skip


def test_policies_stop_steps_too(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (model / "more.pkl").write_bytes(b"\x80\x05N.")
    pushed = steps.push("team/iris:v1", model=model)
    (tmp_path / "policy.toml").write_text('[policy]\nforbidden_formats = ["pickle"]\n')
    monkeypatch.setenv("KITLINE_POLICY", str(tmp_path / "policy.toml"))
    place = tmp_path / "pulled"

    for consume in (
        lambda: steps.pull(pushed.reference, outputs={"model": artifact(place)}),
        lambda: steps.fetch(pushed.reference, place),
    ):
        with pytest.raises(PolicyError):
            consume()
        assert not place.exists()


def test_metrics_of_a_push_and_later_ones_let_a_kit_be_promoted(
    model: Path, tmp_path: Path
) -> None:
    measured = artifact(tmp_path / "metrics", dsl.Metrics)
    measured.log_metric("accuracy", 0.9)
    pushed = steps.push("team/iris:v1", model=model, metrics=measured)

    with pytest.raises(PolicyError):
        steps.promote(pushed.reference, "production", require=["metric:recall:ge:0.8"])
    later = steps.evaluate(pushed.reference, {"recall": 0.85})
    promoted = steps.promote(
        pushed.reference,
        "production",
        require=["metric:recall:ge:0.8", "metric:accuracy:ge:0.9"],
    )

    assert later == pushed
    assert promoted.digest == pushed.digest


def test_an_evaluation_is_signed_when_a_key_is_set(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_keys: Any
) -> None:
    private, public = make_keys(tmp_path)
    monkeypatch.setenv("KITLINE_SIGN_KEY", str(private))
    pushed = steps.push("team/iris:v1", model=model)

    steps.evaluate(pushed.reference, {"recall": 0.85})

    done = steps.verify(
        pushed.reference, key=public.read_text(), attestations=["evaluation"], signature=False
    )
    assert done == pushed
