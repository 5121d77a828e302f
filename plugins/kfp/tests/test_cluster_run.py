"""Runs on a cluster: the JSON of an API server, and objects where the launcher puts them.

No backend was ever run: the JSON is made by kfp's own client classes, and the layout of objects is
that of the launcher's source.
"""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar

import kitline
import pytest
from kitline.errors import KitlineError, SourceError, UsageError
from kitline.plugin import Collected, Origin
from kitline_kfp.cluster_run import ClusterRun, open_cluster_run
from kitline_kfp.object_store import FsspecStore
from kitline_kfp.run_choice import choose
from kitline_kfp.steps.drawers import lay_out

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RUN = "6f1b0c1e-7a0f-4f5b-9d3c-2f6f6b8f0a11"
SPEC = {
    "pipelineInfo": {"name": "train-iris"},
    "components": {
        "comp-train": {
            "outputDefinitions": {
                "artifacts": {
                    "model": {"artifactType": {"schemaTitle": "system.Model"}},
                    "data": {"artifactType": {"schemaTitle": "system.Dataset"}},
                }
            }
        }
    },
}


def run_json(root: str, **changes: Any) -> dict[str, Any]:
    return {
        "run_id": RUN,
        "display_name": "train iris",
        "state": "SUCCEEDED",
        "created_at": "2026-11-20T08:00:00Z",
        "finished_at": "2026-11-20T08:05:00Z",
        "pipeline_spec": SPEC,
        "runtime_config": {"pipeline_root": root, "parameters": {"depth": 3}},
        "run_details": {
            "task_details": [
                {"display_name": "train", "state": "SUCCEEDED", "outputs": {"model": {}}},
                {"display_name": "deploy", "state": "FAILED"},
            ]
        },
        **changes,
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "artifacts"
    task = folder / "train-iris" / RUN / "train"
    for path, content in {
        "salt-2/model/sous dossier/poids é.bin": "weights",
        "salt-2/model/config.json": "{}",
        "salt-2/data": "1,2",
    }.items():
        (task / path).parent.mkdir(parents=True, exist_ok=True)
        (task / path).write_text(content)
    failed = folder / "train-iris" / RUN / "deploy/salt/log"
    failed.parent.mkdir(parents=True)
    failed.write_text("half")
    return folder


def cluster_run(root: Path, **changes: Any) -> ClusterRun:
    return ClusterRun(
        run=run_json(str(root), **changes),
        server="https://ml.example",
        objects=FsspecStore(str(root)),
    )


def test_objects_become_drawers_by_the_types_of_the_pipeline(root: Path) -> None:
    choice = choose(cluster_run(root), drawers={})
    tree = lay_out(choice.contents)

    paths = [each.path for each in tree.entries() if not each.is_folder]
    assert paths == ["datasets/data", "model/config.json", "model/sous dossier/poids é.bin"]
    assert [task.name for task in choice.tasks] == ["train"]


def test_a_platform_may_lie_around_the_pipeline(root: Path) -> None:
    run = cluster_run(root, pipeline_spec={"pipeline_spec": SPEC, "platform_spec": {}})

    assert {each.kind for task in run.tasks() for each in task.artifacts} == {
        "system.Model",
        "system.Dataset",
    }


@pytest.mark.parametrize("details", [None, "x", [], {"task_details": "x"}])
def test_what_a_server_says_of_tasks_may_be_anything(root: Path, details: Any) -> None:
    spec = {**SPEC, "components": {"comp-train": "x", "comp-deploy": {"dag": ["x"]}}}

    tasks = cluster_run(root, run_details=details, pipeline_spec=spec).tasks()

    assert [each.name for each in tasks] == ["deploy", "train"]
    assert {each.kind for task in tasks for each in task.artifacts} == {None}


def test_a_task_with_a_display_name_keeps_its_types(root: Path) -> None:
    (root / "train-iris" / RUN / "train").rename(root / "train-iris" / RUN / "Train é")
    task = {"componentRef": {"name": "comp-train"}, "taskInfo": {"name": "Train é"}}
    spec = {**SPEC, "root": {"dag": {"tasks": {"train": task}}}}

    run = cluster_run(root, pipeline_spec=spec, run_details=None)

    kinds = {each.name: each.kind for task in run.tasks() for each in task.artifacts}
    assert kinds == {"model": "system.Model", "data": "system.Dataset", "log": None}


def test_of_several_attempts_the_last_is_taken_and_said(root: Path) -> None:
    import os

    first = root / "train-iris" / RUN / "train/salt-1/data"
    first.parent.mkdir()
    first.write_text("9,9")
    os.utime(first, (1, 1))

    choice = choose(cluster_run(root), drawers={"datasets": ["train/data"]})

    tree = lay_out(choice.contents)
    [entry] = [each for each in tree.entries() if not each.is_folder]
    assert entry.size == 3
    assert entry.open is not None
    buffer = bytearray(3)
    with entry.open(0) as stream:
        stream.readinto(memoryview(buffer))
    assert buffer == b"1,2"
    assert "was written 2 times" in tree.warnings[0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"state": "RUNNING"}, "is RUNNING, not SUCCEEDED"),
        ({"pipeline_spec": None}, "does not tell the name of its pipeline"),
        ({"pipeline_spec": "x"}, "does not tell the name of its pipeline"),
        ({"pipeline_spec": {"pipelineInfo": ["x"]}}, "does not tell the name of its pipeline"),
        ({"pipeline_spec": {"pipelineInfo": {"name": "../other"}}}, "does not tell the name"),
        ({"pipeline_spec": {"pipelineInfo": {"name": "other"}}}, "has nothing below 'other/"),
    ],
)
def test_a_run_that_cannot_be_read_is_said(root: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(SourceError, match=words):
        cluster_run(root, **changes).tasks()


class ApiServer(BaseHTTPRequestHandler):
    """Answers what kfp's client asks for, as an API server does."""

    runs: ClassVar[dict[str, Any]] = {}
    tokens: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        self.tokens.append(self.headers.get("authorization"))
        name = self.path.partition("?")[0].rpartition("/")[2]
        found = self.runs.get(name) if "/v2beta1/runs/" in self.path else {"multi_user": False}
        body = json.dumps(found or {"code": 5, "message": "not found"}).encode()
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server(root: Path) -> Iterator[str]:
    ApiServer.runs = {RUN: run_json(str(root))}
    ApiServer.tokens = []
    with ThreadingHTTPServer(("127.0.0.1", 0), ApiServer) as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield f"127.0.0.1:{found.server_port}"
        found.shutdown()
        thread.join()


def test_a_run_of_an_api_server_becomes_a_kit(
    server: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KITLINE_KFP_TOKEN", "secret-token")

    source = f"kfp://{server}/runs/{RUN}#train"
    result = kitline.import_(source, "team/iris:v1", options={"objects": str(root)})

    assert {each.path for each in result.receipt.layers} == {"model", "datasets/data"}
    assert result.receipt.source == f"kfp:{RUN}"
    assert set(ApiServer.tokens) == {"Bearer secret-token"}
    said = {each.predicate_type: each.predicate for each in kitline.read_statements(str(result))}
    run = said["https://slsa.dev/provenance/v1"]["runDetails"]["metadata"]
    assert run["invocationId"] == RUN
    assert run["startedOn"].startswith("2026-11-20T08:00:00")
    assert [name for name in sys.modules if name.startswith("ml_metadata")] == []
    assert "secret-token" not in json.dumps([dict(each) for each in said.values()])


@pytest.mark.parametrize(
    "place", ["/etc", "file:///etc", "https://10.0.0.1/x", "s3://bucket::file:///etc", "sftp://h/x"]
)
def test_a_server_leads_nobody_to_files_of_their_own(server: str, place: str) -> None:
    ApiServer.runs = {RUN: run_json(place)}

    with pytest.raises(SourceError, match="which is no object store"):
        open_cluster_run(f"{server}/runs/{RUN}")


def test_a_run_that_the_server_does_not_know_is_a_clear_error(server: str) -> None:
    with pytest.raises(SourceError, match="there is no such run"):
        open_cluster_run(f"{server}/runs/0b0c1e")


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("ml.example/pipelines/1", "is not 'kfp://HOST/runs/ID'"),
        ("me:secret@ml.example/runs/1", "holds a password"),
        ("ml.example/runs/a?b", "is not 'kfp://HOST/runs/ID'"),
    ],
)
def test_addresses_that_are_none_are_refused(address: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        open_cluster_run(address)
    assert "secret" not in str(caught.value)


def test_a_store_that_nothing_reads_is_a_clear_error() -> None:
    with pytest.raises(KitlineError, match="cannot read objects at 'nosuch://bucket'"):
        FsspecStore("nosuch://bucket")


@pytest.fixture
def bucket(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The same objects in an S3 server on loopback."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "moto",
        "AWS_SECRET_ACCESS_KEY": "moto-secret",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="mlpipeline")
    for path in root.rglob("*"):
        if path.is_file():
            key = f"v2/artifacts/{path.relative_to(root).as_posix()}"
            client.put_object(Bucket="mlpipeline", Key=key, Body=path.read_bytes())
    yield "minio://mlpipeline/v2/artifacts"
    server.stop()


@pytest.mark.slow
def test_objects_of_a_bucket_are_streamed_into_the_kit(
    root: Path, bucket: str, tmp_path: Path
) -> None:
    here = choose(cluster_run(root), drawers={})
    run = ClusterRun(run=run_json(bucket), server="https://ml.example", objects=FsspecStore(bucket))
    there = choose(run, drawers={})

    def collected(choice: Any) -> Collected:
        origin = Origin(importer="kfp", source=f"kfp:{RUN}")
        return Collected(tree=lay_out(choice.contents), recipe="kfp/1", origin=origin)

    one = kitline.pack_collected(collected(here), "here:v1")
    two = kitline.pack_collected(collected(there), "there:v1")

    assert one.digest == two.digest
