"""What is odd about the files of a model: missing ones, foreign loaders, risky requirements.

Import moves bytes and loads nothing, so that oddities are told and not refused; refused is what
would make a wrong kit.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kitline.errors import SourceError

from kitline_mlflow.files import FOLDER
from kitline_mlflow.model_yaml import read_small
from kitline_mlflow.redact import Redactor

if TYPE_CHECKING:
    from kitline.plugin import Entry

    from kitline_mlflow.model_file import ModelFile

_LOST = "#?%"
_LATER = frozenset(
    {"MLmodel", "conda.yaml", "python_env.yaml", "requirements.txt", "constraints.txt"}
)
"""What MLflow writes after it counted the model's bytes."""
_RISKY = re.compile(r"\A(?:-|\S*[a-z+]+://|\S*\s*@\s*\S*:|git\+)|[`$;&|<>]{2}|[`$&|]|\$\(", re.I)
_LIMIT = 1 << 20


def check_files(files: tuple[Entry, ...], described: ModelFile, model_id: str) -> tuple[str, ...]:
    """Return warnings.

    Raises:
        SourceError: if a file is missing whose name an HTTP artifact store cannot keep.
    """
    what = f"logged model {model_id!r}"
    return (
        *_missing(files, described, what),
        *_smaller(files, described, what),
        *_loader(described, what),
        *_requirements(files, what),
    )


def _missing(files: tuple[Entry, ...], described: ModelFile, what: str) -> list[str]:
    there = {each.path.removeprefix(f"{FOLDER}/") for each in files}
    missing = [
        path
        for path in described.paths
        if path != "." and path not in there and not any(e.startswith(f"{path}/") for e in there)
    ]
    lost = [path for path in missing if any(c in path for c in _LOST)]
    if lost:
        raise SourceError(
            f"{what} names {lost[0]!r}, which is not among its files: MLflow's HTTP store loses"
            " names with '#', '?' or '%'; rename the file and log the model again"
        )
    return [f"{what} names {path!r}, which is not among its files" for path in missing]


def _smaller(files: tuple[Entry, ...], described: ModelFile, what: str) -> list[str]:
    if described.size is None or any(each.size is None for each in files):
        return []
    found = sum(
        each.size or 0 for each in files if each.path.removeprefix(f"{FOLDER}/") not in _LATER
    )
    if found >= described.size:
        return []
    return [
        f"{what} was saved with {described.size} bytes and its files have {found}: some are missing"
        " or overwritten, as happens to names with '#', '?' or '%' in MLflow's HTTP store"
    ]


def _loader(described: ModelFile, what: str) -> list[str]:
    if not described.loader:
        return []
    return [f"{what} is loaded by the module {described.loader!r}, which is not one of MLflow's"]


def _requirements(files: tuple[Entry, ...], what: str) -> list[str]:
    entry = next((each for each in files if each.path == f"{FOLDER}/requirements.txt"), None)
    if entry is None:
        return []
    lines = read_small(entry, _LIMIT, f"requirements.txt of {what}").decode(errors="replace")
    risky = []
    for line in lines.splitlines():
        text = line.partition(" #")[0].strip()
        if text and not text.startswith("#") and _RISKY.search(text.partition(";")[0]):
            risky.append(Redactor().text(text))
    return [f"requirements.txt of {what} asks for {each!r}" for each in risky[:10]]
