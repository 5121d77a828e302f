"""MLmodel: the description that MLflow writes beside a model. Read as data, nothing is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kitline.errors import SourceError

if TYPE_CHECKING:
    from kitline.plugin import Entry

LIMIT = 4 << 20
"""Most bytes of an MLmodel; signatures and input schemas stay far below."""
_WRAPPER = "python_function"


@dataclass(frozen=True, kw_only=True)
class ModelFile:
    """What the Kitfile takes from an MLmodel; empty where it says nothing."""

    framework: str = ""
    """The flavor, such as `sklearn`; several with commas between them."""
    format: str = ""
    """How the weights are serialised, such as `skops` or `cloudpickle`."""
    mlflow_version: str = ""

    @classmethod
    def from_yaml(cls, text: bytes, what: str) -> ModelFile:
        """Read the file by safe YAML; `what` names it in messages.

        Raises:
            SourceError: if it is not what MLflow writes.
        """
        import yaml

        try:
            parsed = yaml.safe_load(text)
        except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as cause:
            raise SourceError(f"{what} is not YAML: {' '.join(str(cause).split())}") from cause
        flavors = parsed.get("flavors") if isinstance(parsed, dict) else None
        if not isinstance(flavors, dict) or not flavors:
            raise SourceError(f"{what} names no flavor")
        own = {str(name): value for name, value in flavors.items() if name != _WRAPPER}
        names = sorted(own) or [_WRAPPER]
        formats = {_text(each, "serialization_format") for each in own.values()} - {""}
        return cls(
            framework=", ".join(names),
            format=", ".join(sorted(formats)),
            mlflow_version=_text(parsed, "mlflow_version"),
        )


def read_model_file(files: tuple[Entry, ...], folder: str, what: str) -> ModelFile:
    """Read the MLmodel among the files of a model.

    Raises:
        SourceError: if there is none, or it is too large or malformed.
    """
    path = f"{folder}/MLmodel"
    entry = next((each for each in files if each.path == path), None)
    if entry is None or entry.open is None:
        raise SourceError(f"{what} has no file MLmodel")
    with entry.open(0) as stream:
        buffer = memoryview(bytearray(LIMIT + 1))
        length = 0
        while length <= LIMIT and (count := stream.readinto(buffer[length:])):
            length += count
    if length > LIMIT:
        raise SourceError(f"the MLmodel of {what} is larger than {LIMIT} bytes")
    return ModelFile.from_yaml(bytes(buffer[:length]), f"the MLmodel of {what}")


def _text(fields: Any, key: str) -> str:
    found = fields.get(key) if isinstance(fields, dict) else None
    return found if isinstance(found, str) else ""
