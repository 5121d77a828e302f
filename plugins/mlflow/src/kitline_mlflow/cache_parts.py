"""Parts: what a path in a kit can mean, and which layers are needed for it."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kitline.errors import UnsafeLayer
from kitline.plugin import Digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kitline_mlflow.cache_outline import KitOutline, Part

KITFILE = "Kitfile"
_MODEL, _CODE = "model", "code"
_WORDS = ("model", "datasets", "code", "docs", "prompts", "mcpservers")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """One meaning of a path: what to unpack, and where in the result the path leads."""

    filters: tuple[str, ...]
    """In the words of `kitline.unpack`; none for everything."""
    path: str
    size: int
    base: str = ""
    """The kit that `base_filters` select from: code of a model that lies in another kit."""
    base_filters: tuple[str, ...] = ()

    def key(self, digest: Digest) -> str:
        """Return the name of the cache entry."""
        words = ",".join((*self.filters, *(f"base.{each}" for each in self.base_filters)))
        plain = words if words in _WORDS else Digest.of(words.encode()).hex[:16]
        return f"{str(digest).replace(':', '-')}-{plain if words else 'all'}"


def meanings(kit: KitOutline, path: str) -> Iterator[Wanted]:
    """Yield what a path can mean, the likeliest first.

    `model` is the model whatever the kit calls it, so it comes before a folder of that name; code
    that lies within it belongs to it, though it has layers of its own.

    Raises:
        UnsafeLayer: if the kit names a place outside of itself.
    """
    word, _, rest = path.partition("/")
    if not path:
        yield _wanted((), kit.parts, "")
        return
    if word == _MODEL and kit.model is not None:
        code = [part for part in kit.parts if _is_code_of(kit.model, part)]
        base_code = [part for part in kit.base_parts if _is_code_of(kit.model, part)]
        parts = [part for part in kit.parts if part.drawer == _MODEL] + code + base_code
        filters = (_MODEL, *_filters(kit.parts, code))
        found = _wanted(filters, parts, posixpath.normpath(posixpath.join(kit.model, rest)))
        if base_code:
            base_filters = _filters(kit.base_parts, base_code)
            found = replace(found, base=kit.bases[-1], base_filters=base_filters)
        yield found
    if path == KITFILE:
        yield _wanted(("kitfile",), (), KITFILE)
    touching = [part for part in kit.parts if _touches(part.path, path)]
    if touching:
        yield _wanted(_filters(kit.parts, touching), touching, path)
    if word in _WORDS and word != _MODEL:
        parts = [part for part in kit.parts if part.drawer == word]
        if parts:
            yield _wanted((word,), parts, rest)


def _wanted(filters: tuple[str, ...], parts: Sequence[Part], path: str) -> Wanted:
    if path.startswith("/") or ".." in path.split("/"):  # what a kit says of itself is not trusted
        raise UnsafeLayer(f"the kit says that its model lies at {path!r}, which is outside of it")
    return Wanted(
        filters=filters, path="" if path == "." else path, size=sum(part.size for part in parts)
    )


def _touches(part: str, path: str) -> bool:
    """Tell whether a part lies at, above or below a path."""
    return part in (".", path) or path.startswith(f"{part}/") or part.startswith(f"{path}/")


def _is_code_of(model: str, part: Part) -> bool:
    """Tell whether a part is code within the model's folder, which loading the model imports."""
    return part.drawer == _CODE and (model == "." or part.path.startswith(f"{model}/"))


def _filters(parts: Sequence[Part], wanted: Sequence[Part]) -> tuple[str, ...]:
    """Return filters for these parts; a drawer as a whole if all of it or none can be named."""
    found = set()
    for part in wanted:
        whole = all(each in wanted for each in parts if each.drawer == part.drawer)
        unnamed = set(part.path) & {",", ":"}  # would end the name in a filter
        found.add(part.drawer if whole or unnamed else f"{part.drawer}:{part.path}")
    return tuple(sorted(found))
