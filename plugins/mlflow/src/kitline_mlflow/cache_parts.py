"""Parts: what a path in a kit can mean, and which layers are needed for it."""

from __future__ import annotations

import json
import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING

import kitline
from kitline.errors import UnsafeLayer
from kitline.plugin import Digest

from kitline_mlflow.policy import check_base

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kitline import Settings
    from kitline.plugin import Reference

KITFILE = "Kitfile"
_MODEL, _CODE = "model", "code"
_WORDS = ("model", "datasets", "code", "docs", "prompts", "mcpservers")
_LONGEST_CHAIN = 8
"""Kits whose model lies in another kit, whose model lies in another kit…"""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One entry of a kit; `size` is its layer's, in bytes."""

    drawer: str
    path: str
    size: int


@dataclass(frozen=True, kw_only=True)
class KitOutline:
    """What a kit holds, without its layers."""

    parts: tuple[Part, ...]
    model: str | None
    """Path of the model in the unpacked tree; None without model."""

    @classmethod
    def of(cls, reference: Reference, settings: Settings) -> KitOutline:
        """Read a kit's manifest and config.

        Raises:
            NotFound: if there is no such kit.
            NotAModelKit: if it is something else.
        """
        kit = kitline.inspect(reference, settings=settings, referrers=False).kit
        parts = tuple(
            Part(drawer=part.drawer, path=part.clean_path, size=layer.size)
            for part, layer in kit.layers
        )
        base = kit
        for _ in range(_LONGEST_CHAIN):
            model = base.kitfile.model
            if model is None or not model.is_remote:
                break
            check_base(model.path)
            base = kitline.inspect(model.path, settings=settings, referrers=False).kit
        main = next((part for part, _ in base.layers if part.field == "model"), None)
        return cls(parts=parts, model=None if main is None else main.clean_path)

    @classmethod
    def from_json(cls, text: str) -> KitOutline | None:
        """Read what `to_json` wrote; None if it is damaged."""
        try:
            found = json.loads(text)
            return cls(parts=tuple(Part(**each) for each in found["parts"]), model=found["model"])
        except (ValueError, TypeError, KeyError):
            return None

    def to_json(self) -> str:
        """Return the outline as text."""
        return json.dumps({"parts": [vars(each) for each in self.parts], "model": self.model})


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """One meaning of a path: what to unpack, and where in the result the path leads."""

    filters: tuple[str, ...]
    """In the words of `kitline.unpack`; none for everything."""
    path: str
    size: int

    def key(self, digest: Digest) -> str:
        """Return the name of the cache entry."""
        words = ",".join(self.filters)
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
        parts = [part for part in kit.parts if part.drawer == _MODEL] + code
        filters = (_MODEL, *_filters(kit, code))
        yield _wanted(filters, parts, posixpath.normpath(posixpath.join(kit.model, rest)))
    if path == KITFILE:
        yield _wanted(("kitfile",), (), KITFILE)
    touching = [part for part in kit.parts if _touches(part.path, path)]
    if touching:
        yield _wanted(_filters(kit, touching), touching, path)
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


def _filters(kit: KitOutline, wanted: Sequence[Part]) -> tuple[str, ...]:
    """Return filters for these parts; a drawer as a whole if all of it or none can be named."""
    found = set()
    for part in wanted:
        whole = all(each in wanted for each in kit.parts if each.drawer == part.drawer)
        unnamed = set(part.path) & {",", ":"}  # would end the name in a filter
        found.add(part.drawer if whole or unnamed else f"{part.drawer}:{part.path}")
    return tuple(sorted(found))
