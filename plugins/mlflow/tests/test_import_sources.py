"""Each way to name a model leads to the same kit; containers are listed."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kitline
import kitline_mlflow
import mlflow
import pytest
from kitline.cli.main import main
from kitline.errors import SourceError, UsageError
from kitline.plugin import Digest, ImportContext, Plugins
from kitline.store.memory import MemoryStore
from kitline.testing.command_line import CommandLine
from kitline.testing.plugin_contracts import pack_collected
from kitline_mlflow.files import find_files
from kitline_mlflow.importer import collect, describe
from kitline_mlflow.prompt_file import PromptFile
from kitline_mlflow.server import Server
from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput, LoggedModelStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kitline.plugin import Collected
    from kitline.testing import LocalRegistry

    from conftest import Tracked


@pytest.fixture(autouse=True)
def _ambient(tracked: Tracked) -> Iterator[None]:
    """MLflow's registry in a database looks up logged models at the ambient server."""
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(tracked.uri)
    yield
    mlflow.set_tracking_uri(before)


def import_(tracked: Tracked, source: str, **options: str) -> Collected:
    return collect(source, {"tracking_uri": tracked.uri, **options}, ImportContext())


def listed(tracked: Tracked, source: str) -> list[str]:
    importer = Plugins.load(disabled=()).importer_for(source)
    assert importer.expand
    return list(importer.expand(source, {"tracking_uri": tracked.uri}, ImportContext()))


def digest_of(collected: Collected) -> Digest:
    return pack_collected(collected, MemoryStore()).digest


def log_another(tracked: Tracked, name: str, run_id: str = "", status: str = "READY") -> str:
    client = MlflowClient(tracked.uri)
    model = client.create_logged_model(
        tracked.experiment_id, name=name, source_run_id=run_id or None
    )
    if run_id:
        client.log_outputs(run_id, [LoggedModelOutput(model_id=model.model_id, step=0)])
    shutil.copytree(tracked.model_folder, model.artifact_location)
    client.finalize_logged_model(model.model_id, LoggedModelStatus(status))
    return str(model.model_id)


def register(tracked: Tracked, name: str, source: str) -> str:
    client = MlflowClient(tracked.uri)
    client.create_registered_model(name)
    return str(client.create_model_version(name, source).version)


def test_run_model_version_and_alias_are_one_kit(tracked: Tracked) -> None:
    client = MlflowClient(tracked.uri)
    register(tracked, "Schöne Blume", f"models:/{tracked.model_id}")
    client.set_registered_model_alias("Schöne Blume", "champion", "1")
    client.create_registered_model("copy")
    client.copy_model_version("models:/Schöne Blume/1", "copy")
    client.create_registered_model("by-path")
    client.create_model_version("by-path", str(tracked.model_folder), tracked.run_id)
    digests = {
        digest_of(import_(tracked, source))
        for source in (
            f"mlflow://runs/{tracked.run_id}",
            f"runs:/{tracked.run_id}/iris",
            f"models:/{tracked.model_id}",
            f"mlflow://models/{tracked.model_id}",
            "models:/Schöne Blume/1",
            "models:/Schöne Blume@champion",
            "models:/copy/1",
            "models:/by-path/1",
        )
    }
    assert len(digests) == 1


def test_local_files_and_the_store_are_one_kit(tracked: Tracked, tmp_path: Path) -> None:
    shutil.copytree(tracked.model_folder, tmp_path / "saved")
    server = Server(tracked.uri)
    model = server.get_model(tracked.model_id)
    described = describe(server, model, find_files(tmp_path / "saved"))
    assert digest_of(described) == digest_of(import_(tracked, f"models:/{tracked.model_id}"))


def test_a_model_logged_outside_a_run_is_a_kit(tracked: Tracked) -> None:
    model_id = log_another(tracked, "lonely")
    kit = import_(tracked, f"models:/{model_id}")
    assert kit.annotations["io.kitline.mlflow.model-id"] == model_id
    assert "io.kitline.mlflow.run-id" not in kit.annotations
    assert "run" not in kit.statements[0].predicate


def test_two_models_of_one_name_are_told_apart_by_id(tracked: Tracked) -> None:
    second = log_another(tracked, "iris", tracked.run_id)
    for source, options in ((f"runs:/{tracked.run_id}/iris", {}), ("", {"model": "iris"})):
        with pytest.raises(SourceError, match="has 2 logged models named 'iris': ") as caught:
            import_(tracked, source or f"runs:/{tracked.run_id}", **options)
        assert second in str(caught.value)
    kit = import_(tracked, f"runs:/{tracked.run_id}", model=second)
    assert kit.annotations["io.kitline.mlflow.model-id"] == second


def test_a_model_is_chosen_by_its_name(tracked: Tracked) -> None:
    other = log_another(tracked, "other", tracked.run_id)
    kit = import_(tracked, f"runs:/{tracked.run_id}/other")
    assert kit.annotations["io.kitline.mlflow.model-id"] == other


@pytest.mark.parametrize("status", ["FAILED", "PENDING"])
def test_a_model_that_is_not_ready_is_refused(tracked: Tracked, status: str) -> None:
    model_id = log_another(tracked, "iris", status=status)
    with pytest.raises(SourceError, match=f"logged model '{model_id}' is {status}, not READY"):
        import_(tracked, f"models:/{model_id}")


def test_a_deleted_model_is_told(tracked: Tracked) -> None:
    MlflowClient(tracked.uri).delete_logged_model(tracked.model_id)
    with pytest.raises(SourceError, match="is not at the MLflow server"):
        import_(tracked, f"models:/{tracked.model_id}")
    with pytest.raises(SourceError, match="were deleted"):
        import_(tracked, f"runs:/{tracked.run_id}")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("models:/none/1", "version 1 of model 'none' is not at the MLflow server"),
        ("models:/none@champion", "model 'none' with the alias 'champion'"),
        ("prompts:/none/1", "version 1 of prompt 'none' is not at the MLflow server"),
        (f"models:/m-{'0' * 32}", "is not at the MLflow server"),
    ],
)
def test_what_is_not_there_is_named(tracked: Tracked, source: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        import_(tracked, source)


def test_a_version_with_a_foreign_source_is_refused_without_its_secrets(tracked: Tracked) -> None:
    version = register(tracked, "far", "s3://me:pw@bucket/model")
    with pytest.raises(SourceError, match=r"is 's3://bucket/model', which is no logged model"):
        import_(tracked, f"models:/far/{version}")


def test_a_version_that_is_a_kit_answers_that_kit(tracked: Tracked) -> None:
    digest = Digest.of(b"kit")
    version = register(tracked, "kit", f"modelkit://reg.example/iris@{digest}/model")
    found = import_(tracked, f"models:/kit/{version}")
    assert [str(each) for each in found.known] == [f"reg.example/iris@{digest}"]
    with pytest.raises(SourceError, match="MLflow has no other files of it"):
        digest_of(found)


def test_the_kit_that_a_model_has_is_answered_unless_asked_again(tracked: Tracked) -> None:
    source = f"models:/{tracked.model_id}"
    options = {"tracking_uri": tracked.uri}
    first = kitline.import_(source, "iris:v1", options=options)
    MlflowClient(tracked.uri).set_logged_model_tags(
        tracked.model_id, {"kitline.reference": str(first.reference)}
    )
    assert import_(tracked, source).known == (first.reference,)
    assert import_(tracked, source, normalize="true").known == ()
    assert kitline.import_(source, "iris:v2", options=options).digest == first.digest
    again = kitline.import_(source, "iris:v3", options={**options, "again": "true"})
    assert again.digest == first.digest


def test_a_tag_that_is_no_reference_is_ignored(tracked: Tracked) -> None:
    client = MlflowClient(tracked.uri)
    client.set_logged_model_tags(tracked.model_id, {"kitline.reference": "not a reference"})
    assert import_(tracked, f"models:/{tracked.model_id}").known == ()


def test_a_prompt_is_a_kit_of_its_own(tracked: Tracked) -> None:
    client = MlflowClient(tracked.uri)
    client.register_prompt("greeting", "Dear {{name}}")
    chat = [{"role": "user", "content": "hi {{name}}"}]
    client.register_prompt("greeting", chat, response_format={"type": "object"})
    client.set_prompt_alias("greeting", "best", 2)
    kit = import_(tracked, "prompts:/greeting/1")
    (part,) = kit.tree.kitfile.prompts
    assert part.path == "prompts/greeting-v1.json"
    assert kit.annotations == {"io.kitline.mlflow.prompt": "prompts:/greeting/1"}
    before = digest_of(kit)
    client.set_prompt_version_tag("greeting", 1, "mood", "good")
    assert digest_of(import_(tracked, "prompts:/greeting/1")) == before
    second = import_(tracked, "prompts:/greeting@best")
    entry = next(each for each in second.tree.entries() if not each.is_folder)
    assert entry.open
    with entry.open(0) as stream:
        buffer = bytearray(entry.size or 0)
        stream.readinto(memoryview(buffer))
    found = PromptFile.from_json(bytes(buffer), entry.path)
    assert found == PromptFile(
        name="greeting", version=2, template=chat, response_format={"type": "object"}
    )
    assert found.to_json() == bytes(buffer)


def test_linked_prompts_are_a_drawer_of_the_model(tracked: Tracked) -> None:
    client = MlflowClient(tracked.uri)
    client.register_prompt("greeting", "Dear {{name}}")
    model_id = log_another(tracked, "linked")
    folder = client.get_logged_model(model_id).artifact_location
    path = f"{folder}/MLmodel"
    with open(path) as file:
        text = file.read()
    with open(path, "w") as file:
        file.write(text.replace("prompts: null", "prompts:\n- prompts:/greeting/1"))
    kit = import_(tracked, f"models:/{model_id}")
    assert [each.path for each in kit.tree.kitfile.prompts] == ["prompts/greeting-v1.json"]
    client.delete_prompt_version("greeting", "1")
    with pytest.raises(SourceError, match="leave prompts out with '-o drawers=model,code'"):
        import_(tracked, f"models:/{model_id}")
    assert import_(tracked, f"models:/{model_id}", drawers="model").tree.kitfile.prompts == ()


def test_containers_are_listed_and_not_packed(tracked: Tracked) -> None:
    client = MlflowClient(tracked.uri)
    log_another(tracked, "failed", status="FAILED")
    run_id = client.create_run(tracked.experiment_id).info.run_id
    running = client.create_run(tracked.experiment_id).info.run_id
    client.set_terminated(run_id)
    expected = [f"models:/{tracked.model_id}", f"mlflow://runs/{run_id}"]
    assert listed(tracked, f"mlflow://experiments/{tracked.experiment_id}") == expected
    assert listed(tracked, "mlflow://experiments/iris") == expected
    assert running not in str(expected)
    register(tracked, "iris", f"models:/{tracked.model_id}")
    client.create_model_version("iris", f"models:/{tracked.model_id}")
    assert listed(tracked, "models:/iris") == ["models:/iris/1", "models:/iris/2"]
    for source in ("models:/iris", "mlflow://experiments/1"):
        with pytest.raises(UsageError, match="holds many things; see them with"):
            import_(tracked, source)
    with pytest.raises(SourceError, match="experiment 'none' is not at"):
        listed(tracked, "mlflow://experiments/none")


def test_what_a_container_lists_is_imported_in_one_go_and_skipped_the_second_time(
    tracked: Tracked, registry: LocalRegistry
) -> None:
    client = MlflowClient(tracked.uri)
    client.set_terminated(client.create_run(tracked.experiment_id).info.run_id)
    run = CommandLine(main)
    server = ["-o", f"tracking_uri={tracked.uri}"]
    shown = run("import", "--list", "mlflow://experiments/iris", *server).stdout.splitlines()
    given = [f"{source} {registry.host}/many/n{at}:v1" for at, source in enumerate(shown)]
    given.insert(1, f"mlflow://runs/{'0' * 32} {registry.host}/many/none:v1")
    first = run("import", "--from", "-", *server, stdin="\n".join(given))
    second = run("import", "--from", "-", *server, stdin="\n".join(given))
    found = [[json.loads(line) for line in each.stdout.splitlines()] for each in (first, second)]
    assert [each["state"] for each in found[0]] == ["imported", "failed", "imported"]
    # what a run without a model knows may have changed, so it is packed again
    assert [each["state"] for each in found[1]] == ["existed", "failed", "imported"]
    assert found[0][2]["digest"] == found[1][2]["digest"]
    assert "is not at the MLflow server" in found[0][1]["error"]["message"]
    assert (first.code, second.code) == (1, 1)
    tags = client.get_logged_model(tracked.model_id).tags
    assert tags["kitline.digest"] == found[1][0]["digest"]


class Bomb:
    """Writes a file when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("exploded").absolute(),))


def test_nothing_is_unpickled_during_an_import(tracked: Tracked) -> None:
    model_id = log_another(tracked, "hostile")
    folder = Path(MlflowClient(tracked.uri).get_logged_model(model_id).artifact_location)
    for name in ("model.pkl", "model.skops", "data.joblib"):
        (folder / name).write_bytes(pickle.dumps(Bomb()).ljust(10_000, b"\0"))
    source = f"models:/{model_id}"
    imported = kitline.import_(source, "a:v1", options={"normalize": "mlmodel"})
    logged = kitline_mlflow.log_modelkit(model_uri=source, reference="b:v1")
    assert imported.digest != logged.digest
    assert not Path("exploded").exists()
    pickle.loads(pickle.dumps(Bomb()))  # the bomb itself works
    assert Path("exploded").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"drawers": "weights"}, "option 'drawers' holds 'weights', none of model, code"),
        ({"drawers": ","}, "option 'drawers' names none of"),
        ({"normalize": "all"}, "option 'normalize' is 'all'"),
        ({"run-facts": "yes"}, "option 'run-facts' is 'yes', none of statement, in-kit"),
        ({"recipe": "mlflow/9"}, "option 'recipe' is 'mlflow/9'"),
        ({"traces": "maybe"}, "option 'traces' is 'maybe'"),
        ({"redact": "("}, "cannot redact by '\\(', which is no regular expression"),
    ],
)
def test_an_unusable_option_is_named(
    template: Tracked, options: dict[str, str], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        import_(template, f"models:/{template.model_id}", **options)


def test_an_older_recipe_is_still_made(template: Tracked) -> None:
    kit = import_(template, f"models:/{template.model_id}", recipe="mlflow/1")
    assert kit.recipe == "mlflow/1"
    assert "io.kitline.mlflow.serialization" not in kit.annotations
