"""What a recipe makes of fixed input is fixed: other bytes need another recipe."""

from __future__ import annotations

import pytest
from kitline.kit.pack import PackOptions, pack
from kitline.oci.digest import Digest
from kitline.plugin import bytes_entry
from kitline.store.memory import MemoryStore
from kitline_mlflow.files import FOLDER
from kitline_mlflow.model_file import read_model_file
from kitline_mlflow.model_kit import Content, compose
from kitline_mlflow.options import RECIPE, Options
from kitline_mlflow.prompt_file import PromptFile
from kitline_mlflow.redact import Redactor
from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    LoggedModel,
    LoggedModelParameter,
    LoggedModelStatus,
    LoggedModelTag,
    Run,
    RunData,
    RunInfo,
    RunInputs,
    RunTag,
)

GOLDEN = {
    "mlflow/1": "sha256:b7015062df79a4214bc1ccc459ba051d484529f685cc6101432830843907b25a",
    "mlflow/2": "sha256:9a7f37883e542605ec8f287c989fddf2c75c2dfdf9e782532547bac79be3e603",
}
MLMODEL = b"""\
artifact_path: /somewhere/artifacts
flavors:
  python_function:
    loader_module: mlflow.sklearn
  sklearn:
    serialization_format: cloudpickle
mlflow_version: 3.17.2
model_id: m-1
"""
FILES = (
    bytes_entry("model/model.pkl", b"weights"),
    bytes_entry("model/MLmodel", MLMODEL),
    bytes_entry("model/code/a.py", b"a = 1\n"),
)
WITH_CODE = bytes_entry(
    "model/MLmodel", MLMODEL.replace(b"  sklearn:\n", b"  sklearn:\n    code: code\n")
)
PROMPT = PromptFile(name="greeting", version=2, template="Dear {{name}}")


def made_run(*, changed: bool) -> Run:
    tags = [RunTag("kitline.input.digest", str(Digest.of(b"data")))]
    data = Dataset(name="iris", digest="1", source_type="local", source="{}")
    stamp = InputTag(key="kitline.digest", value=str(Digest.of(b"other data")))
    return Run(
        RunInfo(
            run_id="r1",
            experiment_id="1" if changed else "2",
            user_id="u",
            status="FINISHED",
            start_time=1,
            end_time=2 if changed else 3,
            lifecycle_stage="active",
            artifact_uri="/a" if changed else "/b",
            run_name="a" if changed else "b",
        ),
        RunData(tags=[*tags, RunTag("kitline.digest", "x")] if changed else tags),
        RunInputs(dataset_inputs=[DatasetInput(data, [stamp])]),
    )


def made_model(*, changed: bool) -> LoggedModel:
    return LoggedModel(
        experiment_id="1" if changed else "2",
        model_id="m-1",
        name="a" if changed else "b",
        artifact_location="/a" if changed else "/b",
        creation_timestamp=1_767_323_045_678,
        last_updated_timestamp=1_767_323_050_000 if changed else 1_767_323_060_000,
        source_run_id="r1",
        status=LoggedModelStatus.READY,
        params=[LoggedModelParameter("b", "1.0"), LoggedModelParameter("a", "é")],
        tags=[LoggedModelTag("kitline.digest", "x")] if changed else [],
    )


def digest_of(recipe: str, *, changed: bool, files: tuple[object, ...] = FILES) -> str:
    is_first = recipe == "mlflow/1"
    content = Content(
        model=made_model(changed=changed),
        run=made_run(changed=changed),
        files=files,  # type: ignore[arg-type] # entries
        described=read_model_file(files, FOLDER, "the model"),  # type: ignore[arg-type] # same
        prompts=() if is_first else (PROMPT,),
        redactor=Redactor(),
    )
    collected = compose(content, Options(recipe=recipe))
    options = PackOptions(annotations=collected.manifest_annotations(), created=collected.created)
    return str(pack(collected.tree, MemoryStore(), options=options).manifest.digest)


@pytest.mark.parametrize("recipe", sorted(GOLDEN))
def test_the_recipe_makes_the_digest_that_it_always_made(recipe: str) -> None:
    files = FILES if recipe == "mlflow/1" else (FILES[0], WITH_CODE, FILES[2])
    assert digest_of(recipe, changed=False, files=files) == GOLDEN[recipe]


def test_every_recipe_has_a_golden_digest() -> None:
    assert RECIPE in GOLDEN
    assert Options.parse({}).recipe == RECIPE


def test_what_may_change_after_ready_is_not_in_the_digest() -> None:
    assert digest_of(RECIPE, changed=True) == digest_of(RECIPE, changed=False)
