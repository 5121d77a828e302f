"""Changing a YAML file that people keep: what is not changed stays as it is, comments too."""

from __future__ import annotations

import io
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kitline.errors import TargetError

if TYPE_CHECKING:
    from typing import Self

_WIDTH = 1 << 20
"""Lines are never folded: that would change what nobody asked to change."""


class YamlFile:
    """A YAML file whose top is a map; a missing one is empty.

    Change `data`, then `save()`; `restore()` brings back what was there.
    """

    def __init__(
        self, path: Path, before: bytes | None, data: Any, indents: tuple[int, int]
    ) -> None:
        self.path = path
        self.data = data
        self._before = before
        self._indents = indents

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the file.

        Raises:
            TargetError: if it cannot be read or is no map.
        """
        from ruamel.yaml import YAML
        from ruamel.yaml.comments import CommentedMap
        from ruamel.yaml.error import YAMLError
        from ruamel.yaml.util import load_yaml_guess_indent

        try:
            before = path.read_bytes() if path.exists() else None
            text = (before or b"").decode()
            yaml = YAML()
            yaml.preserve_quotes = True
            data = yaml.load(text)
            _, mapping, sequence = load_yaml_guess_indent(text) if text.strip() else (0, None, None)
        except (OSError, UnicodeDecodeError, YAMLError) as cause:
            raise TargetError(f"cannot read {os.fspath(path)!r}: {cause}") from cause
        if data is None:
            data = CommentedMap()
        if not isinstance(data, dict):
            raise TargetError(f"cannot change {os.fspath(path)!r}: it is not a map of keys")
        return cls(path, before, data, (mapping or 2, sequence or 0))

    @property
    def is_new(self) -> bool:
        """Whether the file was missing."""
        return self._before is None

    def save(self) -> bool:
        """Write the file if it changed, whole or not at all; tell whether it did."""
        content = self._written()
        if content == self._before:
            return False
        self._write(content)
        return True

    def restore(self) -> None:
        """Bring back what was there when it was read."""
        if self._before is None:
            self.path.unlink(missing_ok=True)
        elif self.path.read_bytes() != self._before:
            self._write(self._before)

    def _written(self) -> bytes:
        from ruamel.yaml import YAML

        mapping, sequence = self._indents
        yaml = YAML()
        yaml.preserve_quotes = True
        yaml.width = _WIDTH
        yaml.explicit_start = (self._before or b"").startswith(b"---")
        yaml.indent(mapping=mapping, sequence=sequence + 2, offset=sequence)
        stream = io.StringIO()
        yaml.dump(self.data, stream)
        return stream.getvalue().encode()

    def _write(self, content: bytes) -> None:
        place = Path(os.path.realpath(self.path))
        mode = place.stat().st_mode & 0o777 if place.exists() else None
        try:
            fd, name = tempfile.mkstemp(prefix=f".{place.name}-", dir=place.parent)
            try:
                with os.fdopen(fd, "wb") as file:
                    file.write(content)
                os.chmod(name, 0o666 & ~_umask() if mode is None else mode)
                os.replace(name, place)
            except BaseException:
                with suppress(OSError):
                    os.unlink(name)
                raise
        except OSError as cause:
            raise TargetError(f"cannot write {os.fspath(self.path)!r}: {cause.strerror}") from cause


def _umask() -> int:
    found = os.umask(0o077)
    os.umask(found)
    return found
