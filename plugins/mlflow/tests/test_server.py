"""What a tracking server may say, and what is believed of it."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from kitline.errors import SourceError
from kitline_mlflow.redact import Redactor
from kitline_mlflow.remote.folders import list_files
from kitline_mlflow.remote.opener import find_opener
from kitline_mlflow.run_provenance import run_provenance
from kitline_mlflow.server import Server
from kitline_mlflow.server_address import may_name_folders

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("sqlite:////data/mlflow.db", True),
        ("postgresql://db.example/mlflow", True),
        ("http://localhost:5000", True),
        ("http://127.0.0.1:5000", True),
        ("http://[::1]:5000", True),
        ("https://mlflow.example", False),
        ("HTTP://10.0.0.1", False),
        ("http://127.0.0.1.example", False),
        ("http://localhost.example", False),
    ],
)
def test_only_servers_of_this_machine_may_name_its_folders(uri: str, *, expected: bool) -> None:
    assert may_name_folders(uri) is expected


def test_a_server_elsewhere_cannot_have_folders_of_this_machine_packed(tmp_path: Path) -> None:
    for location in (str(tmp_path), tmp_path.as_uri()):
        with pytest.raises(SourceError, match=r"a folder of this machine.*local-artifacts=true"):
            Server("https://mlflow.example").open_artifacts(location)
        assert Server("https://mlflow.example", local_artifacts=True).open_artifacts(location)


def test_a_server_elsewhere_cannot_hide_such_a_folder_behind_a_run(tmp_path: Path) -> None:
    run = {"run_id": "b" * 32, "artifact_uri": str(tmp_path), "status": "FINISHED"}
    answer = json.dumps({"run": {"info": {**run, "experiment_id": "0"}, "data": {}}}).encode()

    class Mlflow(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Mlflow) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        uri = f"http://0.0.0.0:{server.server_port}"  # no loopback address by its name
        with pytest.raises(SourceError, match=r"a folder of this machine"):
            Server(uri).open_artifacts(f"runs:/{'b' * 32}/")
        server.shutdown()


@pytest.mark.parametrize(
    ("place", "named"),
    [
        ("mlflow-artifacts://evil.example:8443/x", "evil.example"),
        ("http://evil.example/api/2.0/mlflow-artifacts/artifacts/x", "evil.example"),
        ("https://mlflow.example:8443/api/2.0/mlflow-artifacts/artifacts/x", "mlflow.example:8443"),
    ],
)
def test_credentials_go_to_no_other_host_that_the_server_names(
    place: str, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "hidden")
    with pytest.raises(
        SourceError, match=rf"the files lie at '{named}.*'-o artifact-hosts="
    ) as error:
        Server("https://mlflow.example").open_artifacts(place)
    assert "hidden" not in str(error.value)
    host = str(error.value).partition("artifact-hosts=")[2].rstrip("'")
    assert Server("https://mlflow.example", artifact_hosts=(host,)).open_artifacts(place)


@pytest.mark.parametrize(
    ("host", "is_known"),
    [
        ("team.dfs.core.windows.net", True),
        ("onelake.dfs.fabric.microsoft.com", True),
        ("team.z01.dfs.storage.azure.net", True),
        ("team.evil.example", False),
        ("team.evil.example:443", False),
        ("team.evilcore.windows.net", False),
        ("team.evil.example\\.core.windows.net", False),
        ("team.evil.example@x.core.windows.net", False),
    ],
)
def test_credentials_for_azure_go_to_azure_only(host: str, is_known: bool) -> None:
    place = f"abfss://runs@{host}/1/model"
    if not is_known:
        with pytest.raises(SourceError, match=r"no host of Azure's.*'-o artifact-hosts="):
            Server("https://mlflow.example").open_artifacts(place)
    hosts = () if is_known else (host,)
    assert Server("https://mlflow.example", artifact_hosts=hosts).open_artifacts(place)


@pytest.mark.parametrize(
    "place",
    [
        "mlflow-artifacts:/x",
        "https://MLFLOW.example:443/api/2.0/mlflow-artifacts/artifacts/x",
    ],
)
def test_credentials_go_to_the_tracking_server(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "hidden")
    assert Server("https://mlflow.example").open_artifacts(place)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("max_tokens", "100", "100"),
        ("tokenizer", "bert", "bert"),
        ("pad_token_id", "0", "0"),
        ("eos_token", "</s>", "</s>"),
        ("author", "me", "me"),
        ("key", "value", "value"),
        ("url", "https://host/a?page=2#top", "https://host/a?page=2#top"),
        ("sha", "a" * 64, "a" * 64),
        ("token", "x", "[redacted]"),
        ("hf.token", "x", "[redacted]"),
        ("AWS_SECRET_ACCESS_KEY", "x", "[redacted]"),
        ("dbPassword", "x", "[redacted]"),
        ("empty_password", "", ""),
        ("url", "https://host/a?sig=abc", "https://host/a?[redacted]"),
        ("url", "s3://k:v@bucket/a", "s3://bucket/a"),
        ("any", '{"api_key": "x", "b": [1]}', '{"api_key": "[redacted]", "b": [1]}'),
        ("any", '{"b": 1,  "a": 2}', '{"b": 1,  "a": 2}'),
        ("any", "Authorization: Bearer abcdefghij", "Authorization: Bearer [redacted]"),
        ("any", "ghp_" + "a" * 36, "[redacted]"),
    ],
)
def test_secrets_are_told_by_key_and_by_form(key: str, value: str, expected: str) -> None:
    redactor = Redactor()
    assert redactor.value(key, value, "tag") == expected
    assert redactor.found == ({f"tag {key!r}"} if expected != value else set())


def test_patterns_are_added_by_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KITLINE_MLFLOW_REDACT", "customer, PLZ-[0-9]+")
    redactor = Redactor.parse("patient")
    given = {"customer_name": "x", "patient": "y", "note": "in PLZ-123", "plain": "z"}
    assert redactor.mapping(given, "tag") == {
        "customer_name": "[redacted]",
        "note": "in [redacted]",
        "patient": "[redacted]",
        "plain": "z",
    }


def test_provenance_names_a_server_without_the_token_in_its_address() -> None:
    server = Server("https://dapi0123:x@mlflow.example/path")
    told = run_provenance(server, None, None, (), Redactor()).predicate
    assert told["buildDefinition"]["internalParameters"] == {
        "server": "https://mlflow.example/path"
    }


def test_a_server_that_is_gone_is_named_without_the_password_in_its_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    place = "http://me:hidden@127.0.0.1:1/api/2.0/mlflow-artifacts/artifacts/x"
    found = Server("https://mlflow.example").open_artifacts(place)
    for attempt in (lambda: list(list_files(found)), lambda: find_opener(found).open("f", None, 0)):
        with pytest.raises(SourceError, match=r"cannot .* 'http://127\.0\.0\.1:1/") as caught:
            attempt()
        assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("place", ["hdfs://h:port/x", "ftp://h:port/x", "b2://b/z"])
def test_a_folder_that_cannot_be_opened_is_named(place: str) -> None:
    with pytest.raises(SourceError, match=f"cannot open '{place}'"):
        Server("https://mlflow.example").open_artifacts(place)
