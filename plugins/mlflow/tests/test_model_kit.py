"""What is in the kit of a model: drawers, checks of MLmodel, serialisation, parents."""

from __future__ import annotations

import zipfile
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from kitline.errors import SourceError
from kitline.plugin import Collected, Digest, Entry, Parent, bytes_entry
from kitline.store.memory import MemoryStore
from kitline.store.pipeline import read_all
from kitline.testing.plugin_contracts import pack_collected
from kitline_mlflow.files import FOLDER
from kitline_mlflow.model_file import read_model_file
from kitline_mlflow.model_kit import Content, compose
from kitline_mlflow.options import Options
from kitline_mlflow.parents import parents_param
from kitline_mlflow.redact import Redactor
from mlflow.entities import (
    LoggedModel,
    LoggedModelParameter,
    LoggedModelStatus,
    Run,
    RunData,
    RunInfo,
    RunTag,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DATA = Digest.of(b"data kit")


def mlmodel(wrapper: Mapping[str, Any] | None = None, **fields: Any) -> bytes:
    flavor = {"loader_module": "mlflow.sklearn", **(wrapper or {})}
    return yaml.safe_dump({"flavors": {"python_function": flavor}, **fields}).encode()


def model_of(params: Mapping[str, str] | None = None) -> LoggedModel:
    return LoggedModel(
        experiment_id="1",
        model_id="m-1",
        name="iris",
        artifact_location="/a",
        creation_timestamp=1_767_323_045_678,
        last_updated_timestamp=1_767_323_050_000,
        source_run_id="r1",
        status=LoggedModelStatus.READY,
        params=[LoggedModelParameter(key, value) for key, value in (params or {}).items()],
    )


def run_of(tags: Mapping[str, str]) -> Run:
    info = RunInfo("r1", "1", "u", "FINISHED", 1, 2, "active", artifact_uri="/a")
    return Run(info, RunData(tags=[RunTag(*each) for each in tags.items()]))


def kit_of(
    files: Mapping[str, bytes],
    *,
    params: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
    **options: str,
) -> Collected:
    entries: tuple[Entry, ...] = tuple(
        bytes_entry(f"{FOLDER}/{path}", content) for path, content in files.items()
    )
    content = Content(
        model=model_of(params),
        run=run_of(tags or {}),
        files=entries,
        described=read_model_file(entries, FOLDER, "the model"),
        redactor=Redactor(),
    )
    return compose(content, Options.parse(options))


def test_code_paths_and_models_from_code_have_layers_of_their_own() -> None:
    kit = kit_of(
        {
            "MLmodel": mlmodel({"code": "code", "model_code_path": "/home/me/work/script.py"}),
            "code/helper/__init__.py": b"x = 1\n",
            "script.py": b"import mlflow\n",
            "python_model.pkl": b"w",
        }
    )
    assert [each.path for each in kit.tree.kitfile.code] == ["model/code", "model/script.py"]
    manifest = pack_collected(kit, MemoryStore())
    assert len(manifest.layers) == 3


def test_code_stays_in_the_model_where_its_drawer_is_not_wanted() -> None:
    files = {"MLmodel": mlmodel({"code": "code"}), "code/a.py": b"", "m.pkl": b"w"}
    kit = kit_of(files, drawers="model")
    assert kit.tree.kitfile.code == ()
    assert "model/code/a.py" in [each.path for each in kit.tree.entries()]


def test_the_code_drawer_alone_is_a_kit_of_code() -> None:
    files = {"MLmodel": mlmodel({"code": "code"}), "code/a.py": b"", "m.pkl": b"w"}
    kit = kit_of(files, drawers="code")
    assert [each.path for each in kit.tree.entries() if not each.is_folder] == ["model/code/a.py"]
    with pytest.raises(SourceError, match="has nothing for the drawers docs"):
        kit_of(files, drawers="docs")


@pytest.mark.parametrize(
    "wrapper",
    [
        {"data": "../../etc/passwd"},
        {"model_path": "/etc/hostname"},
        {"code": "a/../../b"},
        {"env": {"conda": "../conda.yaml"}},
        {"artifacts": {"x": {"path": "..\\x", "uri": "/any"}}},
        {"model_code_path": "/home/me/.."},
        {"pickled_model": "~/m.pkl"},
    ],
)
def test_paths_in_mlmodel_that_leave_the_folder_are_refused(wrapper: dict[str, Any]) -> None:
    with pytest.raises(SourceError, match=r"which leaves the model's folder; it is not packed"):
        kit_of({"MLmodel": mlmodel(wrapper), "m.pkl": b"w"})


def test_an_mlmodel_that_unfolds_without_end_is_refused() -> None:
    lines = ["flavors:", "  a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 15)]
    entry = bytes_entry(f"{FOLDER}/MLmodel", "\n".join(lines).encode())
    with pytest.raises(SourceError, match="more than 1000000 values"):
        read_model_file((entry,), FOLDER, "it")


def test_an_example_outside_the_folder_is_refused() -> None:
    example = {"artifact_path": "../example.json"}
    with pytest.raises(SourceError, match=r"example\.artifact_path of the MLmodel"):
        kit_of({"MLmodel": mlmodel(saved_input_example_info=example)})


def test_a_foreign_loader_is_recorded_and_told() -> None:
    kit = kit_of({"MLmodel": mlmodel({"loader_module": "evil.module"}), "m.onnx": b"w"})
    assert kit.annotations["io.kitline.mlflow.loader"] == "evil.module"
    assert kit.annotations["io.kitline.mlflow.executes-on-load"] == "true"
    assert "is loaded by the module 'evil.module'" in kit.warnings[0]


@pytest.mark.parametrize(
    ("name", "formats", "executes"),
    [
        ("model.onnx", "onnx", "false"),
        ("model.safetensors", "safetensors", "false"),
        ("model.lgb", "lightgbm", "false"),
        ("model.pkl", "pickle", "true"),
        ("data/model.pth", "torch", "true"),
        ("model.skops", "skops", "true"),
        ("weights.unknown", None, "true"),
    ],
)
def test_the_serialisation_is_recorded(name: str, formats: str | None, executes: str) -> None:
    kit = kit_of({"MLmodel": mlmodel(), name: b"w", "requirements.txt": b"a==1\n"})
    assert kit.annotations.get("io.kitline.mlflow.serialization") == formats
    assert kit.annotations["io.kitline.mlflow.executes-on-load"] == executes


def test_a_missing_file_is_told_and_one_that_http_loses_is_an_error() -> None:
    artifacts = {"x": {"path": "artifacts/lost.txt"}}
    kit = kit_of({"MLmodel": mlmodel({"artifacts": artifacts}), "m.pkl": b"w"})
    assert "names 'artifacts/lost.txt', which is not among its files" in kit.warnings[0]
    artifacts = {"x": {"path": "artifacts/a#b"}}
    with pytest.raises(SourceError, match=r"'artifacts/a#b', which is not.* HTTP store loses"):
        kit_of({"MLmodel": mlmodel({"artifacts": artifacts}), "artifacts/a": b"w"})


def test_fewer_bytes_than_were_saved_are_told() -> None:
    kit = kit_of({"MLmodel": mlmodel(model_size_bytes=100), "m.pkl": b"w" * 60, "conda.yaml": b"x"})
    assert "was saved with 100 bytes and its files have 60" in kit.warnings[0]


def test_risky_requirements_are_told_without_their_secrets() -> None:
    lines = (
        b"numpy==1.0\n--index-url https://u:hunter2@host/simple\n-e .\ngit+https://h/x\n# -e x\n"
    )
    warnings = kit_of({"MLmodel": mlmodel(), "m.pkl": b"w", "requirements.txt": lines}).warnings
    assert len(warnings) == 3
    assert "hunter2" not in "".join(warnings)


def test_params_are_kept_but_kitlines_own_and_secrets() -> None:
    params = {"C": "1", "kitline.parents": "[]", "db_password": "hunter2"}
    kit = kit_of({"MLmodel": mlmodel(), "m.pkl": b"w"}, params=params)
    assert kit.tree.kitfile.model
    assert kit.tree.kitfile.model.parameters == {"C": "1", "db_password": "[redacted]"}


def test_parents_are_those_of_the_model_and_of_the_runs_start() -> None:
    base = Parent(digest=Digest.of(b"base"), role="base", reference=f"r.io/b@{Digest.of(b'base')}")
    kit = kit_of(
        {"MLmodel": mlmodel(), "m.pkl": b"w"},
        params={"kitline.parents": parents_param((base,))},
        tags={"kitline.input.digest": f"reg.example/data@{DATA}"},
    )
    data = Parent(digest=DATA, role="data", reference=f"reg.example/data@{DATA}")
    assert set(kit.parents) == {base, data}


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"digest": "x"}]', '{"digest": "x"}'])
def test_a_param_that_names_no_parent_is_a_warning(text: str) -> None:
    files = {"MLmodel": mlmodel(), "m.pkl": b"w"}
    kit = kit_of(files, params={"kitline.parents": text})
    assert kit.parents == ()
    assert "param 'kitline.parents' of logged model 'm-1' names no parent" in kit.warnings[0]


def test_normalised_models_that_were_logged_twice_are_equal() -> None:
    def logged(at: str) -> Collected:
        volatile = dict.fromkeys(("model_id", "model_uuid", "run_id", "artifact_path"), at)
        text = mlmodel(utc_time_created=at, model_size_bytes=len(at), **volatile)
        return kit_of({"MLmodel": text, "m.pkl": b"w"}, normalize="true")

    first, second = logged("a"), logged("other")
    assert pack_collected(first, MemoryStore()) == pack_collected(second, MemoryStore())
    assert first.annotations["io.kitline.mlflow.profile"] == "portable"


def skops_of(ids: list[int], *, hostile: bool = False) -> bytes:
    written = BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for each in reversed(ids):
            archive.writestr(f"{each}.npy", b"array %d" % ids.index(each))
        nodes = [{"__id__": each, "file": f"{each}.npy"} for each in ids]
        text = yaml.safe_dump(nodes) if hostile else str(nodes).replace("'", '"')
        archive.writestr("schema.json", f'{{"content": {text}}}')
    return written.getvalue()


def test_normalised_skops_files_are_equal_though_their_addresses_differ() -> None:
    def logged(ids: list[int]) -> Collected:
        return kit_of({"MLmodel": mlmodel(), "m.skops": skops_of(ids)}, normalize="skops")

    first, second = logged([140, 99]), logged([7, 800])
    assert pack_collected(first, MemoryStore()) == pack_collected(second, MemoryStore())
    plain = kit_of({"MLmodel": mlmodel(), "m.skops": skops_of([140, 99])}, normalize="true")
    assert pack_collected(plain, MemoryStore()) != pack_collected(first, MemoryStore())


@pytest.mark.parametrize("content", [b"no zip", skops_of([1], hostile=True)])
def test_what_is_no_skops_file_is_not_normalised(content: bytes) -> None:
    with pytest.raises(SourceError, match=r"cannot normalise 'model/m\.skops'"):
        kit_of({"MLmodel": mlmodel(), "m.skops": content}, normalize="skops")


def test_one_estimator_saved_twice_by_mlflow_is_one_normalised_kit(tmp_path: Path) -> None:
    import mlflow
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    data, labels = load_iris(return_X_y=True)

    def saved(name: str) -> Collected:
        fitted = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200)).fit(data, labels)
        mlflow.sklearn.save_model(fitted, tmp_path / name, pip_requirements=["scikit-learn"])
        files = {
            each.relative_to(tmp_path / name).as_posix(): each.read_bytes()
            for each in (tmp_path / name).rglob("*")
            if each.is_file()
        }
        return kit_of(files, normalize="skops")

    first, second = saved("a"), saved("b")
    assert pack_collected(first, MemoryStore()) == pack_collected(second, MemoryStore())
    entry = next(each for each in first.tree.entries() if each.path == "model/model.skops")
    assert entry.open
    with entry.open(0) as stream:
        (tmp_path / "a/model.skops").write_bytes(read_all(stream, entry.size or 0))
    assert mlflow.sklearn.load_model(tmp_path / "a").score(data, labels) > 0.9
