"""Invocations: named by a call, a variable or a CI system, and valid by construction."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from kitline.errors import UsageError
from kitline.plugin import Invocation

COMMIT = "0123456789abcdef0123456789abcdef01234567"
GITHUB = {
    "GITHUB_RUN_ID": "77",
    "GITHUB_RUN_ATTEMPT": "2",
    "GITHUB_JOB": "train",
    "GITHUB_REPOSITORY": "octo/iris",
    "GITHUB_SERVER_URL": "https://github.example",
    "GITHUB_SHA": COMMIT,
}


def test_a_run_passes_through_the_environment_to_a_program_that_it_starts() -> None:
    run = Invocation(
        system="airflow",
        id="iris/train/2026-01-01",
        url="https://airflow.example/dags/iris",
        parameters={"lr": 0.1},
        git_commit=COMMIT,
        started=datetime(2026, 1, 1, tzinfo=UTC),
    )

    found = Invocation.from_environment(run.to_environment())

    assert found is not None
    assert found.to_json() == run.to_json()
    assert found.builder == "https://kitline.io/builder/airflow/v1"
    assert found.parameters == {"lr": 0.1}


def test_outside_of_any_run_there_is_no_invocation() -> None:
    assert Invocation.from_environment({"HOME": "/home/me"}) is None


@pytest.mark.parametrize(
    ("environ", "system", "id", "url"),
    [
        (
            GITHUB,
            "github",
            "octo/iris/actions/runs/77/train",
            "https://github.example/octo/iris/actions/runs/77",
        ),
        (
            {
                "GITLAB_CI": "true",
                "CI_PROJECT_PATH": "team/iris",
                "CI_PIPELINE_ID": "9",
                "CI_JOB_NAME": "train",
                "CI_PIPELINE_URL": "https://gitlab.example/team/iris/-/pipelines/9",
                "CI_COMMIT_SHA": COMMIT,
            },
            "gitlab",
            "team/iris/-/pipelines/9/train",
            "https://gitlab.example/team/iris/-/pipelines/9",
        ),
        (
            {"JENKINS_URL": "https://ci.example/", "BUILD_TAG": "jenkins-iris-3"},
            "jenkins",
            "https://ci.example/jenkins-iris-3",
            None,
        ),
    ],
    ids=["github", "gitlab", "jenkins"],
)
def test_ci_systems_name_their_runs(
    environ: dict[str, str], system: str, id: str, url: str | None
) -> None:
    found = Invocation.from_environment(environ)

    assert found is not None
    assert (found.system, found.id, found.url) == (system, id, url)


def test_a_retried_job_is_the_same_run() -> None:
    again = Invocation.from_environment({**GITHUB, "GITHUB_RUN_ATTEMPT": "3"})

    assert again == Invocation.from_environment(GITHUB)


def test_what_a_ci_system_says_wrongly_is_left_out() -> None:
    found = Invocation.from_environment({**GITHUB, "GITHUB_SHA": "<script>"})

    assert found is not None
    assert found.git_commit is None
    assert Invocation.from_environment({**GITHUB, "GITHUB_JOB": "x" * 2000}) is None


def test_our_own_variable_comes_before_the_ci_system() -> None:
    variable = json.dumps({"system": "kfp", "id": "run-1"})

    found = Invocation.from_environment({**GITHUB, "KITLINE_INVOCATION": variable})

    assert found == Invocation(system="kfp", id="run-1")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "KITLINE_INVOCATION is not JSON"),
        ("[]", "it is not a JSON object"),
        ('{"system": "kfp"}', "'id' is missing"),
        ('{"system": "kfp", "id": ""}', "id is empty"),
        ('{"system": "K F P", "id": "1"}', "system 'K F P' is not a lower-case name"),
        ('{"system": "kfp", "id": "1", "when": "now"}', "'when' is none of builder_id"),
        ('{"system": "kfp", "id": "a\\u001b[0m"}', "id is not a printable text"),
        ('{"system": "kfp", "id": "1", "git_commit": "main"}', "'main' is not a full commit"),
        ('{"system": "kfp", "id": "1", "parameters": 7}', "parameters is not an object"),
    ],
)
def test_a_malformed_variable_is_refused(text: str, problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        Invocation.from_environment({"KITLINE_INVOCATION": text})

    assert problem in str(caught.value)
