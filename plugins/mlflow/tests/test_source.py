"""The grammar of sources."""

from __future__ import annotations

import pytest
from kitline.errors import UsageError
from kitline_mlflow.source import (
    ExperimentSource,
    LoggedModelSource,
    PromptSource,
    RegisteredSource,
    RunSource,
    Source,
    VersionSource,
    parse_source,
)

RUN = "7eaf19c993964cab838e524f75ac21b8"
MODEL = f"m-{RUN}"


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
        ("models:/", "'' is not the name of a model"),
        ("models:/iris/latest", "'latest' is not a version number"),
        ("models:/iris/Production", "'Production' is not a version number"),
        ("models:/iris@", "'' is not an alias"),
        ("models:/a:b/1", "'a:b' is not the name of a model"),
        ("prompts:/greeting", "no version is named, and kitline never guesses the latest"),
        ("mlflow://host/prompts/greeting", "no version is named"),
        ("mlflow://a b/runs/1", "'a b' is not 'host' or 'host:port'"),
        (f"mlflow://host/experiments/a b/runs/{RUN}", "no run is named"),
        ("runs:/", "'' is not a run id"),
        (f"runs:/{RUN}/a/b", "'a/b' is not the name of a model"),
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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"runs:/{RUN}/iris", RunSource(run_id=RUN, model="iris")),
        (f"models:/{MODEL}", LoggedModelSource(model_id=MODEL)),
        ("models:/iris/3", VersionSource(name="iris", version="3")),
        ("models:/iris/03", VersionSource(name="iris", version="3")),
        ("models:/iris@champion", VersionSource(name="iris", alias="champion")),
        ("models:/Schöne Blume/1", VersionSource(name="Schöne Blume", version="1")),
        ("models:/m-1/1", VersionSource(name="m-1", version="1")),
        ("models:/iris", RegisteredSource(name="iris")),
        ("prompts:/greeting/2", PromptSource(name="greeting", version="2")),
        ("prompts:/greeting@best", PromptSource(name="greeting", alias="best")),
        ("mlflow://experiments/3", ExperimentSource(experiment="3")),
        ("mlflow://h/experiments/3", ExperimentSource(experiment="3", host="h")),
        (f"mlflow://h/models/{MODEL}", LoggedModelSource(model_id=MODEL, host="h")),
        ("mlflow://h/models/iris/3", VersionSource(name="iris", version="3", host="h")),
        ("mlflow://models/iris", RegisteredSource(name="iris")),
        ("mlflow://h/prompts/hi/1", PromptSource(name="hi", version="1", host="h")),
    ],
)
def test_a_source_names_models_prompts_and_containers(text: str, expected: Source) -> None:
    assert parse_source(text) == expected
