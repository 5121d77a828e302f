"""Exports of kits that nobody vouches for: nothing is run, nothing half-made stays."""

from __future__ import annotations

import json
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kitline
import pytest
from kitline.errors import SourceError, UsageError, VerificationError
from kitline.plugin import Statement
from kitline.testing.trees import SMALL_KIT, write_tree
from kitline_mlflow.copy_facts import parse_facts
from kitline_mlflow.copy_marker import MARK, marked
from kitline_mlflow.export_options import ExportOptions

if TYPE_CHECKING:
    from kitline.operations.export import Exported
    from kitline.testing.trees import Tree
    from mlflow import MlflowClient

    from conftest import Tracked

TYPE = "https://kitline.io/mlflow-run/v1"
MLMODEL = """\
flavors:
  python_function: {loader_module: mlflow.sklearn, model_path: model.pkl}
  sklearn: {pickled_model: model.pkl, serialization_format: cloudpickle}
model_id: m-0123
run_id: 4567
"""
KITFILE = "manifestVersion: 1.0.0\npackage: {name: iris}\nmodel: {path: model}\n"
TWO_PARTS = KITFILE.replace("{path: model}", "{path: model, parts: [{path: big/weights.bin}]}")


def open_client(uri: str) -> MlflowClient:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def export(reference: str, uri: str, *, as_: str = "source", **options: str) -> Exported:
    return kitline.export(reference, "mlflow", options={"tracking_uri": uri, "as": as_, **options})


class Bomb:
    """Writes a file when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("exploded").absolute(),))


def pack(name: str = "iris:v1", /, **changed: str | bytes) -> str:
    """Pack a model whose weights are a bomb."""
    tree: Tree = {
        "Kitfile": KITFILE,
        "model/MLmodel": MLMODEL,
        "model/model.pkl": pickle.dumps(Bomb()),
        **changed,
    }
    folder = Path(name.partition(":")[0])
    return str(kitline.pack(write_tree(folder, tree), name).reference)


def about_run(**facts: object) -> Statement:
    run = {"id": "4567", "experiment": "flowers", "started": 1, "ended": 2, **facts}
    return Statement(predicate_type=TYPE, predicate={"run": run})


@pytest.mark.parametrize("mode", ["source", "pointer", "copy"])
def test_nothing_is_unpickled_during_an_export(tracked: Tracked, mode: str) -> None:
    result = export(pack(), tracked.uri, as_=mode, register="iris")
    assert result.target == "models:/iris/1"
    assert not Path("exploded").exists()
    pickle.loads(pickle.dumps(Bomb()))  # the bomb itself works
    assert Path("exploded").exists()


def test_values_that_mlflow_cuts_off_are_reported(tracked: Tracked) -> None:
    reference = pack()
    kitline.attest(
        reference, about_run(params={"prompt": "é" * 7000, "C": "1"}, tags={"note": "x" * 9000})
    )
    result = export(reference, tracked.uri, as_="copy")
    client = open_client(tracked.uri)
    experiment = client.get_experiment_by_name("flowers").experiment_id
    (run,) = client.search_runs([experiment])
    assert [each for each in result.warnings if "7000" in each] == [
        "param 'prompt' has 7000 characters, MLflow keeps the first 6000"
    ]
    assert [each for each in result.warnings if "9000" in each] == [
        "tag 'note' has 9000 characters, MLflow keeps the first 8000"
    ]
    assert run.data.params["prompt"] == "é" * 6000


@pytest.mark.parametrize(
    "facts",
    [
        {"history": '{"key":"a","points":[[1,2]]}\n'},
        {"history": "no JSON"},
        {"params": ["a"]},
        {"started": "soon"},
        {"datasets": [{"name": "x"}]},
        {"models": {"outputs": [7]}},
    ],
)
def test_a_malformed_predicate_is_an_error_and_no_half_of_it_is_taken(
    facts: dict[str, object],
) -> None:
    with pytest.raises((ValueError, TypeError, KeyError, AttributeError)):
        parse_facts({"run": {"id": "4567", **facts}}, {})


def test_a_predicate_about_another_run_than_the_kits_is_refused() -> None:
    annotations = {"io.kitline.mlflow.run-id": "0123"}
    with pytest.raises(SourceError, match="it is about the run '4567', the kit is of '0123'"):
        parse_facts({"run": {"id": "4567"}}, annotations)


def test_a_malformed_statement_is_left_out_and_said_so(tracked: Tracked) -> None:
    reference = pack()
    kitline.attest(reference, about_run(params=["a"]))
    result = export(reference, tracked.uri, as_="copy")
    assert "was left out" in result.warnings[0]
    assert "copied without it" in result.warnings[1]


def test_of_several_statements_the_one_that_saw_the_end_is_taken(tracked: Tracked) -> None:
    reference = pack()
    kitline.attest(reference, about_run(name="early", status="RUNNING", ended=None))
    kitline.attest(reference, about_run(name="late", status="FINISHED", ended=9))
    export(reference, tracked.uri, as_="copy")
    client = open_client(tracked.uri)
    (run,) = client.search_runs([client.get_experiment_by_name("flowers").experiment_id])
    assert (run.info.run_name, run.info.end_time) == ("late", 9)


def test_a_copy_that_fails_half_way_leaves_nothing_to_find(tracked: Tracked) -> None:
    reference = pack("two:v1", **{"Kitfile": TWO_PARTS, "big/weights.bin": b"w" * 4096})
    kitline.attest(reference, about_run())
    blob = damage_the_second_part(reference)
    with pytest.raises(VerificationError):
        export(reference, tracked.uri, as_="copy", register="iris")
    client = open_client(tracked.uri)
    experiment = client.get_experiment_by_name("flowers").experiment_id
    assert client.search_runs([experiment]) == []
    assert client.search_logged_models([experiment]) == []
    assert client.search_registered_models() == []
    blob.write_bytes(blob.read_bytes().replace(b"W", b"w"))
    assert not export(reference, tracked.uri, as_="copy", register="iris").existed


KILLED = """
import os, signal, sys
import kitline
from mlflow import MlflowClient
MlflowClient.log_model_artifacts = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
kitline.export(sys.argv[1], "mlflow", options={"as": "copy", "tracking_uri": sys.argv[2]})
"""


@pytest.mark.slow
def test_what_a_killed_copy_left_goes_with_the_next(tracked: Tracked) -> None:
    reference = pack()
    kitline.attest(reference, about_run())
    words = [sys.executable, "-W", "ignore", "-c", KILLED, reference, tracked.uri]
    assert subprocess.run(words, check=False).returncode == -signal.SIGKILL
    client = open_client(tracked.uri)
    experiment = client.get_experiment_by_name("flowers").experiment_id
    assert [each.info.status for each in client.search_runs([experiment])] == ["RUNNING"]
    assert [str(e.status) for e in client.search_logged_models([experiment])] == ["PENDING"]
    assert not export(reference, tracked.uri, as_="copy").existed
    assert [each.info.status for each in client.search_runs([experiment])] == ["FINISHED"]
    assert [str(e.status) for e in client.search_logged_models([experiment])] == ["READY"]
    assert export(reference, tracked.uri, as_="copy").existed


def test_what_another_export_is_making_is_left_alone(tracked: Tracked) -> None:
    reference = pack()
    kitline.attest(reference, about_run())
    client = open_client(tracked.uri)
    experiment = client.create_experiment("flowers")
    digest = reference.partition("@")[2]

    def begin(mark: str) -> str:
        tags = {"kitline.digest": digest, MARK: mark}
        run = client.create_run(experiment, tags=tags).info.run_id
        client.create_logged_model(experiment, name="m", source_run_id=run, tags=tags)
        return str(run)

    def there() -> set[str]:
        models = client.search_logged_models([experiment])
        runs = {each.info.run_id for each in client.search_runs([experiment])}
        assert {each.source_run_id for each in models} == runs
        return runs

    with marked() as mine:
        ours = begin(mine)
        begin(mine.rpartition("/")[0].replace("export-", "export-0") + "/1")  # of a dead process
        elsewhere = begin(f"another/export-1/{int(time.time())}")
        begin("another/export-2/1600000000")  # far away, and long ago
        odd = begin("written by nobody of us")
        with marked():
            assert not export(reference, tracked.uri, as_="copy").existed
        kept = {ours, elsewhere, odd}
        assert kept < there()
        assert len(there()) == len(kept) + 1
    whole = [e for e in client.search_logged_models([experiment]) if str(e.status) == "READY"]
    assert [MARK in each.tags for each in whole] == [False]
    assert MARK not in client.get_run(whole[0].source_run_id).data.tags


def damage_the_second_part(reference: str) -> Path:
    manifest = kitline.inspect(reference).to_json()["manifest"]
    digest = manifest["layers"][1]["digest"].removeprefix("sha256:")
    (blob,) = Path.home().rglob(digest)
    blob.chmod(0o644)
    blob.write_bytes(blob.read_bytes().replace(b"w", b"W", 1))
    return blob


def test_a_kit_that_is_no_mlflow_model_is_refused_with_what_to_do(tracked: Tracked) -> None:
    kit = kitline.pack(write_tree(Path("small"), SMALL_KIT), "small:v1")
    for mode in ("copy", "pointer"):
        with pytest.raises(SourceError, match=r"holds no MLmodel in its model drawer.*as=source"):
            export(str(kit.reference), tracked.uri, as_=mode)


def test_a_kit_that_is_no_mlflow_model_is_registered_for_download(tracked: Tracked) -> None:
    kit = kitline.pack(write_tree(Path("small"), SMALL_KIT), "small:v1")
    result = export(str(kit.reference), tracked.uri, register="small")
    assert result.target == "models:/small/1"
    assert "can be downloaded, and loads only if" in result.warnings[0]


def test_an_mlmodel_below_the_drawer_can_be_copied_and_not_pointed_at(tracked: Tracked) -> None:
    kit = kitline.pack(
        write_tree(
            Path("deep"),
            {"Kitfile": KITFILE, "model/inner/MLmodel": MLMODEL, "model/inner/model.pkl": b"x"},
        ),
        "deep:v1",
    )
    with pytest.raises(SourceError, match=r"lies in 'model/inner' and its model drawer is 'model'"):
        export(str(kit.reference), tracked.uri, as_="pointer")
    copied = export(str(kit.reference), tracked.uri, as_="copy")
    model = open_client(tracked.uri).get_logged_model(copied.target.removeprefix("models:/"))
    files = sorted(each.name for each in Path(model.artifact_location).iterdir())
    assert files == ["MLmodel", "model.pkl"]


def test_an_mlmodel_that_would_make_objects_is_refused(tracked: Tracked) -> None:
    evil = "flavors: {x: !!python/object/apply:os.system ['touch exploded']}\n"
    reference = pack("evil:v1", **{"model/MLmodel": evil})
    with pytest.raises(SourceError, match=r"'model/MLmodel' in the kit is not YAML"):
        export(reference, tracked.uri, as_="copy")
    assert not Path("exploded").exists()


def test_a_version_that_only_claims_the_digest_is_not_taken_for_the_kit(tracked: Tracked) -> None:
    reference = pack()
    client = open_client(tracked.uri)
    client.create_registered_model("iris")
    tags = {"kitline.digest": reference.rpartition("@")[2], "kitline.source": "modelkit"}
    client.create_model_version("iris", "modelkit://evil.example/x:v1/model", tags=tags)
    with pytest.raises(kitline.KitlineError, match=r"its source is 'modelkit://evil.example"):
        export(reference, tracked.uri, register="iris")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"as": "magic"}, "option 'as' is 'magic', none of 'source', 'pointer', 'copy'"),
        ({"colour": "red"}, "has no option 'colour'"),
        ({"register": "a/b"}, "MLflow takes no such name"),
        ({"register": "a", "alias": "latest"}, "none that MLflow takes"),
        ({"register": "a", "alias": "v7"}, "none that MLflow takes"),
        ({"alias": "champion", "prompts": "false"}, "add '-o register=NAME'"),
        ({"prompts": "maybe"}, "neither 'true' nor 'false'"),
    ],
)
def test_options_that_make_no_sense_are_refused_by_name(
    options: dict[str, str], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        ExportOptions.parse(options)


def test_a_source_needs_a_name(tracked: Tracked) -> None:
    with pytest.raises(UsageError, match="'-o as=source' makes a version: add '-o register=NAME'"):
        export(pack(), tracked.uri)


def test_a_layout_has_no_name_that_mlflow_could_keep(tracked: Tracked) -> None:
    kit = kitline.copy(pack(), "oci:layout:v1")
    with pytest.raises(UsageError, match="has no name that MLflow could keep"):
        export(str(kit.reference), tracked.uri, register="iris")
    copied = export(str(kit.reference), tracked.uri, as_="copy")
    model = open_client(tracked.uri).get_logged_model(copied.target.removeprefix("models:/"))
    assert "kitline.reference" not in model.tags


def test_a_place_behind_the_name_is_refused(tracked: Tracked) -> None:
    with pytest.raises(UsageError, match="the target is 'mlflow', not 'mlflow:iris'"):
        kitline.export(pack(), "mlflow:iris", options={"tracking_uri": tracked.uri})


def test_what_the_command_prints_is_json_with_the_target(tracked: Tracked) -> None:
    result = export(pack(), tracked.uri, register="iris").to_json()
    assert json.loads(json.dumps(result))["target"] == "models:/iris/1"
