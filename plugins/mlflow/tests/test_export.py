"""Exports to a second server: once, with lineage, times and metrics as at the first."""

from __future__ import annotations

import contextlib
import json
import math
import shutil
import sqlite3
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kitline
import pytest
import yaml
from kitline.cli.main import main
from kitline.errors import TargetError
from kitline.testing.command_line import CommandLine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kitline.operations.export import Exported
    from kitline.testing import LocalRegistry
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Run

    from conftest import MlflowServer, Tracked

STARTED, ENDED = 1_700_000_000_000, 1_700_000_360_000
PARENT = f"sha256:{'7' * 64}"
POINTS = [("loss", 1.0 / (step + 1), STARTED + step, step) for step in range(1500)]
ODD = [
    ("odd", math.nan, STARTED, 0),
    ("odd", math.inf, STARTED, 1),
    ("odd", -math.inf, STARTED, 2),
    ("läss/π", 0.1 + 0.2, STARTED, -3),
]
TAGS = {
    "mlflow.source.git.commit": "0123456789abcdef0123456789abcdef01234567",
    "mlflow.source.name": "train.py",
    "mlflow.note.content": "Überblick 🌱\nzweite Zeile",
    "kitline.input.digest": PARENT,
}


@dataclass(frozen=True, kw_only=True)
class Source:
    """A run at the first server, and its kit."""

    uri: str
    run: Run
    model: LoggedModel
    digest: str
    reference: str


def open_client(uri: str) -> MlflowClient:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri, registry_uri=uri)


@pytest.fixture(scope="module")
def empty(template: Tracked, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a database that knows nothing: the template's, emptied."""
    path = tmp_path_factory.mktemp("empty") / "mlflow.db"
    shutil.copy(template.uri.removeprefix("sqlite:///"), path)
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        tables = database.execute("select name from sqlite_master where type = 'table'")
        for (name,) in tables.fetchall():
            if name not in ("alembic_version", "experiments", "workspaces", "sqlite_sequence"):
                database.execute(f'delete from "{name}"')
        database.execute("delete from experiments where experiment_id != 0")
    return path


@pytest.fixture
def second(empty: Path, put_database: Callable[[str, Path], str]) -> str:
    """Return another server, which knows nothing."""
    return put_database("second", empty)


@pytest.fixture(scope="module")
def flowers(template: Tracked, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, str]:
    """Make a run with everything that a copy has to keep: its server, its id and its model's."""
    folder = tmp_path_factory.mktemp("flowers")
    shutil.copy(template.uri.removeprefix("sqlite:///"), folder / "mlflow.db")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    client = open_client(uri)
    experiment = client.create_experiment("flowers", artifact_location=str(folder / "artifacts"))
    run = make_run(client, experiment)
    model = make_model(client, experiment, run, template.model_folder)
    client.set_terminated(run.info.run_id, end_time=ENDED)
    return uri, run.info.run_id, model.model_id


@pytest.fixture
def source(flowers: tuple[str, str, str], put_database: Callable[[str, Path], str]) -> Source:
    """Return the run at a server of this test alone, and its kit in the local store."""
    template, run_id, model_id = flowers
    uri = put_database("first", Path(template.removeprefix("sqlite:///")))
    kit = kitline.import_(f"mlflow://runs/{run_id}", "iris:v1", options={"tracking_uri": uri})
    client = open_client(uri)
    return Source(
        uri=uri,
        run=client.get_run(run_id),
        model=client.get_logged_model(model_id),
        digest=str(kit.digest),
        reference=str(kit.reference),
    )


def make_run(client: MlflowClient, experiment: str) -> Run:
    from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param

    run = client.create_run(experiment, start_time=STARTED, run_name="erster Lauf", tags=TAGS)
    run_id = run.info.run_id
    client.log_batch(run_id, params=[Param("C", "0.5"), Param("größe", "x" * 5000)])
    points = [Metric(*each) for each in (*POINTS, *ODD)]
    client.log_batch(run_id, metrics=points[:1000])
    client.log_batch(run_id, metrics=points[1000:])
    data = Dataset(
        "iris", "abcd1234", "local", '{"uri": "data/iris.csv"}', '{"a": 1}', '{"n": 150}'
    )
    client.log_inputs(run_id, [DatasetInput(data, [InputTag("mlflow.data.context", "training")])])
    return run


def make_model(client: MlflowClient, experiment: str, run: Run, files: Path) -> LoggedModel:
    from mlflow.entities import LoggedModelOutput, Metric

    run_id = run.info.run_id
    model = client.create_logged_model(
        experiment,
        name="iris",
        source_run_id=run_id,
        params={"solver": "lbfgs"},
        tags={"team": "β"},
    )
    client.log_model_artifacts(model.model_id, str(files))
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, 7)])
    accuracy = Metric(
        "accuracy",
        0.97,
        STARTED + 5,
        7,
        model_id=model.model_id,
        dataset_name="iris",
        dataset_digest="abcd1234",
        run_id=run_id,
    )
    client.log_batch(run_id, metrics=[accuracy])
    return client.finalize_logged_model(model.model_id, "READY")


def export(source: Source | str, uri: str, *, as_: str = "source", **options: str) -> Exported:
    reference = source if isinstance(source, str) else source.reference
    return kitline.export(reference, "mlflow", options={"tracking_uri": uri, "as": as_, **options})


def the_copy(uri: str, experiment_name: str = "flowers") -> tuple[Run, LoggedModel]:
    """Return the only run and the only model of the experiment at a server."""
    client = open_client(uri)
    experiment = client.get_experiment_by_name(experiment_name).experiment_id
    (run,) = client.search_runs([experiment])
    (model,) = client.search_logged_models([experiment])
    return client.get_run(run.info.run_id), client.get_logged_model(model.model_id)


def history(client: MlflowClient, run: Run) -> dict[str, list[tuple[int, int, str]]]:
    return {
        key: sorted(
            (each.timestamp, each.step, repr(each.value))
            for each in client.get_metric_history(run.info.run_id, key)
        )
        for key in run.data.metrics
    }


def aliases_of(client: MlflowClient) -> dict[str, str]:
    """Return the aliases; databases give versions as numbers, servers as texts."""
    return {key: str(each) for key, each in client.get_registered_model("iris").aliases.items()}


def lasting(tags: dict[str, str]) -> dict[str, str]:
    return {
        key: value
        for key, value in tags.items()
        if not key.startswith("kitline.") and key != "mlflow.modelVersions"
    }


def facts_of(client: MlflowClient, run: Run, model: LoggedModel) -> dict[str, Any]:
    """Return all that a copy has to keep, with the server's own ids left out."""
    (data,) = run.inputs.dataset_inputs
    (output,) = run.outputs.model_outputs
    return {
        "times": (run.info.start_time, run.info.end_time, run.info.status, run.info.run_name),
        "params": dict(run.data.params),
        "tags": lasting(run.data.tags) | {"input": run.data.tags["kitline.input.digest"]},
        "history": history(client, run),
        "data": data.to_dictionary(),
        "step": output.step,
        "model": (model.name, model.params, lasting(model.tags), str(model.status)),
        "model metrics": [
            (each.key, each.value, each.timestamp, each.step, each.dataset_digest)
            for each in model.metrics
        ],
    }


def test_a_copy_keeps_times_params_history_inputs_and_the_metrics_of_the_model(
    source: Source, second: str
) -> None:
    result = export(source, second, as_="copy")
    run, model = the_copy(second)
    assert (result.target, result.existed) == (f"models:/{model.model_id}", False)
    assert run.info.run_id != source.run.info.run_id
    assert facts_of(open_client(second), run, model) == facts_of(
        open_client(source.uri), source.run, source.model
    )
    assert len(history(open_client(second), run)["loss"]) == 1500


def test_a_copy_names_the_kit_its_parents_and_the_run_that_it_was(
    source: Source, second: str
) -> None:
    export(source, second, as_="copy")
    run, model = the_copy(second)
    for tags in (run.data.tags, model.tags):
        assert tags["kitline.digest"] == source.digest
        assert tags["kitline.reference"] == source.reference
        assert tags["kitline.parent.digest"] == PARENT
    assert run.data.tags["kitline.source.run-id"] == source.run.info.run_id
    assert model.source_run_id == run.info.run_id


def test_a_copied_model_holds_the_other_servers_ids_and_loads(source: Source, second: str) -> None:
    import mlflow
    from kitline_mlflow.export_ambient import ambient_server

    export(source, second, as_="copy")
    run, model = the_copy(second)
    described = yaml.safe_load(Path(model.artifact_location, "MLmodel").read_text())
    assert described["model_id"] == described["model_uuid"] == model.model_id
    assert described["run_id"] == run.info.run_id
    assert described["artifact_path"] == model.artifact_location
    before = yaml.safe_load(Path(source.model.artifact_location, "MLmodel").read_text())
    assert described["flavors"] == before["flavors"]
    with ambient_server(second):
        loaded = mlflow.pyfunc.load_model(f"models:/{model.model_id}")
    assert loaded.predict([[5.1, 3.5, 1.4, 0.2]])[0] == 0


@pytest.mark.parametrize("mode", ["source", "pointer", "copy"])
def test_exporting_twice_makes_one_version(source: Source, second: str, mode: str) -> None:
    options = {"register": "iris", "alias": "champion", "as_": mode}
    first = export(source, second, **options)
    again = export(source, second, **options)
    client = open_client(second)
    (version,) = client.search_model_versions("name = 'iris'")
    assert (first.target, first.existed) == ("models:/iris/1", False)
    assert (again.target, again.existed) == ("models:/iris/1", True)
    assert version.tags["kitline.digest"] == source.digest
    assert aliases_of(client) == {"champion": "1"}


def test_a_moved_alias_is_put_back_and_said_to_be_a_change(source: Source, second: str) -> None:
    client = open_client(second)
    export(source, second, register="iris", alias="champion")
    client.delete_registered_model_alias("iris", "champion")
    again = export(source, second, register="iris", alias="champion")
    assert not again.existed
    assert aliases_of(client) == {"champion": "1"}


def test_promotion_by_source_copies_no_file(
    source: Source, second: str, registry: LocalRegistry
) -> None:
    pushed = kitline.push(source.reference, f"{registry.host}/team/iris:v1")
    before = len(registry.requests)
    result = export(str(pushed.reference), second, register="iris")
    version = open_client(second).get_model_version("iris", "1")
    assert version.source == f"modelkit://{pushed.reference}/model"
    layers = [
        each["digest"] for each in kitline.inspect(source.reference).to_json()["manifest"]["layers"]
    ]
    read = [each.path.rpartition("/")[2] for each in registry.requests[before:]]
    assert set(read) & set(layers) == set()
    assert result.warnings == ()
    assert not Path(second.removeprefix("sqlite:///")).with_name("mlruns").exists()


@pytest.mark.slow  # waits for a real server
def test_a_copy_over_http_is_equal_to_the_source(
    source: Source, mlflow_server: MlflowServer
) -> None:
    import mlflow

    options = {"experiment": "http-copies", "register": "http-iris", "alias": "champion"}
    words = [f"-o{key}={value}" for key, value in options.items()]
    words += [f"-otracking_uri={mlflow_server.url}", "-oas=copy", "--json"]
    first = CommandLine(main)("export", source.reference, "mlflow", *words).json
    again = export(source, mlflow_server.url, as_="copy", **options)
    run, model = the_copy(mlflow_server.url, "http-copies")
    assert (first["existed"], again.existed, again.target) == (False, True, first["target"])
    assert facts_of(open_client(mlflow_server.url), run, model) == facts_of(
        open_client(source.uri), source.run, source.model
    )
    mlflow.set_tracking_uri(mlflow_server.url)
    try:
        loaded = mlflow.pyfunc.load_model("models:/http-iris@champion")
    finally:
        mlflow.set_tracking_uri(source.uri)
    assert loaded.predict([[5.1, 3.5, 1.4, 0.2]])[0] == 0


@pytest.mark.slow  # waits for a real server
def test_names_that_the_http_store_loses_are_reported_and_nothing_stays(
    source: Source, mlflow_server: MlflowServer
) -> None:
    folder = kitline.unpack(source.reference, "unpacked").folder
    (folder / "model" / "a#b.txt").write_text("lost")
    (folder / "model" / "50%25.txt").write_text("lost")
    kit = kitline.pack(folder, "odd:v1")
    with pytest.raises(TargetError, match=r"stored \d of \d files under other names.*50%25"):
        export(str(kit.reference), mlflow_server.url, as_="copy", experiment="http-names")
    client = open_client(mlflow_server.url)
    experiment = client.get_experiment_by_name("http-names").experiment_id
    assert client.search_runs([experiment]) == []
    assert client.search_logged_models([experiment]) == []


@pytest.mark.slow  # waits for a real server
def test_a_server_that_refuses_the_source_gets_a_pointer_and_the_result_says_so(
    source: Source, mlflow_server: MlflowServer, registry: LocalRegistry
) -> None:
    pushed = kitline.push(source.reference, f"{registry.host}/team/iris:v1")
    with managed(mlflow_server.url) as url:
        first = export(str(pushed.reference), url, register="managed")
        again = export(str(pushed.reference), url, register="managed")
        (version,) = open_client(url).search_model_versions("name = 'managed'")
    assert "the server takes no modelkit:// source, so 'managed' got a pointer" in first.warnings[0]
    assert (first.existed, again.existed, again.target) == (False, True, "models:/managed/1")
    model = open_client(mlflow_server.url).get_logged_model(version.source.rpartition("/")[2])
    assert model.tags["kitline.digest"] == source.digest
    assert sum(each.stat().st_size for each in find_artifacts(mlflow_server, model)) < 8192


def find_artifacts(server: MlflowServer, model: LoggedModel) -> list[Path]:
    (folder,) = server.artifacts.rglob(model.model_id)
    return [path for path in folder.rglob("*") if path.is_file()]


@contextlib.contextmanager
def managed(url: str) -> Iterator[str]:
    """Relay to a server, but refuse sources with a foreign scheme, as managed servers do."""
    relay = ThreadingHTTPServer(("127.0.0.1", 0), type("Relay", (_Relay,), {"url": url}))
    thread = threading.Thread(target=relay.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{relay.server_port}"
    finally:
        relay.shutdown()
        thread.join()
        relay.server_close()


class _Relay(BaseHTTPRequestHandler):
    url = ""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.endswith("model-versions/create") and b"modelkit://" in body:
            refusal = {"error_code": "INVALID_PARAMETER_VALUE", "message": "Invalid source"}
            self._answer(400, json.dumps(refusal).encode(), "application/json")
            return
        headers = {k: v for k, v in self.headers.items() if k.lower() != "host"}
        request = urllib.request.Request(
            f"{self.url}{self.path}", data=body or None, method=self.command, headers=headers
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                self._answer(answer.status, answer.read(), answer.headers.get_content_type())
        except urllib.error.HTTPError as error:
            with error:
                self._answer(error.code, error.read(), error.headers.get_content_type())

    do_GET = do_PUT = do_PATCH = do_DELETE = do_POST

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
