"""What a layer's media type says: which drawer, tar or raw, how compressed, whose format.

Sources: kit 1.15.0 for ModelKits, ModelPack specification 0.0.7 for `cncf` and its older `cnai`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, cast

from kitline.frozen import dataclass
from kitline.oci import media_types

if TYPE_CHECKING:
    from kitline.kit.kitfile import Base
    from kitline.oci.descriptor import Descriptor

Format = Literal["tar", "raw"]
Compression = Literal["", "gzip", "zstd"]
Family = Literal["kit", "cncf", "cnai"]

PROMPT: Final = "prompt"
"""Value of the annotation that tells prompts from code."""

_MODELPACK_NAMES: Final[dict[Base, str]] = {
    "model": "weight",
    "modelpart": "weight.config",
    "code": "code",
    "dataset": "dataset",
    "docs": "doc",
}
_MODELPACK_BASES: Final = {name: base for base, name in _MODELPACK_NAMES.items()}
_KIT = re.compile(
    r"application/vnd\.kitops\.modelkit\.(model|modelpart|code|dataset|docs|mcpb)\.v1"
    r"\.(tar|raw)(?:\+(gzip|zstd))?\Z"
)
_MODELPACK = re.compile(
    r"application/vnd\.(cncf|cnai)\.model\.(weight|weight\.config|code|dataset|doc)\.v1"
    r"\.(?:(raw)|(tar)(?:\+(gzip|zstd))?)\Z"
)


@dataclass(frozen=True, kw_only=True)
class LayerKind:
    """The meaning of a layer's media type; `compression` is empty for none."""

    base: Base
    format: Format = "tar"
    compression: Compression = ""
    family: Family = "kit"

    @property
    def media_type(self) -> str:
        """The media type that says this."""
        ending = self.format + (f"+{self.compression}" if self.compression else "")
        if self.family == "kit":
            return f"{media_types.MODELKIT_PREFIX}{self.base}.v1.{ending}"
        return f"application/vnd.{self.family}.model.{_MODELPACK_NAMES[self.base]}.v1.{ending}"


def layer_kind(media_type: str) -> LayerKind | None:
    """Return what a media type says, None if it is not that of a kit's layer."""
    if found := _KIT.match(media_type):
        base, form, compression = found.groups(default="")
        return LayerKind(
            base=cast("Base", base),
            format=cast("Format", form),
            compression=cast("Compression", compression),
        )
    if found := _MODELPACK.match(media_type):
        family, name, raw, tar, compression = found.groups(default="")
        return LayerKind(
            base=_MODELPACK_BASES[name],
            format=cast("Format", raw or tar),
            compression=cast("Compression", compression),
            family=cast("Family", family),
        )
    return None


def find_filepath(layer: Descriptor) -> str | None:
    """Return the path that a layer's annotations name, under the new name or the old one."""
    notes = layer.annotations
    return notes.get(media_types.FILEPATH) or notes.get(media_types.OLD_FILEPATH) or None


def is_prompt_layer(layer: Descriptor) -> bool:
    """Tell whether a code layer holds prompts."""
    return layer.annotations.get(media_types.LAYER_SUBTYPE) == PROMPT
