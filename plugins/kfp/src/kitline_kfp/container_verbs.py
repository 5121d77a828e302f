"""The verbs of the container form: from an executor's input to the step, and back to its output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline_kfp import steps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from kitline_kfp.executor_input import ContainerArtifact, ExecutorInput

_DRAWERS = ("model", "datasets", "code", "docs", "prompts")


def push(given: ExecutorInput) -> Any:
    """Push input artifacts as a kit."""
    return steps.push(
        given.require("to"),
        model=given.find("model"),
        parts=given.find("model_part"),
        datasets=_listed(given, "dataset", "dataset_2", "dataset_3", "datasets"),
        code=given.get("code", "") or None,
        docs=_listed(given, "docs", "artifact", "artifact_2"),
        prompts=given.find("prompts"),
        metrics=given.find("metrics"),
        parameters=given.get("parameters", {}),
        parents=given.get("parents", []),
        name=given.get("name", ""),
        version=given.get("version", ""),
        description=given.get("description", ""),
        license=given.get("license", ""),
        framework=given.get("framework", ""),
        kit=given.find_output("kit"),
    )


def pull(given: ExecutorInput) -> Any:
    """Write the drawers of a kit to output artifacts."""
    outputs = {name: given.find_output(name) for name in _DRAWERS}
    return steps.pull(
        given.require("modelkit"),
        outputs={name: each for name, each in outputs.items() if each is not None},
        dataset=given.get("dataset", ""),
        kit=given.find_output("kit"),
    )


def resolve(given: ExecutorInput) -> Any:
    """Return what a name points at now."""
    return steps.resolve(given.require("modelkit"), kit=given.find_output("kit"))


def verify(given: ExecutorInput) -> Any:
    """Fail unless a kit is signed."""
    return steps.verify(
        given.require("modelkit"),
        key=given.get("key", ""),
        identity=given.get("identity", ""),
        issuer=given.get("issuer", ""),
        attestations=given.get("attestations", []),
        signature=given.get("signature", True),
        policy=given.get("policy", ""),
        report=given.find_output("report"),
    )


def tag(given: ExecutorInput) -> Any:
    """Give a kit a further tag."""
    return steps.tag(given.require("modelkit"), given.require("tag"), kit=given.find_output("kit"))


def promote(given: ExecutorInput) -> Any:
    """Move a stage to a kit."""
    return steps.promote(
        given.require("modelkit"),
        given.require("stage"),
        reason=given.get("reason", ""),
        require=given.get("require", []),
        verify_key=given.get("verify_key", ""),
        to=given.get("to", ""),
        kit=given.find_output("kit"),
    )


def import_source(given: ExecutorInput) -> Any:
    """Make a kit of an object of another tool."""
    return steps.import_source(
        given.require("source"),
        given.require("to"),
        options=given.get("options", {}),
        parents=given.get("parents", []),
        kit=given.find_output("kit"),
    )


def lineage(given: ExecutorInput) -> Any:
    """Write the lineage of a kit as a page."""
    report = given.find_output("report")
    if report is None:
        from kitline.errors import UsageError

        raise UsageError("output artifact 'report' is missing")
    return steps.lineage_report(given.require("modelkit"), report, depth=given.get("depth", 0))


def _listed(given: ExecutorInput, *names: str) -> list[ContainerArtifact]:
    return [each for name in names for each in given.artifacts.get(name, ())]


VERBS: Mapping[str, Callable[[ExecutorInput], Any]] = {
    "push": push,
    "pull": pull,
    "resolve": resolve,
    "verify": verify,
    "tag": tag,
    "promote": promote,
    "import": import_source,
    "lineage": lineage,
}
