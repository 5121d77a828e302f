"""The logged model of a real run becomes a kit whose digest does not change any more."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kitline.errors import SourceError, UsageError
from kitline.kit.pack import PackOptions, pack
from kitline.oci.digest import Digest
from kitline.plugin import Collected, ImportContext, Parent, Plugins
from kitline.store.memory import MemoryStore
from mlflow import MlflowClient
from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    LoggedModelOutput,
    LoggedModelStatus,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Tracked

DATA = Digest.of(b"data kit")


def import_run(tracked: Tracked, source: str = "", **options: str) -> Collected:
    source = source or f"mlflow://runs/{tracked.run_id}"
    importer = Plugins.load(disabled=()).importer_for(source)
    return importer.collect(source, {"tracking_uri": tracked.uri, **options}, ImportContext())


def digest_of(collected: Collected) -> Digest:
    options = PackOptions(annotations=collected.manifest_annotations(), created=collected.created)
    return pack(collected.tree, MemoryStore(), options=options).manifest.digest


def new_run(tracked: Tracked, *models: LoggedModelStatus, end: str = "FINISHED") -> list[str]:
    """Make a run with logged models that hold the template's files; return run and model ids."""
    client = MlflowClient(tracking_uri=tracked.uri)
    run_id = client.create_run(tracked.experiment_id).info.run_id
    model_ids = []
    for state in models:
        model = client.create_logged_model(
            tracked.experiment_id, name="other", source_run_id=run_id
        )
        client.log_outputs(run_id, [LoggedModelOutput(model_id=model.model_id, step=0)])
        shutil.copytree(tracked.model_folder, model.artifact_location)
        client.finalize_logged_model(model.model_id, state)
        model_ids.append(model.model_id)
    if end != "RUNNING":
        client.set_terminated(run_id, end)
    return [run_id, *model_ids]


def test_the_kit_holds_the_files_of_the_model_and_nothing_else(template: Tracked) -> None:
    collected = import_run(template)
    entries = list(collected.tree.entries())
    names = sorted(each.name for each in template.model_folder.iterdir())
    assert [each.path for each in entries] == ["model", *(f"model/{name}" for name in names)]
    assert {each.mode for each in entries} == {0o755, 0o644}
    assert "MLmodel" in names
    for each in entries[1:]:
        assert each.open
        with each.open(0) as stream:
            buffer = bytearray(each.size or 0)
            assert stream.readinto(memoryview(buffer)) == each.size
        assert bytes(buffer) == (template.model_folder / each.path[6:]).read_bytes()


def test_the_kitfile_tells_framework_format_and_the_params_of_the_model(template: Tracked) -> None:
    model = import_run(template).tree.kitfile.model
    assert model
    assert (model.path, model.framework, model.format) == ("model", "sklearn", "skops")
    assert model.parameters == {"C": "0.5", "max_iter": "200", "solver": "lbfgs"}


def test_ids_recipe_and_creation_time_are_in_the_manifest(template: Tracked) -> None:
    import mlflow

    collected = import_run(template)
    made = MlflowClient(tracking_uri=template.uri).get_logged_model(template.model_id)
    assert collected.manifest_annotations() == {
        "io.kitline.mlflow.model-id": template.model_id,
        "io.kitline.mlflow.run-id": template.run_id,
        "io.kitline.mlflow.version": mlflow.__version__,
        "io.kitline.mlflow.serialization": "skops",
        "io.kitline.mlflow.executes-on-load": "true",
        "io.kitline.recipe": "mlflow/2",
    }
    assert collected.created == datetime.fromtimestamp(made.creation_timestamp // 1000, UTC)


def test_where_the_run_lies_is_kept_outside_the_kit(tracked: Tracked) -> None:
    collected = import_run(tracked, f"runs:/{tracked.run_id}")
    assert collected.origin.source == f"models:/{tracked.model_id}"
    assert collected.origin.server == tracked.uri
    assert not any(tracked.uri in text for text in collected.manifest_annotations().values())


def test_later_metrics_tags_and_names_change_no_digest(tracked: Tracked) -> None:
    before = digest_of(import_run(tracked))
    client = MlflowClient(tracking_uri=tracked.uri)
    client.log_metric(tracked.run_id, "late", 1.0)
    client.set_tag(tracked.run_id, "kitline.digest", str(before))
    client.set_tag(tracked.run_id, "note", "late")
    client.update_run(tracked.run_id, name="renamed")
    client.set_logged_model_tags(tracked.model_id, {"kitline.digest": str(before), "a": "b"})
    client.create_registered_model("iris")
    client.create_model_version("iris", str(tracked.model_folder), tracked.run_id)
    client.set_registered_model_alias("iris", "champion", "1")
    assert digest_of(import_run(tracked)) == before


def test_every_spelling_of_the_source_gives_the_same_digest(template: Tracked) -> None:
    run, experiment = template.run_id, template.experiment_id
    digests = {
        digest_of(import_run(template, source))
        for source in (
            f"mlflow://runs/{run}",
            f"mlflow://experiments/{experiment}/runs/{run}",
            f"mlflow://tracking.example/experiments/{experiment}/runs/{run}",
            f"runs:/{run}",
        )
    }
    assert len(digests) == 1


def test_what_mlflow_leaves_in_the_folder_later_is_no_part_of_the_kit(tracked: Tracked) -> None:
    run_id, model_id = new_run(tracked, LoggedModelStatus.READY)
    source = f"mlflow://runs/{run_id}"
    before = digest_of(import_run(tracked, source))
    folder = Path(MlflowClient(tracked.uri).get_logged_model(model_id).artifact_location)
    (folder / "registered_model_meta").write_text("model_name: iris\n")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__/code.pyc").write_bytes(b"x")
    (folder / "empty").mkdir()
    (folder / "MLmodel").chmod(0o700)
    assert digest_of(import_run(tracked, source)) == before


def test_changed_weights_give_another_digest(tracked: Tracked) -> None:
    run_id, model_id = new_run(tracked, LoggedModelStatus.READY)
    source = f"mlflow://runs/{run_id}"
    before = digest_of(import_run(tracked, source))
    folder = Path(MlflowClient(tracked.uri).get_logged_model(model_id).artifact_location)
    with (folder / "model.skops").open("ab") as weights:
        weights.write(b"\0")
    assert digest_of(import_run(tracked, source)) != before


def test_stamped_input_digests_become_parents(tracked: Tracked) -> None:
    client = MlflowClient(tracking_uri=tracked.uri)
    client.set_tag(tracked.run_id, "kitline.input.digest", f"reg.example/data@{DATA}")
    data = Dataset(name="iris", digest="1", source_type="local", source="{}")
    tag = InputTag(key="kitline.digest", value=str(Digest.of(b"other")))
    client.log_inputs(tracked.run_id, datasets=[DatasetInput(data, [tag])])
    assert set(import_run(tracked).parents) == {
        Parent(digest=DATA, role="data", reference=f"reg.example/data@{DATA}"),
        Parent(digest=Digest.of(b"other"), role="data"),
    }


def test_a_stamp_that_is_no_digest_is_a_warning(tracked: Tracked) -> None:
    MlflowClient(tracked.uri).set_tag(tracked.run_id, "kitline.input.digest", "latest")
    collected = import_run(tracked)
    assert collected.parents == ()
    assert "tag 'kitline.input.digest'" in collected.warnings[0]


def test_a_run_that_is_not_there_is_named_with_its_server(template: Tracked) -> None:
    with pytest.raises(SourceError) as caught:
        import_run(template, "mlflow://runs/0123456789abcdef")
    assert str(caught.value) == (
        f"run '0123456789abcdef' is not at the MLflow server {template.uri!r};"
        " name another with MLFLOW_TRACKING_URI or '-o tracking_uri=…'"
    )


def test_a_missing_database_is_not_created(tmp_path: Path) -> None:
    path = tmp_path / "none.db"
    importer = Plugins.load(disabled=()).importer_for("runs:/1")
    with pytest.raises(SourceError, match="no MLflow database at"):
        importer.collect("runs:/1", {"tracking_uri": f"sqlite:///{path}"}, ImportContext())
    assert not path.exists()


def test_a_run_of_another_experiment_is_refused(template: Tracked) -> None:
    with pytest.raises(SourceError, match="belongs to experiment '1', not to '7'"):
        import_run(template, f"mlflow://experiments/7/runs/{template.run_id}")


def test_an_unfinished_run_is_packed_only_when_asked_for(tracked: Tracked) -> None:
    run_id, _ = new_run(tracked, LoggedModelStatus.READY, end="RUNNING")
    source = f"mlflow://runs/{run_id}"
    with pytest.raises(SourceError, match=r"is RUNNING, not FINISHED.*allow-unfinished=true"):
        import_run(tracked, source)
    unfinished = digest_of(import_run(tracked, source, **{"allow-unfinished": "true"}))
    MlflowClient(tracked.uri).set_terminated(run_id)
    assert digest_of(import_run(tracked, source)) == unfinished


def test_a_model_that_failed_is_refused(tracked: Tracked) -> None:
    run_id, model_id = new_run(tracked, LoggedModelStatus.FAILED)
    with pytest.raises(SourceError, match=f"is READY: {model_id} is FAILED"):
        import_run(tracked, f"runs:/{run_id}")


def test_of_several_models_one_is_chosen_by_id(tracked: Tracked) -> None:
    ready = LoggedModelStatus.READY
    run_id, first, second = new_run(tracked, ready, ready)
    with pytest.raises(SourceError, match="has 2 logged models") as caught:
        import_run(tracked, f"runs:/{run_id}")
    assert first in str(caught.value)
    assert second in str(caught.value)
    chosen = import_run(tracked, f"runs:/{run_id}", model=second)
    assert chosen.annotations["io.kitline.mlflow.model-id"] == second
    with pytest.raises(SourceError, match="has no logged model 'm-1'"):
        import_run(tracked, f"runs:/{run_id}", model="m-1")


def test_an_unknown_option_is_refused(template: Tracked) -> None:
    with pytest.raises(UsageError, match="has no option 'modle'; known are allow-unfinished,"):
        import_run(template, modle="m-1")


def _escape(folder: Path) -> None:
    secret = folder.parent / "secret"
    secret.write_text("x")
    (folder / "weights").symlink_to(secret)


def _escape_by_folder(folder: Path) -> None:
    (folder / "code").symlink_to(folder.parent)


def _large_model_file(folder: Path) -> None:
    (folder / "MLmodel").write_bytes(b"#" * (5 << 20))


def _python_in_yaml(folder: Path) -> None:
    (folder / "MLmodel").write_text("flavors: !!python/object/apply:os.getcwd []\n")


def _deep_yaml(folder: Path) -> None:
    (folder / "MLmodel").write_text("[" * 100_000)


def _no_flavor(folder: Path) -> None:
    (folder / "MLmodel").write_text("flavors: []\n")


def _no_model_file(folder: Path) -> None:
    (folder / "MLmodel").unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_escape, "is a link that leaves the model's folder"),
        (_escape_by_folder, "is a link to a folder"),
        (_large_model_file, "is larger than 4194304 bytes"),
        (_python_in_yaml, "is not YAML"),
        (_deep_yaml, "is not YAML"),
        (_no_flavor, "names no flavor"),
        (_no_model_file, "has no file MLmodel"),
        (shutil.rmtree, "is missing"),
    ],
)
def test_a_hostile_or_broken_model_folder_is_refused(
    tracked: Tracked, damage: Callable[[Path], None], message: str
) -> None:
    run_id, model_id = new_run(tracked, LoggedModelStatus.READY)
    damage(Path(MlflowClient(tracked.uri).get_logged_model(model_id).artifact_location))
    with pytest.raises(SourceError, match=message):
        import_run(tracked, f"runs:/{run_id}")
