"""After a push the run and its model carry the digest, as tags that MLflow can search."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import kitline
from kitline.cli.main import main
from kitline.oci.manifest import EMPTY_CONFIG, ImageManifest
from kitline.oci.reference import PinnedReference
from kitline.plugin import ImportContext, Origin, Plugins, PushedEvent
from kitline.testing.command_line import CommandLine
from kitline_mlflow.importer import collect
from kitline_mlflow.register import register_version
from mlflow import MlflowClient

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest
    from kitline.testing import LocalRegistry

    from conftest import Tracked


def pushed(tracked: Tracked, *, importer: str = "mlflow") -> PushedEvent:
    manifest = ImageManifest.build(
        config=EMPTY_CONFIG,
        layers=[],
        annotations={
            "io.kitline.mlflow.run-id": tracked.run_id,
            "io.kitline.mlflow.model-id": tracked.model_id,
        },
    )
    return PushedEvent(
        reference=PinnedReference(
            registry="reg.example", repository="iris", digest=manifest.digest
        ),
        manifest=manifest,
        tag="v1",
        origin=Origin(
            importer=importer, source=f"mlflow://runs/{tracked.run_id}", server=tracked.uri
        ),
    )


def test_run_and_model_are_found_by_digest_after_a_push(tracked: Tracked) -> None:
    event = pushed(tracked)
    (told,) = Plugins.load(disabled=()).pushed(event)
    assert told.ok
    assert told.target == (
        f"run {tracked.run_id} and logged model {tracked.model_id} in MLflow at {tracked.uri}"
    )
    client = MlflowClient(tracking_uri=tracked.uri)
    query = f"tags.`kitline.digest` = '{event.digest}'"
    (run,) = client.search_runs([tracked.experiment_id], query)
    (model,) = client.search_logged_models([tracked.experiment_id], query)
    assert (run.info.run_id, model.model_id) == (tracked.run_id, tracked.model_id)
    assert run.data.tags["kitline.reference"] == str(event.reference)
    assert model.tags["kitline.reference"] == str(event.reference)


def test_a_deleted_run_is_a_warning_and_the_model_is_tagged_all_the_same(tracked: Tracked) -> None:
    client = MlflowClient(tracking_uri=tracked.uri)
    client.delete_run(tracked.run_id)
    event = pushed(tracked)
    (told,) = Plugins.load(disabled=()).pushed(event)
    assert told.warning
    assert told.warning.startswith(f"run {tracked.run_id} was not tagged: ")
    assert "logged model" not in told.warning
    tags = client.get_logged_model(tracked.model_id).tags
    assert tags["kitline.digest"] == str(event.digest)


def test_a_kit_of_another_importer_is_left_alone(tracked: Tracked) -> None:
    assert Plugins.load(disabled=()).pushed(pushed(tracked, importer="dvc")) == ()
    tags = MlflowClient(tracked.uri).get_run(tracked.run_id).data.tags
    assert "kitline.digest" not in tags


def test_write_back_require_exits_with_4_and_the_kit_stands(
    tracked: Tracked, registry: LocalRegistry
) -> None:
    MlflowClient(tracking_uri=tracked.uri).delete_run(tracked.run_id)
    words = ["import", f"models:/{tracked.model_id}", "-t", f"{registry.host}/iris:v1"]
    options = ["-o", f"tracking_uri={tracked.uri}", "--write-back=require"]
    outcome = CommandLine(main)(*words, *options)
    assert outcome.code == 4
    assert f"run {tracked.run_id} was not tagged: " in outcome.stderr
    assert f"to try again run 'kitline import models:/{tracked.model_id} -t " in outcome.stderr
    assert kitline.inspect(f"{registry.host}/iris:v1").digest


def test_a_server_that_is_down_is_a_warning_with_what_to_run_later(
    tracked: Tracked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    event = pushed(replace(tracked, uri="http://127.0.0.1:1"))
    (told,) = Plugins.load(disabled=()).pushed(event)
    assert told.warning
    assert f"logged model {tracked.model_id} was not tagged: " in told.warning
    assert "to try again run 'kitline import mlflow://runs/" in told.warning


class _Denying(BaseHTTPRequestHandler):
    """A tracking server where nobody may write, or read."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = json.dumps({"error_code": "PERMISSION_DENIED", "message": "not you"}).encode()
        self.send_response(403)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PATCH = do_POST

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def denying() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Denying) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_server_that_does_not_allow_it_is_a_warning_with_what_to_run_later(
    tracked: Tracked,
) -> None:
    with denying() as url:
        (told,) = Plugins.load(disabled=()).pushed(pushed(replace(tracked, uri=url)))
    assert told.warning
    model = f"logged model {tracked.model_id}"
    assert told.warning.startswith(f"run {tracked.run_id} was not tagged: PERMISSION_DENIED: not")
    assert f"; {model} was not tagged: " in told.warning
    assert "You may not have access to the logged model" in told.warning  # so says MLflow's client
    assert "to try again run 'kitline import mlflow://runs/" in told.warning


def test_versions_of_a_database_that_is_not_the_ambient_one_are_made_tagged_and_read(
    tracked: Tracked,
) -> None:
    """MLflow's registry in a database looks up logged models at the ambient server."""
    client = MlflowClient(tracking_uri=tracked.uri, registry_uri=tracked.uri)
    event = pushed(tracked)
    version = register_version(
        client,
        "iris",
        PinnedReference(registry="old.example", repository="iris", digest=event.digest),
        model_id=tracked.model_id,
        aliases=["champion"],
    )
    (told,) = Plugins.load(disabled=()).pushed(event)
    assert told.ok
    found = client.get_model_version("iris", version.version)
    assert found.tags["kitline.reference"] == str(event.reference)
    kit = collect("models:/iris@champion", {"tracking_uri": tracked.uri}, ImportContext())
    assert kit.annotations["io.kitline.mlflow.model-id"] == tracked.model_id
