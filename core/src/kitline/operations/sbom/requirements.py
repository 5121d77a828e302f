"""Requirements of a kit's model: the lines of `requirements.txt`, read from its verified layers.

In an MLflow model the file lies beside `MLmodel`. Lines that name no package of an index (options,
addresses, folders) are left out: they may hold passwords, and say nothing to a scanner.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kitline.kit.layer_kind import find_filepath, layer_kind
from kitline.kit.scan import read_layer
from kitline.store.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kitline.kit.kitfile import KitPart
    from kitline.kit.load import LoadedKit
    from kitline.oci.descriptor import Descriptor
    from kitline.store.interface import Fetcher
    from kitline.store.progress import Progress

NAME = "requirements.txt"
MARKER = "MLmodel"
LAYER_LIMIT = 2 << 30
"""The largest layer that is read for it, in bytes; larger ones hold weights."""
FILE_LIMIT = 1 << 20
_LINE = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?\s*"
    r"(?P<specifier>(?:[<>=!~][A-Za-z0-9.*+!_<>=~, -]*)?)(?:[;#].*)?\Z"
)
_EXACT = re.compile(r"===?\s*(?P<version>[A-Za-z0-9][A-Za-z0-9.!+_-]*)\Z")


@dataclass(frozen=True, order=True, kw_only=True)
class Requirement:
    """One package that a model needs."""

    name: str
    version: str = ""
    """Empty unless exactly one version will do."""
    specifier: str = ""
    """What is written behind the name."""


def find_requirements(
    store: Fetcher, kit: LoadedKit, *, progress: Progress = SILENT
) -> tuple[list[Requirement], list[str]]:
    """Return what a kit's model needs, sorted, and the paths of layers that were too large to read.

    Raises:
        VerificationError: if a layer is not what the manifest promises.
    """
    found = _Texts()
    unread = []
    for part, layer in kit.layers:
        if not _may_hold(part, layer):
            continue
        if layer.size > LAYER_LIMIT:
            unread.append(part.clean_path)
        else:
            read_layer(store, part, layer, found, progress=progress)
    lines = {each for text in found.chosen() for each in parse_requirements(text)}
    return sorted(lines), unread


def parse_requirements(text: str) -> Iterator[Requirement]:
    """Yield the packages in the lines of a `requirements.txt`."""
    for line in text.splitlines():
        matched = _LINE.match(line.strip())
        if matched is None:
            continue
        specifier = matched["specifier"].strip().rstrip(",")
        exact = _EXACT.match(specifier)
        name = re.sub(r"[-_.]+", "-", matched["name"]).lower()  # as package indexes compare them
        yield Requirement(name=name, version=exact["version"] if exact else "", specifier=specifier)


def _may_hold(part: KitPart, layer: Descriptor) -> bool:
    if part.drawer not in ("model", "code"):
        return False
    kind = layer_kind(layer.media_type)
    if kind is not None and kind.format == "raw":
        return posixpath.basename(find_filepath(layer) or part.clean_path) in (NAME, MARKER)
    return True


class _Texts:
    """Keeps the files of that name, and where models lie; a `TarSink`."""

    def __init__(self) -> None:
        self._texts: dict[str, bytearray] = {}
        self._models: set[str] = set()
        self._current: bytearray | None = None

    def chosen(self) -> list[str]:
        """Return the files beside models; all of them where there is no model of MLflow."""
        wanted = {posixpath.join(each, NAME) for each in self._models} or set(self._texts)
        return [
            self._texts[each].decode("utf-8", "replace")
            for each in sorted(wanted & set(self._texts))
        ]

    def add_folder(self, path: str, mode: int) -> None: ...

    def begin_file(self, path: str, mode: int, size: int) -> None:
        folder, name = posixpath.split(path)
        if name == MARKER:
            self._models.add(folder)
        if name == NAME and size <= FILE_LIMIT:
            self._current = self._texts.setdefault(path, bytearray())

    def write(self, view: memoryview) -> None:
        if self._current is not None:
            self._current += view

    def end_file(self) -> None:
        self._current = None
