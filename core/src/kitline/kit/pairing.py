"""Which layer holds which entry of a Kitfile.

By digest first; by path where a digest is there twice or where entries have none, as in kits made
before the field existed; by position last. What does not fit is refused by name, never guessed.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from kitline.errors import InvalidConfig
from kitline.kit.kitfile import clean_path
from kitline.kit.layer_kind import find_filepath, is_prompt_layer, layer_kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kitline.kit.kitfile import Kitfile, KitPart
    from kitline.oci.descriptor import Descriptor

Pair = tuple["KitPart", "Descriptor"]


def pair_parts(kitfile: Kitfile, layers: Sequence[Descriptor]) -> list[Pair]:
    """Return each local entry with its layer, in the Kitfile's order.

    Layers that no entry claims are left out.

    Raises:
        InvalidConfig: naming the entry or the layer that has no counterpart.
    """
    parts = kitfile.parts()
    _check_digests(parts)
    has_digests = bool(parts) and parts[0].digest is not None
    chosen = (_by_digest if has_digests else _by_path_and_position)(parts, layers)
    pairs = []
    for part, index in zip(parts, chosen, strict=True):
        layer = layers[index]
        if layer_kind(layer.media_type) is None:
            raise InvalidConfig(
                f"{part.field}: its layer has the media type {layer.media_type!r},"
                " which is not that of a kit's layer"
            )
        pairs.append((part, layer))
    return pairs


def _check_digests(parts: Sequence[KitPart]) -> None:
    without = [part.field for part in parts if part.digest is None]
    if without and len(without) < len(parts):
        names = ", ".join(without[:10]) + (" and more" if len(without) > 10 else "")
        raise InvalidConfig(
            f"some entries of the config name the digest of their layer and some do not: {names}"
        )


def _by_digest(parts: Sequence[KitPart], layers: Sequence[Descriptor]) -> list[int]:
    holders: dict[str, list[int]] = defaultdict(list)
    for index, layer in enumerate(layers):
        holders[str(layer.digest)].append(index)
    seen: dict[str, int] = defaultdict(int)
    chosen = []
    for part in parts:
        digest = part.digest or ""
        candidates = holders.get(digest)
        if not candidates:
            raise InvalidConfig(f"{part.field}: its layer {digest} is not in the manifest")
        # a raw layer of equal content differs in its path only
        by_path = [index for index in candidates if _path(layers[index]) == part.clean_path]
        by_position = candidates[min(seen[digest], len(candidates) - 1)]
        chosen.append(by_path[0] if by_path else by_position)
        seen[digest] += 1
    return chosen


def _by_path_and_position(parts: Sequence[KitPart], layers: Sequence[Descriptor]) -> list[int]:
    free = _layers_by_kind(layers)
    chosen: dict[str, int] = {}
    for part in parts:
        mine = free[_kind(part)]
        found = next((index for index in mine if _path(layers[index]) == part.clean_path), None)
        if found is not None:
            mine.remove(found)
            chosen[part.field] = found
    left: dict[tuple[str, bool], list[KitPart]] = defaultdict(list)
    for part in parts:
        if part.field not in chosen:
            left[_kind(part)].append(part)
    for kind, waiting in left.items():
        if len(waiting) != len(free[kind]):
            names = ", ".join(part.field for part in waiting[:10])
            raise InvalidConfig(
                f"the config names no digests, and {len(free[kind])} {kind[0]} layers are left for"
                f" {len(waiting)} entries ({names}); which belongs to which cannot be told"
            )
        chosen |= {part.field: index for part, index in zip(waiting, free[kind], strict=True)}
    return [chosen[part.field] for part in parts]


def _layers_by_kind(layers: Sequence[Descriptor]) -> dict[tuple[str, bool], list[int]]:
    found: dict[tuple[str, bool], list[int]] = defaultdict(list)
    for index, layer in enumerate(layers):
        kind = layer_kind(layer.media_type)
        if kind is not None:
            found[kind.base, kind.base == "code" and is_prompt_layer(layer)].append(index)
    return found


def _kind(part: KitPart) -> tuple[str, bool]:
    return part.base, part.is_prompt


def _path(layer: Descriptor) -> str | None:
    path = find_filepath(layer)
    return None if path is None else clean_path(path)
