"""Note: what an exported `.dvc` file remembers of its kit, and when that still holds.

It stands under `meta.kitline`, which DVC keeps through `dvc add` and `dvc commit` also when the
data has changed; so it is believed only while `dvc_md5` equals the md5 of the output itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kitline.errors import InvalidDigest
from kitline.plugin import Digest

KEY = "kitline"


@dataclass(frozen=True, kw_only=True)
class Note:
    """The kit that data was unpacked from."""

    digest: Digest
    reference: str
    """The pinned reference."""
    layers: tuple[Digest, ...]
    """The layers that hold the data: one, or one for each partition."""
    dvc_md5: str = ""
    """The md5 of the data for which all this holds."""

    @classmethod
    def find(cls, meta: object) -> Note | None:
        """Read the note in the field `meta` of a `.dvc` file; a broken one counts as none."""
        found: Any = meta.get(KEY) if isinstance(meta, dict) else None
        if not isinstance(found, dict):
            return None
        fields: Any = found
        layers = fields.get("layer_digests", fields.get("layer_digest"))
        texts = [fields.get("reference"), fields.get("dvc_md5")]
        if not all(isinstance(each, str) and each.isprintable() for each in texts):
            return None
        try:
            return cls(
                digest=Digest(fields.get("digest", "")),
                reference=fields["reference"],
                layers=tuple(
                    Digest(each) for each in (layers if isinstance(layers, list) else [layers])
                ),
                dvc_md5=fields["dvc_md5"],
            )
        except InvalidDigest:
            return None

    def to_meta(self) -> dict[str, Any]:
        """Return what is written; `dvc_md5` is added by whoever ran `dvc add`."""
        layers = [str(each) for each in self.layers]
        where = {"layer_digest": layers[0]} if len(layers) == 1 else {"layer_digests": layers}
        return {"digest": str(self.digest), "reference": self.reference, **where}

    def holds_for(self, md5: str | None) -> bool:
        """Tell whether data with this md5 is what the kit holds."""
        return md5 is not None and md5 == self.dvc_md5
