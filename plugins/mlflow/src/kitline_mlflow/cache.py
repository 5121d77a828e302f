"""The cache: kits by digest as folders, each layer downloaded once for all processes.

What is returned is shared and read-only: copy it to change it. An entry stays for as long as a
process that asked for it lives; beyond that the least recently used goes when all together are
larger than `KITLINE_CACHE_SIZE`.
"""

from __future__ import annotations

import os
import re
from functools import partial
from typing import TYPE_CHECKING, Literal

import kitline
from kitline.errors import InvalidSetting, NotFound
from kitline.plugin import Reference

from kitline_mlflow.cache_folder import CacheFolder
from kitline_mlflow.cache_gate import ask_policies
from kitline_mlflow.cache_outline import KitOutline
from kitline_mlflow.cache_parts import meanings
from kitline_mlflow.policy import settings_for
from kitline_mlflow.uri import ModelkitURI

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kitline import Settings
    from kitline.plugin import Digest

    from kitline_mlflow.cache_parts import Wanted

    Overwrite = Literal["refuse", "replace", "skip"]

SIZE = "KITLINE_CACHE_SIZE"
DEFAULT_SIZE = 10 << 30
_SIZE = re.compile(r"(?P<count>[0-9]{1,15})\s*(?P<unit>[KMGT]?)(?P<binary>i?)B?\Z", re.IGNORECASE)


def fetch(kit: str | Reference | ModelkitURI, path: str = "") -> Path:
    """Return a kit, or what lies at a path in it, as verified files in the cache.

    Only layers that hold something of `path` are downloaded, and none that is there already: a
    cached kit needs no registry. `path` is a drawer's word such as `model`, or a path in the
    unpacked tree. A text with `://` is an address, any other a reference.

    Raises:
        InvalidReference: if the text is neither.
        RefusedByServer: if this is an MLflow server that may not look there.
        PolicyError: if a policy does not allow the kit to be used, also where it is there already.
        NotFound: if there is no such kit, or nothing at the path.
        VerificationError: if content is not what its digest promises.
    """
    uri = pin(kit, path)
    settings = settings_for(uri)
    ask_policies(uri.reference, _outline(uri, settings), settings)
    for wanted in _meanings(uri, settings):
        found = _kept(uri, wanted, settings)
        if os.path.lexists(found):
            return found
    raise _nothing_there(uri)


def unpack(uri: ModelkitURI, folder: Path, *, existing: Overwrite = "refuse") -> Path:
    """Unpack what lies at a path of a pinned kit into a folder, past the cache; raises as `fetch`.

    Raises:
        TargetError: if files are in the way.
    """
    settings = settings_for(uri)
    ask_policies(uri.reference, _outline(uri, settings), settings)
    choices = list(dict.fromkeys(_meanings(uri, settings)))
    for wanted in choices:
        # a wrong choice must leave nothing in the folder, so the cache is asked first
        if len(choices) > 1 and not os.path.lexists(_kept(uri, wanted, settings)):
            continue
        _unpack(uri, wanted, settings, folder, existing=existing)
        found = folder / wanted.path
        if os.path.lexists(found):
            return found
    raise _nothing_there(uri)


def pin(kit: str | Reference | ModelkitURI, path: str = "") -> ModelkitURI:
    """Return the address of `path` in a kit by digest; a tag is looked up.

    Raises:
        RefusedByServer: if this is an MLflow server that may not look there.
        NotFound: if there is no such kit.
    """
    uri = _read(kit, path)
    settings = settings_for(uri)
    if uri.reference.digest is not None:
        return uri
    ask_policies(uri.reference, None, settings)  # some want no tags
    digest = kitline.inspect(uri.reference, settings=settings, referrers=False).digest
    return ModelkitURI(reference=uri.reference.pin(digest), path=uri.path)


def outline(uri: ModelkitURI) -> KitOutline:
    """Return which entries a pinned kit has, without reading a layer; raises as `fetch`."""
    return _outline(uri, settings_for(uri))


def folder_of(uri: ModelkitURI) -> Path:
    """Return the folder of the cache that a kit is kept in."""
    return _folder(settings_for(uri)).folder


def cache_size() -> int:
    """Return the most bytes that the cache is to hold.

    Raises:
        InvalidSetting: if `KITLINE_CACHE_SIZE` is not a size.
    """
    text = os.environ.get(SIZE, "").strip()
    if not text:
        return DEFAULT_SIZE
    found = _SIZE.match(text)
    if found is None:
        raise InvalidSetting(SIZE, "environment", f"{text!r} is not a size such as '20GiB'")
    unit = 1024 if found["binary"] else 1000
    size: int = int(found["count"]) * unit ** " KMGT".index(found["unit"].upper() or " ")
    return size


def _read(kit: str | Reference | ModelkitURI, path: str) -> ModelkitURI:
    if isinstance(kit, str):
        kit = ModelkitURI.parse(kit) if "://" in kit else Reference.parse(kit)
    if isinstance(kit, Reference):
        return ModelkitURI(reference=kit, path=path)
    joined = f"{kit.path}/{path}" if kit.path and path else kit.path or path
    return ModelkitURI(reference=kit.reference, path=joined)


def _meanings(uri: ModelkitURI, settings: Settings) -> Iterator[Wanted]:
    return meanings(_outline(uri, settings), uri.path)


def _outline(uri: ModelkitURI, settings: Settings) -> KitOutline:
    folder = _folder(settings)
    name = str(_digest(uri)).replace(":", "-")
    known = folder.read_note(name)
    found = KitOutline.from_json(known) if known is not None else None
    if found is None:
        found = KitOutline.of(uri.reference, settings)
        folder.write_note(name, found.to_json())
    return found


def _kept(uri: ModelkitURI, wanted: Wanted, settings: Settings) -> Path:
    """Return where in the cache a meaning of a path leads, once its layers are there."""
    make = partial(_unpack, uri, wanted, settings)
    return _folder(settings).get(wanted.key(_digest(uri)), make, size=wanted.size) / wanted.path


def _unpack(
    uri: ModelkitURI,
    wanted: Wanted,
    settings: Settings,
    target: Path,
    *,
    existing: Overwrite = "refuse",
) -> None:
    kits = [(str(uri.reference), wanted.filters)]
    if wanted.base_filters:
        kits.append((wanted.base, wanted.base_filters))
    for reference, filters in kits:
        kitline.unpack(reference, target, settings=settings, filters=filters, existing=existing)


def _folder(settings: Settings) -> CacheFolder:
    return CacheFolder(settings.home / "cache" / "kits", limit=cache_size())


def _digest(uri: ModelkitURI) -> Digest:
    assert uri.reference.digest is not None  # what is read is pinned first
    return uri.reference.digest


def _nothing_there(uri: ModelkitURI) -> NotFound:
    return NotFound(f"kit {str(uri.reference)!r} holds nothing at {uri.path!r}")
