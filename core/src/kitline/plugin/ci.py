"""CI runs: what build systems say in the environment of the jobs that they start.

A retried job is the same run, so numbers of attempts are left out.
Sources: the documented variables of GitHub Actions, GitLab CI, Azure Pipelines, CircleCI,
Buildkite and Jenkins.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kitline.errors import UsageError
from kitline.frozen import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kitline.plugin.invocation import Invocation

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")


@dataclass(frozen=True, kw_only=True)
class CiSystem:
    """Which variables a system sets; `{NAME}` in a text stands for one."""

    name: str
    mark: str
    """The variable that is set only there."""
    id: str
    url: str
    commit: str
    repository: str


_SYSTEMS = (
    CiSystem(
        name="github",
        mark="GITHUB_RUN_ID",
        id="{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}/{GITHUB_JOB}",
        url="{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}",
        commit="{GITHUB_SHA}",
        repository="{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}",
    ),
    CiSystem(
        name="gitlab",
        mark="GITLAB_CI",
        id="{CI_PROJECT_PATH}/-/pipelines/{CI_PIPELINE_ID}/{CI_JOB_NAME}",
        url="{CI_PIPELINE_URL}",
        commit="{CI_COMMIT_SHA}",
        repository="{CI_PROJECT_URL}",
    ),
    CiSystem(
        name="azure-pipelines",
        mark="TF_BUILD",
        id="{SYSTEM_TEAMPROJECT}/{BUILD_BUILDID}/{SYSTEM_JOBNAME}",
        url="{SYSTEM_COLLECTIONURI}{SYSTEM_TEAMPROJECT}/_build/results?buildId={BUILD_BUILDID}",
        commit="{BUILD_SOURCEVERSION}",
        repository="{BUILD_REPOSITORY_URI}",
    ),
    CiSystem(
        name="circleci",
        mark="CIRCLECI",
        id="{CIRCLE_WORKFLOW_ID}/{CIRCLE_JOB}",
        url="{CIRCLE_BUILD_URL}",
        commit="{CIRCLE_SHA1}",
        repository="{CIRCLE_REPOSITORY_URL}",
    ),
    CiSystem(
        name="buildkite",
        mark="BUILDKITE_BUILD_ID",
        id="{BUILDKITE_BUILD_ID}/{BUILDKITE_STEP_KEY}",
        url="{BUILDKITE_BUILD_URL}",
        commit="{BUILDKITE_COMMIT}",
        repository="{BUILDKITE_REPO}",
    ),
    CiSystem(
        name="jenkins",
        mark="JENKINS_URL",
        id="{JENKINS_URL}{BUILD_TAG}",
        url="{BUILD_URL}",
        commit="{GIT_COMMIT}",
        repository="{GIT_URL}",
    ),
)


def find_ci_run(environ: Mapping[str, str]) -> Invocation | None:
    """Return the run of the CI system that these variables are of; None outside of one.

    What the variables hold is not ours: what cannot be used is left out.
    """
    from kitline.plugin.invocation import Invocation

    for each in _SYSTEMS:
        if not environ.get(each.mark):
            continue
        commit = _fill(each.commit, environ)
        run = _fill(each.id, environ, partly=True)
        if run is None:
            continue
        try:
            return Invocation(
                system=each.name,
                id=run.strip("/"),
                url=_fill(each.url, environ),
                git_commit=commit if commit and _COMMIT.match(commit) else None,
                repository=_fill(each.repository, environ),
            )
        except UsageError:  # a job's name of 2,000 characters, say
            continue
    return None


def _fill(text: str, environ: Mapping[str, str], *, partly: bool = False) -> str | None:
    """Fill in variables; None if one is not set, or with `partly` if none is."""
    names = re.findall(r"\{(\w+)\}", text)
    found = {name: environ.get(name, "") for name in names}
    if not any(found.values()) or (not partly and not all(found.values())):
        return None
    return text.format(**found)
