"""Data by reference: a kit whose layer lists files by path, size and md5, for data that stays put.

The list is one JSON file beside the path that it stands for (`data/train.files.json` for
`data/train`), with sorted keys and without spaces, so that the same data makes the same bytes.
Where the data lies is told in the provenance, not here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kitline.errors import MalformedContent

from kitline_dvc.listing import is_inside
from kitline_dvc.md5 import MD5

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kitline.plugin import Dataset

FORMAT = "io.kitline.dvc.files/1"
SUFFIX = ".files.json"
LIMIT = 2 << 30
"""A list of more bytes is refused by readers."""


@dataclass(frozen=True, kw_only=True)
class ReferencedFile:
    """A file of the data; `path` is relative to the data, empty if the data is that one file."""

    path: str
    size: int
    """In bytes."""
    md5: str


@dataclass(frozen=True, kw_only=True)
class FileList:
    """What a kit says of data that lies elsewhere."""

    path: str
    """Where the data belongs, such as `data/train`."""
    md5: str
    """DVC's name of the whole; ends in `.dir` for a folder."""
    files: tuple[ReferencedFile, ...]

    @property
    def size(self) -> int:
        """Size of the data in bytes."""
        return sum(each.size for each in self.files)


def is_by_reference(dataset: Dataset) -> bool:
    """Tell whether a Kitfile's dataset is a list of files instead of the files."""
    parameters = dataset.parameters if isinstance(dataset.parameters, dict) else {}
    found = parameters.get("dvc")
    return isinstance(found, dict) and found.get("data") == "reference"


def list_path(path: str) -> str:
    """Return the path of the list in the kit."""
    return f"{path}{SUFFIX}"


def write_file_list(files: FileList) -> bytes:
    """Return the canonical bytes of a list."""
    ordered = sorted(files.files, key=lambda each: each.path.split("/"))
    value = {
        "files": [{"md5": each.md5, "path": each.path, "size": each.size} for each in ordered],
        "format": FORMAT,
        "md5": files.md5,
        "path": files.path,
    }
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode() + b"\n"


def read_file_list(raw: bytes) -> FileList:
    """Read a list; nothing in it is trusted to be a path before it has been looked at.

    Raises:
        MalformedContent: naming the field that is wrong.
    """
    try:
        value = json.loads(raw)
    except ValueError as cause:
        raise MalformedContent(f"the list of files is no JSON: {cause}") from cause
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise MalformedContent(f"the list of files is not of the format {FORMAT!r}")
    path, md5, rows = value.get("path"), value.get("md5"), value.get("files")
    if not isinstance(path, str) or not is_inside(path):
        raise MalformedContent(f"the list of files: path: {path!r} is no relative path")
    if not isinstance(md5, str) or not MD5.match(md5.removesuffix(".dir")):
        raise MalformedContent(f"the list of files: md5: {md5!r} is no md5")
    if not isinstance(rows, list):
        raise MalformedContent("the list of files: files is not a list")
    files = tuple(_file(row, f"files[{number}]") for number, row in enumerate(rows))
    is_folder = md5.endswith(".dir")
    if len({each.path for each in files}) != len(files):
        raise MalformedContent("the list of files: a path comes twice")
    if not is_folder and [(each.path, each.md5) for each in files] != [("", md5)]:
        raise MalformedContent("the list of files: a single file is listed with the path ''")
    if is_folder and any(not is_inside(each.path) for each in files):
        raise MalformedContent("the list of files: a path leaves the folder")
    return FileList(path=path, md5=md5, files=files)


def _file(row: object, where: str) -> ReferencedFile:
    fields: Mapping[str, Any] = row if isinstance(row, dict) else {}
    path, size, md5 = fields.get("path"), fields.get("size"), fields.get("md5")
    if not isinstance(path, str):
        raise MalformedContent(f"the list of files: {where}.path is no text")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise MalformedContent(f"the list of files: {where}.size: {size!r} is no count of bytes")
    if not isinstance(md5, str) or not MD5.match(md5):
        raise MalformedContent(f"the list of files: {where}.md5: {md5!r} is no md5")
    return ReferencedFile(path=path, size=size, md5=md5)
