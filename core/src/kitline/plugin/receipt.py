"""Receipt: the small JSON that each adapter leaves where its tool keeps things.

Its shape is promised to other programs: design.md section 9.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from kitline.errors import InvalidDigest, MalformedContent
from kitline.frozen import dataclass
from kitline.oci.digest import Digest
from kitline.plugin.parent import Parent

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class ReceiptLayer:
    """One layer of the kit; `size` in bytes."""

    path: str
    type: str
    """The drawer: `model`, `modelpart`, `datasets`, `code`, `docs`, `prompts`…."""
    digest: Digest
    size: int


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What was made, where it lies, and what it was made from."""

    digest: Digest
    reference: str
    """The pinned reference."""
    repository: str
    """Registry and repository."""
    tag: str | None = None
    created: str | None = None
    """RFC 3339, as in the manifest."""
    source: str | None = None
    """What was imported, such as `mlflow://runs/…`."""
    parents: tuple[Parent, ...] = ()
    layers: tuple[ReceiptLayer, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the receipt as a dict; every key is always there."""
        return {
            "digest": str(self.digest),
            "reference": self.reference,
            "repository": self.repository,
            "tag": self.tag,
            "created": self.created,
            "source": self.source,
            "parents": [
                {"digest": str(each.digest), "reference": each.reference, "role": each.role}
                for each in self.parents
            ],
            "layers": [{**asdict(each), "digest": str(each.digest)} for each in self.layers],
        }

    @classmethod
    def from_json(cls, value: object) -> Receipt:
        """Read a receipt; unknown keys are left to later versions.

        Raises:
            MalformedContent: naming the field that is wrong.
        """
        fields = _object(value, "receipt")
        return cls(
            digest=_digest(fields, ""),
            reference=_text(fields, "reference"),
            repository=_text(fields, "repository"),
            tag=_optional_text(fields, "tag"),
            created=_optional_text(fields, "created"),
            source=_optional_text(fields, "source"),
            parents=tuple(_parent(each, f"parents[{n}]") for n, each in _list(fields, "parents")),
            layers=tuple(_layer(each, f"layers[{n}]") for n, each in _list(fields, "layers")),
        )


def _parent(value: object, where: str) -> Parent:
    fields = _object(value, where)
    return Parent(
        digest=_digest(fields, f"{where}."),
        role=_text(fields, "role", f"{where}."),
        reference=_optional_text(fields, "reference", f"{where}."),
    )


def _layer(value: object, where: str) -> ReceiptLayer:
    fields = _object(value, where)
    size = fields.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise MalformedContent(f"receipt: {where}.size: {size!r} is not a count of bytes")
    return ReceiptLayer(
        path=_text(fields, "path", f"{where}."),
        type=_text(fields, "type", f"{where}."),
        digest=_digest(fields, f"{where}."),
        size=size,
    )


def _object(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise MalformedContent(f"{where} is not an object")
    return value


def _list(fields: Mapping[str, Any], key: str) -> list[tuple[int, object]]:
    found = fields.get(key) or []
    if not isinstance(found, list):
        raise MalformedContent(f"receipt: {key} is not a list")
    return list(enumerate(found))


def _text(fields: Mapping[str, Any], key: str, where: str = "") -> str:
    found = _optional_text(fields, key, where)
    if found is None:
        raise MalformedContent(f"receipt: {where}{key} is missing")
    return found


def _optional_text(fields: Mapping[str, Any], key: str, where: str = "") -> str | None:
    found = fields.get(key)
    if found is not None and not isinstance(found, str):
        raise MalformedContent(f"receipt: {where}{key} is not a text")
    return found


def _digest(fields: Mapping[str, Any], where: str) -> Digest:
    try:
        return Digest(_text(fields, "digest", where))
    except InvalidDigest as cause:
        raise MalformedContent(f"receipt: {where}digest: {cause.reason}") from cause
