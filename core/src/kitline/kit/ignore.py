"""`.kitignore`: which files stay out of a kit, with the meaning that kit gives to each pattern.

Patterns work as in a `.dockerignore`: anchored at the root, `*` and `?` stop at `/`, `**` crosses
it, the last match decides, and a match on a folder counts for all below it.
Source: moby/patternmatcher 0.6.1 (kit 1.15.0 uses it), its corner cases included, so that the same
files are packed; Go path/filepath `Match` for what is bad syntax.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from kitline.errors import SourceError
from kitline.kit.kitfile import clean_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

IGNORE_FILE: Final = ".kitignore"
KITFILE_NAMES: Final = ("Kitfile", "kitfile", ".kitfile")
_ALWAYS: Final = frozenset((*KITFILE_NAMES, IGNORE_FILE))
# moby means to escape `{|}` too, but its table is too small for them
_ESCAPED: Final = frozenset(".+()$")
_LINE_LIMIT: Final = 64 * 1024


class _Pattern(NamedTuple):
    is_exception: bool
    matches: Callable[[str], bool]


class IgnoreRules:
    """Tells which paths of a tree are left out.

    Raises:
        SourceError: if a pattern has bad syntax; the message shows it.
    """

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        self._patterns = [_read_pattern(text) for text in patterns if text]
        self.has_exceptions = any(each.is_exception for each in self._patterns)
        """Whether something below an ignored folder may be kept."""
        self._folder = ""
        """The folder that was asked about last, and what holds for all names in it."""
        self._is_out = False
        self._above = [False] * len(self._patterns)

    @classmethod
    def parse(cls, text: str) -> IgnoreRules:
        """Read the text of a `.kitignore`."""
        return cls(_read_lines(text))

    def ignores(self, path: str) -> bool:
        """Tell whether `path` (relative, `/`-separated) is left out."""
        folder = path.rpartition("/")[0]
        if folder != self._folder:
            self._folder, self._above = folder, self._matches_above(folder)
            self._is_out = folder.partition("/")[0] in _ALWAYS
        if self._is_out or path in _ALWAYS:  # as patterns they would come last
            return True
        ignored = False
        for pattern, is_above in zip(self._patterns, self._above, strict=True):
            if pattern.is_exception == ignored and (is_above or pattern.matches(path)):
                ignored = not ignored
        return ignored

    def _matches_above(self, folder: str) -> list[bool]:
        """Tell of each pattern whether it matches a folder or one that it lies in."""
        names = folder.split("/") if folder else []
        above = ["/".join(names[: count + 1]) for count in range(len(names))]
        return [any(map(pattern.matches, above)) for pattern in self._patterns]


def _read_lines(text: str) -> Iterable[str]:
    for line in text.removeprefix("\ufeff").split("\n"):
        if len(line.encode()) >= _LINE_LIMIT:
            raise SourceError(f"cannot read {IGNORE_FILE!r}: a line is longer than 65536 bytes")
        if line.startswith("#"):
            continue
        pattern = line.strip()
        mark = "!" if pattern.startswith("!") else ""
        pattern = pattern.removeprefix("!").strip() if mark else pattern
        if pattern:
            pattern = clean_path(pattern)
            pattern = pattern[1:] if len(pattern) > 1 and pattern[0] == "/" else pattern
        if mark or pattern:
            yield mark + pattern


def _read_pattern(text: str) -> _Pattern:
    pattern = clean_path(text.strip())
    is_exception = pattern.startswith("!")
    if pattern == "!":
        raise _bad(pattern, "an exception names no path")
    pattern = pattern.removeprefix("!") if is_exception else pattern
    _check_syntax(pattern)
    return _Pattern(is_exception, _compile(pattern))


def _check_syntax(pattern: str) -> None:
    r"""Refuse open classes and a `\\` at the end, wherever they stand (Go looks at some only)."""
    at = 0
    while at < len(pattern):
        if pattern[at] == "\\":
            if at + 1 == len(pattern):
                raise _bad(pattern, "nothing follows '\\'")
            at += 2
        elif pattern[at] == "[":
            at = _end_of_class(pattern, at)
        else:
            at += 1


def _end_of_class(pattern: str, start: int) -> int:
    at = start + 1
    if pattern[at : at + 1] == "^":
        at += 1
    first = at
    while pattern[at : at + 1] != "]" or at == first:
        at = _end_of_character(pattern, at)
        if pattern[at] == "-":
            at = _end_of_character(pattern, at + 1)
    return at + 1


def _end_of_character(pattern: str, at: int) -> int:
    if pattern[at : at + 1] in ("", "-", "]"):
        raise _bad(pattern, "a class in '[…]' is not complete")
    at += 2 if pattern[at] == "\\" else 1
    if at >= len(pattern):
        raise _bad(pattern, "a class in '[…]' is not complete")
    return at


def _compile(pattern: str) -> Callable[[str], bool]:
    """Return a test for one path, in the four ways that moby knows."""
    kind, expression = _translate(pattern)
    if kind == "exact":
        return pattern.__eq__
    if kind == "prefix":
        prefix = pattern[:-2]
        return lambda path: path.startswith(prefix)
    if kind == "suffix":
        suffix = pattern[2:]
        return lambda path: path.endswith(suffix) or (suffix[:1] == "/" and path == suffix[1:])
    try:
        compiled = re.compile(_python_expression(expression) + r"\Z", re.ASCII)
    except re.error as cause:
        raise _bad(pattern, str(cause)) from cause
    return lambda path: compiled.search(path) is not None


def _translate(pattern: str) -> tuple[str, str]:
    """Return how moby matches this pattern and its regular expression (Go's syntax)."""
    kind, parts, at, round_ = "exact", ["^"], 0, 0
    while at < len(pattern):
        letter = pattern[at]
        at += 1
        if letter == "*" and pattern[at : at + 1] == "*":
            at += 2 if pattern[at + 1 : at + 2] == "/" else 1
            if at < len(pattern):
                parts.append("(.*/)?")
                kind = "regexp"
            elif kind == "exact":
                kind = "prefix"
            else:
                parts.append(".*")
                kind = "regexp"
            kind = "suffix" if round_ == 0 else kind
        elif letter in "*?":
            parts.append("[^/]*" if letter == "*" else "[^/]")
            kind = "regexp"
        elif letter == "\\" and at < len(pattern):
            parts.append("\\" + pattern[at])
            at += 1
            kind = "regexp"
        else:
            parts.append("\\" + letter if letter in _ESCAPED else letter)
            kind = "regexp" if letter in "[]" else kind
        round_ += 1
    return kind, "".join(parts)


def _python_expression(expression: str) -> str:
    """Escape what Python, unlike Go, sees as special inside of a class."""
    parts, at, in_class = [], 0, False
    while at < len(expression):
        letter = expression[at]
        if letter == "\\":
            if not expression[at + 1 : at + 2].isascii():
                raise re.error("a '\\' before a letter that needs none")
            parts.append(expression[at : at + 2])
            at += 2
            continue
        if not in_class and letter == "[":
            in_class = True
            opening = re.compile(r"\[\^?\]?").match(expression, at)
            assert opening is not None
            parts.append(opening[0])
            at = opening.end()
            continue
        if in_class and letter == "]":
            in_class = False
        elif in_class and letter in "[&~|":
            letter = "\\" + letter
        parts.append(letter)
        at += 1
    return "".join(parts)


def _bad(pattern: str, reason: str) -> SourceError:
    return SourceError(f"cannot use the pattern {pattern!r} of {IGNORE_FILE!r}: {reason}")
