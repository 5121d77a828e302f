"""`make demo`: one digest at every hand-over, in the local store and in three registries."""

from __future__ import annotations

import re
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from harness.programs import Kit, need_program
from harness.registries import KINDS, serve

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.demo import Demo

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    """Where a registry keeps its content."""
    folder = tmp_path / "storage"
    folder.mkdir()
    return folder


def test_the_demo_passes_and_once_more_makes_nothing_anew(
    new_demo: Callable[[str | None], Demo],
) -> None:
    demo = new_demo(None)
    printed = demo.run()

    assert_story(demo, printed)
    assert_graph(demo)
    page = (demo.folder / "lineage.html").read_text()
    assert "<svg" in page
    assert all(demo.digest(name)[7:19] in page for name in ("cancer-data:v1", "cancer:v2"))

    before, data = blobs(demo.folder / "kitline/store"), demo.digest("cancer-data:v1")
    again = demo.run("--again")

    assert "KFP has this in its cache: nothing was trained" in again
    assert blobs(demo.folder / "kitline/store") == before
    assert demo.digest("cancer-data:v1") == data


@pytest.mark.registry
@pytest.mark.parametrize("kind", ["docker-registry", "olareg"])
def test_the_demo_passes_with_a_registry(
    kind: str, new_demo: Callable[[str | None], Demo], storage: Path
) -> None:
    with serve(kind, storage) as registry:
        demo = new_demo(registry.reference("team"))
        assert_story(demo, demo.run())
        assert_graph(demo)


@pytest.mark.peer
@pytest.mark.registry
def test_with_distribution_once_more_uploads_nothing_and_kit_unpacks_what_is_in_production(
    new_demo: Callable[[str | None], Demo], storage: Path, tmp_path: Path
) -> None:
    home = tmp_path / "kit-home"
    home.mkdir()
    kit = Kit(program=need_program("kit"), home=home)
    with serve("distribution", storage) as registry:
        demo = new_demo(registry.reference("team"))
        assert_story(demo, demo.run())
        assert_graph(demo)

        before = blobs(storage)
        again = demo.run("--again")
        assert "KFP has this in its cache: nothing was trained" in again
        assert blobs(storage) == before

        production = f"{demo.name('cancer')}@{demo.digest('cancer:production')}"
        kit.run("unpack", production, "-d", tmp_path / "unpacked", "--plain-http")
    assert (tmp_path / "unpacked/model/MLmodel").is_file()
    loads = "import mlflow, sys; print(mlflow.pyfunc.load_model(sys.argv[1]).loader_module)"
    loaded = demo.ask("python", "-c", loads, str(tmp_path / "unpacked/model"))
    assert loaded.strip() == "mlflow.sklearn"


@pytest.mark.registry
def test_data_and_model_have_the_same_digest_wherever_they_are_imported(
    new_demo: Callable[[str | None], Demo], tmp_path: Path
) -> None:
    demo = new_demo(None)
    demo.make_repository()
    data = demo.pinned("import", "dvc:data@v1", "-t", "cancer-data:v1")
    demo.ask("python", "train_pipeline.py", data, "cancer:v1", "1")
    manifest = demo.json("inspect", "cancer:v1")["manifest"]
    model = f"models:/{manifest['annotations']['io.kitline.mlflow.model-id']}"

    with ExitStack() as running:
        for kind in KINDS:
            (tmp_path / kind).mkdir()
            registry = running.enter_context(serve(kind, tmp_path / kind))
            for source, name in ((model, "cancer:v1"), ("dvc:data@v1", "cancer-data:v1")):
                to = registry.reference(f"team/{name}")
                made = demo.pinned("import", source, "-t", to, "-o", "again=true")
                assert made.endswith(f"@{demo.digest(name)}"), (kind, name)


def assert_story(demo: Demo, printed: str) -> None:
    """Read the table: a column of one digest for each kit, and every tool in it."""
    rows = re.findall(r"^   (data|model|worse) +(\w+) .* sha256:(\w{12})$", printed, re.MULTILINE)
    digests = {kit: {digest for name, _, digest in rows if name == kit} for kit, _, _ in rows}
    tools = {kit: {tool for name, tool, _ in rows if name == kit} for kit, _, _ in rows}
    store = "registry" if demo.registry else "store"
    model = {"KFP", "MLflow", "Airflow", "consumer", "lineage", store}

    assert tools == {"data": model - {"consumer"} | {"DVC"}, "model": model, "worse": model}
    assert {kit: len(found) for kit, found in digests.items()} == dict.fromkeys(digests, 1)
    names = {"data": "cancer-data:v1", "model": "cancer:production", "worse": "cancer:v2"}
    assert digests == {kit: {demo.digest(name)[7:19]} for kit, name in names.items()}
    assert "42 malignant tumours found, 0 missed" in printed
    assert "29 malignant tumours found, 13 missed" in printed


def assert_graph(demo: Demo) -> None:
    """Ask the kits: models made from the data, by which run of which tool, from which commit."""
    data, model, worse = map(demo.digest, ("cancer-data:v1", "cancer:v1", "cancer:v2"))
    graph = demo.json("lineage", demo.name("cancer-data:v1"))
    nodes = {each["digest"]: each for each in graph["nodes"]}

    assert {digest: each["type"] for digest, each in nodes.items()} == {
        data: "dataset",
        model: "model",
        worse: "model",
    }
    assert {(e["child"], e["parent"], e["role"]) for e in graph["edges"]} == {
        (model, data, "data"),
        (worse, data, "data"),
    }
    assert all("manifest" in each["sources"] for each in graph["edges"])
    assert graph["complete"]
    assert [each.rpartition("/")[2] for each in nodes[model]["stages"]] == ["cancer:production"]

    # the runs: Kubeflow's and MLflow's made the models, Airflow's moved the stage
    for digest in (model, worse):
        systems = {each.split()[0]: each.split()[1] for each in nodes[digest]["runs"]}
        assert set(systems) == {"kfp", "mlflow"}
        assert (demo.folder / "kfp-runs" / systems["kfp"]).is_dir()
        assert found(demo, "mlflow-run", systems["mlflow"]) == {digest}
    history = demo.json("stages", demo.name("cancer"), "--history", "production")
    moves = [(each["action"], each["kit"], each["run"]) for each in records(history)]
    assert [(action, kit) for action, kit, _ in moves] == [
        ("promote", model),
        ("promote", worse),
        ("rollback", model),
    ]
    assert [run["system"] for _, _, run in moves] == ["airflow"] * 3
    assert [re.sub(r"manual__[^/]+", "…", run["id"]) for _, _, run in moves] == [
        "promote_cancer/…/promote",
        "promote_cancer/…/promote",
        "roll_back_cancer/…/roll_back",
    ]

    # git and DVC: the commit of the data, the commit of the code that trained, the md5
    tracked = yaml.safe_load((demo.folder / "repository/data.dvc").read_text())
    assert found(demo, "dvc-md5", tracked["outs"][0]["md5"]) == {data}
    assert found(demo, "git-commit", demo.ask("git", "rev-parse", "v1").strip()) == {data}
    trained_at = demo.ask("git", "rev-parse", "HEAD").strip()
    assert found(demo, "git-commit", trained_at) == {model, worse}


def found(demo: Demo, kind: str, value: str) -> set[str]:
    return {each["digest"] for each in demo.json("find", kind, value)["kits"]}


def records(history: Any) -> list[dict[str, Any]]:
    """Return the moves, oldest first."""
    [stage] = history["stages"]
    return list(stage["history"])


def blobs(storage: Path) -> dict[str, int]:
    """Return every blob, manifest and link that a store or registry keeps, with its size."""
    return {
        str(path.relative_to(storage)): path.stat().st_size
        for path in storage.rglob("*")
        if path.is_file() and ("blobs" in path.parts or "_manifests" in path.parts)
    }
