"""The grammar of sources."""

from __future__ import annotations

import pytest
from kitline.errors import UsageError
from kitline_mlflow.source import RunSource

RUN = "7eaf19c993964cab838e524f75ac21b8"


@pytest.mark.parametrize(
    ("text", "expected", "server"),
    [
        (f"mlflow://runs/{RUN}", RunSource(run_id=RUN), None),
        (f"MLFLOW://runs/{RUN}", RunSource(run_id=RUN), None),
        (f"runs:/{RUN}", RunSource(run_id=RUN), None),
        (f"mlflow://experiments/3/runs/{RUN}", RunSource(run_id=RUN, experiment="3"), None),
        (
            f"mlflow://mlflow.example/experiments/3/runs/{RUN}",
            RunSource(run_id=RUN, experiment="3", host="mlflow.example"),
            "https://mlflow.example",
        ),
        (
            f"mlflow://localhost:5000/runs/{RUN}",
            RunSource(run_id=RUN, host="localhost:5000"),
            "http://localhost:5000",
        ),
        (
            f"mlflow://127.0.0.1.example/runs/{RUN}",
            RunSource(run_id=RUN, host="127.0.0.1.example"),
            "https://127.0.0.1.example",
        ),
    ],
)
def test_a_source_names_a_run(text: str, expected: RunSource, server: str | None) -> None:
    found = RunSource.parse(text)
    assert found == expected
    assert found.tracking_uri == server
    assert found.canonical == f"mlflow://runs/{RUN}"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"mlflow:{RUN}", "'mlflow:' is followed by '//'"),
        ("mlflow://", "'' is not 'host' or 'host:port'"),
        ("mlflow://runs", "no run is named"),
        ("mlflow://runs/", "'' is not a run id"),
        ("mlflow://runs/../x", "no run is named"),
        (f"mlflow://runs/{RUN}/model", "no run is named"),
        ("mlflow://a b/runs/1", "'a b' is not 'host' or 'host:port'"),
        (f"mlflow://host/experiments/a b/runs/{RUN}", "no run is named"),
        ("runs:/", "'' is not a run id"),
        (f"runs:/{RUN}/model", "is not a run id"),
        (f"runs:/{RUN}\n", "is not a run id"),
    ],
)
def test_a_source_of_another_form_is_refused(text: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        RunSource.parse(text)
    assert reason in str(caught.value)
    assert "write 'mlflow://runs/ID'" in str(caught.value)


def test_a_password_in_a_source_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError, match="a source names no user") as caught:
        RunSource.parse(f"mlflow://user:secret@host/runs/{RUN}")
    assert "secret" not in str(caught.value)
