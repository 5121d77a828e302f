"""What KFP tells a container, and what it wants back: the executor's input and output as JSON.

Read and written without kfp, so that a container need not load it. Source: ExecutorInput and
ExecutorOutput in pipeline_spec.proto of Kubeflow Pipelines 2.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from kitline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")
_MOUNTS = {"gs://": "/gcs/", "minio://": "/minio/", "s3://": "/s3/"}
"""Where the launcher puts what lies in an object store."""
_TYPES = {
    str: "a text",
    int: "a whole number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}
_WORKSPACE = "/kfp-workspace"
"""Where the volume of a run is mounted, if it has one."""


@dataclass(kw_only=True)
class ContainerArtifact:
    """An artifact as a container sees it: an address, a path, and metadata to read or write."""

    name: str
    uri: str
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """Where its file or folder lies in the container.

        Raises:
            UsageError: if KFP would not put such an address anywhere.
        """
        path = self._mounted()
        if self.metadata.get("_kfp_workspace") is True:  # a launcher has put it there already
            return f"{_WORKSPACE}/.artifacts/{path.lstrip('/')}"
        return path

    def _mounted(self) -> str:
        for scheme, mount in _MOUNTS.items():
            if self.uri.startswith(scheme):
                return mount + self.uri.removeprefix(scheme)
        if "://" in self.uri:
            raise UsageError(
                f"artifact {self.name!r} lies at {self.uri!r}, which KFP gives to no step as files"
            )
        return self.uri

    def to_json(self) -> dict[str, Any]:
        """Return the artifact as the executor's output lists it."""
        return {"name": self.name, "uri": self.uri, "metadata": self.metadata}


@dataclass(frozen=True, kw_only=True)
class ExecutorInput:
    """Parameters, input artifacts and places for outputs of one task."""

    parameters: Mapping[str, Any]
    artifacts: Mapping[str, tuple[ContainerArtifact, ...]]
    outputs: Mapping[str, ContainerArtifact]
    output_parameters: Mapping[str, str]
    """Files that KFP reads output parameters from."""
    output_file: str | None = None

    @classmethod
    def parse(cls, text: str) -> ExecutorInput:
        """Read what KFP puts in the place of `{{$}}`.

        Raises:
            UsageError: naming the field that is malformed.
        """
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as cause:
            raise UsageError(f"--kfp-executor-input is not JSON: {cause}") from cause
        whole = _object(value, "executor input")
        inputs = _object(whole.get("inputs") or {}, "inputs")
        outputs = _object(whole.get("outputs") or {}, "outputs")
        places = {
            name: found
            for name, found in _artifacts(outputs, "outputs").items()
            if found  # one without a place is none
        }
        output_file = outputs.get("outputFile")
        return cls(
            parameters=_object(inputs.get("parameterValues") or {}, "inputs.parameterValues"),
            artifacts=_artifacts(inputs, "inputs"),
            outputs={name: found[0] for name, found in places.items()},
            output_parameters=_output_files(outputs),
            output_file=None if output_file is None else _text(output_file, "outputs.outputFile"),
        )

    def get(self, name: str, default: T) -> T:
        """Return a parameter, or a default of the type that it has to have.

        Raises:
            UsageError: if it has another type.
        """
        found = self.parameters.get(name)
        if found is None:
            return default
        if isinstance(default, int) and isinstance(found, float) and found.is_integer():
            found = int(found)  # JSON of a cluster has floats only
        if not isinstance(found, type(default)) or isinstance(found, bool) != isinstance(
            default, bool
        ):
            raise UsageError(
                f"parameter {name!r} is {found!r}, and has to be {_TYPES[type(default)]}"
            )
        return found

    def require(self, name: str) -> str:
        """Return a text that has to be there.

        Raises:
            UsageError: if it is missing or empty.
        """
        found = self.get(name, "")
        if not found:
            raise UsageError(f"parameter {name!r} is missing")
        return found

    def find(self, name: str) -> ContainerArtifact | None:
        """Return an input artifact; None if it was not given."""
        found = self.artifacts.get(name, ())
        return found[0] if found else None

    def find_output(self, name: str) -> ContainerArtifact | None:
        """Return an output artifact; None if the component has no such output."""
        return self.outputs.get(name)

    def write_output(self, values: Mapping[str, str], path: str | None) -> None:
        """Write output parameters and artifacts, whole or not at all.

        Raises:
            UsageError: if nothing says where to.
        """
        target = path or self.output_file
        if not target:
            raise UsageError("nothing says where the output goes; give --kfp-executor-output")
        artifacts = {name: {"artifacts": [each.to_json()]} for name, each in self.outputs.items()}
        content: dict[str, Any] = {"parameterValues": dict(values)}
        if artifacts:
            content["artifacts"] = artifacts
        for name, file in self.output_parameters.items():
            if name in values:
                _write(Path(file), values[name])
        _write(Path(target), json.dumps(content, ensure_ascii=False))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".kitline-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(name, 0o644)  # the launcher that reads it may be another user
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _artifacts(value: Mapping[str, Any], where: str) -> dict[str, tuple[ContainerArtifact, ...]]:
    listed = _object(value.get("artifacts") or {}, f"{where}.artifacts")
    found = {}
    for name, each in listed.items():
        place = f"{where}.artifacts.{name}"
        group = _object(each, place).get("artifacts") or []
        if not isinstance(group, list):
            raise UsageError(f"{place}.artifacts: it is not a list")
        found[name] = tuple(_artifact(one, name, place) for one in group)
    return found


def _artifact(value: object, name: str, where: str) -> ContainerArtifact:
    fields = _object(value, where)
    return ContainerArtifact(
        name=str(fields.get("name") or name),
        uri=_text(fields.get("uri"), f"{where}.uri"),
        metadata=dict(_object(fields.get("metadata") or {}, f"{where}.metadata")),
    )


def _output_files(outputs: Mapping[str, Any]) -> dict[str, str]:
    listed = _object(outputs.get("parameters") or {}, "outputs.parameters")
    return {
        name: _text(
            _object(each, f"outputs.parameters.{name}").get("outputFile"),
            f"outputs.parameters.{name}.outputFile",
        )
        for name, each in listed.items()
    }


def _object(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"{where}: it is not a JSON object")
    return value


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise UsageError(f"{where}: it is not a text")
    return value
