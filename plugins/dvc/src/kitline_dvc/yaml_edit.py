"""Changing a YAML file that people keep: every line that is not meant stays byte for byte.

A key is written into the text where it belongs. Only where that cannot be done, as in `{a: 1}`, the
whole file is written anew, in its order and with its comments.
"""

from __future__ import annotations

import io
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kitline.errors import TargetError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

_WIDTH = 1 << 20
"""Lines are never folded."""


class YamlFile:
    """A YAML file whose top is a map; a missing one is empty.

    `set_key`, then `save`; `restore` brings back what was there.
    """

    def __init__(self, path: Path, before: bytes | None) -> None:
        self.path = path
        self._before = before
        self._text = (before or b"").decode()
        self.data: Mapping[str, Any] = _parse(self._text)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the file.

        Raises:
            TargetError: if it cannot be read or is no map.
        """
        from ruamel.yaml.error import YAMLError

        try:
            found = cls(path, path.read_bytes() if path.exists() else None)
        except (OSError, UnicodeDecodeError, YAMLError) as cause:
            raise TargetError(f"cannot read {os.fspath(path)!r}: {cause}") from cause
        if not isinstance(found.data, dict):
            raise TargetError(f"cannot change {os.fspath(path)!r}: it is not a map of keys")
        return found

    def set_key(self, path: Sequence[str], value: Any) -> None:
        """Set what stands under a path of keys; the maps that lead to it are made."""
        wanted = _parse(self._text)
        node = wanted
        for key in path[:-1]:
            if not isinstance(node.get(key), dict):
                node[key] = {}
            node = node[key]
        node[path[-1]] = value
        text = _inserted(self._text, path, value)
        if text is None or _parse(text) != wanted:
            text = _dump(wanted, explicit_start=self._text.startswith("---"))
        self._text = text
        self.data = _parse(text)

    def save(self) -> bool:
        """Write the file if it changed, whole or not at all; tell whether it did."""
        content = self._text.encode()
        if content == (self._before or b""):
            return False
        self._write(content)
        return True

    def restore(self) -> None:
        """Bring back what was there when it was read."""
        if self._before is None:
            self.path.unlink(missing_ok=True)
        elif self.path.read_bytes() != self._before:
            self._write(self._before)

    def _write(self, content: bytes) -> None:
        place = Path(os.path.realpath(self.path))
        mode = place.stat().st_mode & 0o777 if place.exists() else 0o666 & ~_umask()
        try:
            fd, name = tempfile.mkstemp(prefix=f".{place.name}-", dir=place.parent)
            try:
                with os.fdopen(fd, "wb") as file:
                    file.write(content)
                os.chmod(name, mode)
                os.replace(name, place)
            except BaseException:
                with suppress(OSError):
                    os.unlink(name)
                raise
        except OSError as cause:
            raise TargetError(f"cannot write {os.fspath(self.path)!r}: {cause.strerror}") from cause


def _inserted(text: str, path: Sequence[str], value: Any) -> str | None:
    """Return the text with one key more, or one text under a key changed; None if it is not easy.

    The result is a guess from indentation, which the caller checks by parsing it.
    """
    node: Any = _parse(text)
    at = 0
    while isinstance(node, dict) and node.get(path[at]) is not None:
        if at == len(path) - 1:
            return _replaced(text, node, path[at], value)
        node = node[path[at]]
        at += 1
    if not isinstance(node, dict) or path[at] in node:
        return None  # no map, or `key:` with nothing behind it
    shape: Any = node
    if shape.fa.flow_style() or (not node and at):
        return None
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    column = shape.lc.col if at else 0
    for key in reversed(path[at + 1 :]):
        value = {key: value}
    new = [" " * column + line for line in _dump({path[at]: value}).splitlines(keepends=True)]
    end = _end_of(lines, shape.lc.line, column) if at else len(lines)
    return "".join([*lines[:end], *new, *lines[end:]])


def _replaced(text: str, parent: Any, key: str, value: Any) -> str | None:
    """Return the text with a plain or quoted word behind a key changed."""
    old = parent[key]
    if not isinstance(old, str) or not isinstance(value, str):
        return None
    lines = text.splitlines(keepends=True)
    line, column = parent.lc.value(key)
    rest = lines[line][column:]
    for quote in ("", "'", '"'):
        if rest.startswith(f"{quote}{old}{quote}"):
            rest = f"{quote}{value}{quote}{rest[len(old) + 2 * len(quote) :]}"
            lines[line] = lines[line][:column] + rest
            return "".join(lines)
    return None


def _end_of(lines: Sequence[str], start: int, column: int) -> int:
    """Return the line behind a map whose keys stand at `column`."""
    end = start + 1
    for number in range(start, len(lines)):
        content = lines[number].strip()
        if not content or content.startswith("#"):
            continue  # what stands above the next key belongs to that
        if len(lines[number]) - len(lines[number].lstrip(" ")) < column:
            break
        end = number + 1
    return end


def _parse(text: str) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap

    yaml = YAML()
    yaml.preserve_quotes = True
    found = yaml.load(text)
    return CommentedMap() if found is None else found


def _dump(data: Any, *, explicit_start: bool = False) -> str:
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = _WIDTH
    yaml.explicit_start = explicit_start
    stream = io.StringIO()
    yaml.dump(data, stream)
    return stream.getvalue()


def _umask() -> int:
    found = os.umask(0o077)
    os.umask(found)
    return found
