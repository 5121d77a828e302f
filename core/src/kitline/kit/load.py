"""Load: a manifest becomes a kit whose entries and layers are paired, or a clear error.

Reads kits of every kit release, ModelPack kits of kit and modctl, and indexes of one kit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.errors import InvalidConfig, NotAModelKit
from kitline.frozen import dataclass
from kitline.kit.kit_config import from_config
from kitline.kit.modelpack import kitfile_from_modelpack
from kitline.kit.pairing import pair_parts
from kitline.oci import media_types
from kitline.oci.manifest import ImageIndex, ImageManifest
from kitline.store.verify import read_verified

if TYPE_CHECKING:
    from typing import Protocol

    from kitline.kit.kitfile import Kitfile, KitPart
    from kitline.oci.descriptor import Descriptor
    from kitline.oci.manifest import Manifest
    from kitline.store.interface import Fetcher, ManifestFetcher

    class Source(Fetcher, ManifestFetcher, Protocol):
        """What loading needs of a store."""


_KIT = (media_types.MODELKIT_MANIFEST, media_types.MODELKIT_CONFIG)
_MODELPACK = (
    media_types.MODELPACK_MANIFEST,
    media_types.MODELPACK_CONFIG,
    media_types.MODELPACK_OLD_MANIFEST,
    media_types.MODELPACK_OLD_CONFIG,
)


@dataclass(frozen=True, kw_only=True)
class LoadedKit:
    """A kit: its manifest, what it says of itself, and which layer belongs to which entry."""

    manifest: ImageManifest
    kitfile: Kitfile
    layers: tuple[tuple[KitPart, Descriptor], ...]
    format: str
    """`modelkit` or `modelpack`."""
    has_kitfile: bool
    """Whether the kit holds a Kitfile; else it was derived from a foreign ModelPack's layers."""


def kit_format(manifest: ImageManifest) -> str | None:
    """Tell which format a manifest claims: `modelkit`, `modelpack` or None."""
    claims = (manifest.artifact_type, manifest.config.media_type)
    if any(claim in _KIT for claim in claims):
        return "modelkit"
    return "modelpack" if any(claim in _MODELPACK for claim in claims) else None


def load_kit(store: Source, manifest: Manifest, *, name: str = "") -> LoadedKit:
    """Read a kit's config and pair its entries with its layers.

    Raises:
        NotAModelKit: if the artifact is of another kind.
        InvalidConfig: if config and layers do not fit each other.
        VerificationError: if the config is not what the manifest promises.
    """
    found = select_kit(store, manifest, name=name)
    shape = kit_format(found)
    if shape is None:
        raise NotAModelKit(f"{name or found.digest} is not a ModelKit: it is {found.kind!r}")
    config = read_verified(store, found.config)
    annotated = media_types.KITFILE in found.annotations
    try:
        if shape == "modelkit":
            kitfile = from_config(config)
        else:
            kitfile = kitfile_from_modelpack(config, found.layers, found.annotations)
        layers = tuple(pair_parts(kitfile, found.layers))
    except InvalidConfig as cause:
        raise InvalidConfig(f"cannot read kit {name or found.digest}: {cause}") from cause
    return LoadedKit(
        manifest=found,
        kitfile=kitfile,
        layers=layers,
        format=shape,
        has_kitfile=shape == "modelkit" or annotated,
    )


def select_kit(store: ManifestFetcher, manifest: Manifest, *, name: str = "") -> ImageManifest:
    """Return the manifest itself, or the only kit in an index.

    Raises:
        NotAModelKit: if an index holds no kit, or several, so that one has to be named.
    """
    if isinstance(manifest, ImageManifest):
        return manifest
    assert isinstance(manifest, ImageIndex)
    kits = []
    for each in manifest.references:
        child = store.find_manifest(each.digest)
        if isinstance(child, ImageManifest) and kit_format(child):
            kits.append(child)
    if len(kits) == 1:
        return kits[0]
    shown = ", ".join(str(each.digest) for each in kits[:5])
    raise NotAModelKit(
        f"{name or manifest.digest} is an index of {len(kits)} kits"
        + (f"; name one by its digest: {shown}" if kits else "")
    )
