"""Reading a Kitfile: strict YAML with the scalars that kit sees, every problem reported at once.

Source: kit 1.15.0. Text fields keep the characters of the source (`version: 1.10` is `1.10`), free
parameters are resolved as go-yaml v3 does, see `kit.go_scalars`.
"""

from __future__ import annotations

import difflib
import math
from typing import Any

from kitline.errors import KitfileError
from kitline.frozen import dataclass
from kitline.kit import kitfile as values
from kitline.kit.go_scalars import BINARY, MERGE, NULL, STR, read_scalar, tag_of_scalar
from kitline.kit.keys import Key, keys_of
from kitline.kit.kitfile import Kitfile
from kitline.kit.kitfile_check import check_kitfile
from kitline.kit.yaml_nodes import Node, YamlError, read_nodes

PROBLEM_LIMIT = 200
"""Most problems that are collected before the rest is left unread."""


@dataclass(frozen=True, kw_only=True)
class ReadKitfile:
    """A Kitfile without problems, and what people should know of it."""

    kitfile: Kitfile
    warnings: tuple[str, ...] = ()


def read_kitfile(text: bytes | str, source: str = "Kitfile") -> ReadKitfile:
    """Read and check a Kitfile; `source` names it in messages.

    Raises:
        KitfileError: with all problems, each with its line and its field.
    """
    reader = _Reader()
    try:
        root = read_nodes(text)
    except YamlError as cause:
        place = f"line {cause.line}: " if cause.line else ""
        raise KitfileError(source, [place + cause.reason]) from cause
    if root is None or _is_null(root):
        raise KitfileError(source, ["the file is empty; write at least 'manifestVersion: 1.0.0'"])
    try:
        kitfile = reader.read_object(Kitfile, root, "")
    except _TooManyProblems:
        raise KitfileError(source, [*_ordered(reader.problems), "and more"]) from None
    checked = check_kitfile(kitfile)
    problems = reader.problems + [
        (reader.line_of(each.field), f"{each.field}: {each.reason}")
        for each in checked.problems
        if each.field not in reader.fields
    ]
    if problems:
        raise KitfileError(source, _ordered(problems))
    return ReadKitfile(kitfile=kitfile, warnings=checked.warnings)


def _ordered(problems: list[tuple[int, str]]) -> list[str]:
    by_line = sorted(dict.fromkeys(problems), key=lambda each: each[0])
    return [f"line {line}: {said}" for line, said in by_line]


class _Reader:
    """Turns nodes into values and remembers every problem and the line of every field."""

    def __init__(self) -> None:
        self.problems: list[tuple[int, str]] = []
        self.fields: set[str] = set()
        """The fields that have problems."""
        self._lines: dict[str, int] = {}

    def line_of(self, field: str) -> int:
        """Return the line of a field, or of the nearest one around it."""
        while field and field not in self._lines:
            cut = max(field.rfind("."), field.rfind("["))
            field = field[: max(cut, 0)]
        return self._lines.get(field, 1)

    def read_object(self, kind: type, node: Node, where: str) -> Any:
        if node.kind != "map":
            self._wrong(node, where, "a map of keys and values")
            return kind()
        self._lines.setdefault(where, node.line)
        known = {key.name: key for key in keys_of(kind)}
        found: dict[str, Any] = {}
        if "manifestVersion" in known:
            found["manifest_version"] = ""  # absent is not "1.0.0"
        for name, line, value in self._pairs(node, where, is_free=False):
            key = known.get(name)
            if key is None or not key.is_yaml:
                self._unknown(name, line, where, key, [k for k in known.values() if k.is_yaml])
                continue
            place = f"{where}.{name}" if where else name
            self._lines[place] = line
            if _is_null(value):
                continue
            found[key.attribute] = self._value(key, value, place)
        return kind(**found)

    def _value(self, key: Key, node: Node, where: str) -> Any:
        if key.kind == "free":
            return self._free(node, where)
        if key.kind == "object":
            return self.read_object(getattr(values, key.of), node, where)
        if key.kind == "objects":
            kind = getattr(values, key.of)
            items = self._items(node, where)
            return tuple(self.read_object(kind, each, f"{where}[{n}]") for n, each in items)
        if key.kind == "texts":
            items = self._items(node, where)
            return tuple(self._text(each, f"{where}[{n}]") for n, each in items)
        return self._text(node, where)

    def _items(self, node: Node, where: str) -> list[tuple[int, Node]]:
        if node.kind != "list":
            self._wrong(node, where, "a list")
            return []
        # kit drops empty items
        return list(enumerate(each for each in node.items if not _is_null(each)))

    def _text(self, node: Node, where: str) -> str:
        self._lines[where] = node.line
        if node.kind != "scalar":
            self._wrong(node, where, "a text")
            return ""
        try:
            value = read_scalar(node.text, node.tag, is_plain=node.is_plain)
        except ValueError as cause:
            self._report(node, where, str(cause))
            return ""
        is_binary = tag_of_scalar(node.text, node.tag, is_plain=node.is_plain) == BINARY
        return str(value) if is_binary else node.text

    def _free(self, node: Node, where: str) -> Any:
        if node.kind == "list":
            return [self._free(each, f"{where}[{n}]") for n, each in enumerate(node.items)]
        if node.kind == "map":
            pairs = self._pairs(node, where, is_free=True)
            return {name: self._free(each, f"{where}.{_cut(name)}") for name, _, each in pairs}
        try:
            value = read_scalar(node.text, node.tag, is_plain=node.is_plain)
        except ValueError as cause:
            self._report(node, where, str(cause))
            return None
        if isinstance(value, float) and not math.isfinite(value):
            self._report(node, where, f"{node.text} cannot be kept; JSON has no such number")
            return None
        return value

    def _pairs(self, node: Node, where: str, *, is_free: bool) -> list[tuple[str, int, Node]]:
        """Return the pairs of a map with merges done: its own keys win, then the first merged."""
        found: dict[str, tuple[int, Node]] = {}
        lines: dict[str, int] = {}
        merged: list[Node] = []
        for key, value in node.pairs:
            if key.kind != "scalar":
                self._report(key, where, "a key is a list or a map; keys must be texts")
                continue
            if key.text in lines:
                said = f"the key {_cut(key.text)!r} is there already, in line {lines[key.text]}"
                self._report(key, where, said)
                continue
            lines[key.text] = key.line
            tag = tag_of_scalar(key.text, key.tag, is_plain=key.is_plain)
            if tag == MERGE:
                merged = self._merged(value, where)
            elif is_free and tag != STR:
                said = f"the key {_cut(key.text)!r} is not a text to YAML; put it in quotes"
                self._report(key, where, said)
            else:
                found[key.text] = (key.line, value)
        for each in merged:
            for name, line, value in self._pairs(each, where, is_free=is_free):
                found.setdefault(name, (line, value))
        return [(name, line, value) for name, (line, value) in found.items()]

    def _merged(self, node: Node, where: str) -> list[Node]:
        maps = node.items if node.kind == "list" else [node]
        if all(each.kind == "map" for each in maps):
            return maps
        self._report(node, where, "'<<' takes a map or a list of maps")
        return []

    def _unknown(self, name: str, line: int, where: str, key: Key | None, known: list[Key]) -> None:
        names = [each.name for each in known]
        by_case = next((each for each in names if each.lower() == name.lower()), None)
        close = [by_case] if by_case else difflib.get_close_matches(_cut(name), names, n=1)
        if key is not None:
            said = "is written by pack and has no place in a Kitfile; remove it"
        elif close:
            said = f"is not a key here; did you mean {close[0]!r}?"
        else:
            said = f"is not a key here; known are {', '.join(names)}"
            if name.startswith("x-"):
                said += "; free values fit into 'parameters' only"
        self._add(line, f"{where}.{_cut(name)}" if where else _cut(name), said)

    def _wrong(self, node: Node, where: str, expected: str) -> None:
        found = {"scalar": f"{node.text[:60]!r}", "list": "a list", "map": "a map"}[node.kind]
        self._report(node, where, f"expected {expected}, found {found}")

    def _report(self, node: Node, where: str, said: str) -> None:
        self._add(node.line, where, said)

    def _add(self, line: int, where: str, said: str) -> None:
        if len(self.problems) >= PROBLEM_LIMIT:
            raise _TooManyProblems
        self.fields.add(where)
        self.problems.append((line, f"{where}: {said}" if where else said))


class _TooManyProblems(Exception):
    """Enough is reported."""


def _cut(name: str) -> str:
    return name if len(name) <= 80 else name[:80] + "…"


def _is_null(node: Node) -> bool:
    if node.kind != "scalar":
        return False
    try:
        value = read_scalar(node.text, node.tag, is_plain=node.is_plain)
    except ValueError:
        return False
    return value is None and tag_of_scalar(node.text, node.tag, is_plain=node.is_plain) == NULL
