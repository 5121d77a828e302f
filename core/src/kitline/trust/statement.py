"""Statements: what is said of a kit after it was made, as unsigned in-toto Statements.

The bytes depend on what is said alone: no clock, no machine and no order of keys enter them, so
saying the same again makes the same referrer. What is read comes from outside and is not believed
beyond its form: a statement is a claim by whoever could write to the repository.
Source: in-toto attestation framework v1, statement.md; OCI image specification, "artifact usage".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

from kitline.errors import MalformedContent, UsageError
from kitline.frozen import dataclass
from kitline.oci import media_types
from kitline.oci.descriptor import Descriptor
from kitline.oci.digest import Digest
from kitline.oci.json import decode
from kitline.oci.manifest import EMPTY_CONFIG, ImageManifest
from kitline.store.verify import read_verified

if TYPE_CHECKING:
    from kitline.oci.manifest import Manifest
    from kitline.store.interface import Fetcher

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
OLD_STATEMENT_TYPE = "https://in-toto.io/Statement/v0.1"
SIZE_LIMIT = 64 << 20
"""The largest statement that kitline writes or reads, in bytes."""
DEPTH_LIMIT = 100
"""How deep what is said may be nested."""
_LONE_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, kw_only=True)
class BuiltStatement:
    """A statement about a subject: its bytes and the referrer that carries them."""

    content: bytes = field(repr=False)
    manifest: ImageManifest


@dataclass(frozen=True, kw_only=True)
class ReadStatement:
    """What a referrer says; checked against digests and for its form."""

    predicate_type: str
    predicate: Mapping[str, Any] = field(hash=False)


def build_statement(
    subject: Manifest, predicate_type: str, predicate: Mapping[str, Any]
) -> BuiltStatement:
    """Make the referrer that says `predicate` of `subject`.

    Raises:
        UsageError: if the predicate is not JSON, or the statement is larger than `SIZE_LIMIT`.
    """
    content = statement_bytes(subject.digest, predicate_type, predicate)
    if len(content) > SIZE_LIMIT:
        raise UsageError(
            f"cannot attach a statement of type {predicate_type!r}: its {len(content)} bytes are"
            f" more than the limit of {SIZE_LIMIT}; put large content into the kit"
        )
    annotations = {media_types.PREDICATE_TYPE: predicate_type}
    layer = Descriptor(
        media_type=media_types.IN_TOTO,
        digest=Digest.of(content),
        size=len(content),
        annotations=annotations,
    )
    manifest = ImageManifest.build(
        artifact_type=media_types.IN_TOTO,
        config=EMPTY_CONFIG,
        layers=[layer],
        subject=subject.descriptor,
        annotations=annotations,
    )
    return BuiltStatement(content=content, manifest=manifest)


def statement_bytes(subject: Digest, predicate_type: str, predicate: Mapping[str, Any]) -> bytes:
    """Return a statement as canonical JSON: sorted keys, no spaces, UTF-8.

    Raises:
        UsageError: if the predicate is not JSON; NaN and infinities are not.
    """
    if not predicate_type or any(each.isspace() for each in predicate_type):
        raise UsageError(f"a statement's predicate type is a URI, not {predicate_type!r}")
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [{"digest": {subject.algorithm: subject.hex}}],
        "predicateType": predicate_type,
        "predicate": predicate,
    }
    try:
        text = json.dumps(
            statement,
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
            allow_nan=False,
            default=_plain,
        )
    except (TypeError, ValueError, RecursionError) as cause:
        raise UsageError(
            f"cannot write a statement of type {predicate_type!r}: its predicate is not JSON:"
            f" {cause}"
        ) from cause
    return _LONE_SURROGATES.sub("\ufffd", text).encode()


def read_statement(
    store: Fetcher, manifest: Manifest, subject: Digest, *, limit: int = SIZE_LIMIT
) -> ReadStatement:
    """Read what a referrer says of `subject`, after these checks.

    (1) The manifest is about `subject` and has one layer of the right type, (2) not larger than
    `limit` bytes, (3) whose bytes are those of its digest, (4) and are an in-toto Statement (5)
    about the same digest.

    Raises:
        MalformedContent: if it is no statement about `subject`, or too large.
        VerificationError: if the bytes are others than the manifest says.
    """
    layer = statement_layer(manifest, subject)  # 1
    if layer.size > limit:  # 2
        raise MalformedContent(
            f"its {layer.size} bytes are more than the limit of {limit} for a statement"
        )
    content = read_verified(store, layer, limit=limit)  # 3
    return parse_statement(content, subject, limit=limit)  # 4, 5


def parse_statement(content: bytes, subject: Digest, *, limit: int = SIZE_LIMIT) -> ReadStatement:
    """Read the bytes of a statement, which have to be about `subject`.

    Raises:
        MalformedContent: if they are no in-toto Statement, or about another digest.
    """
    try:
        fields = decode(content, limit=limit)
    except ValueError as cause:
        raise MalformedContent(f"it is not JSON: {cause}") from cause
    if not isinstance(fields, dict) or fields.get("_type") not in (
        STATEMENT_TYPE,
        OLD_STATEMENT_TYPE,
    ):
        raise MalformedContent("it is no in-toto Statement")
    if not _names_subject(fields.get("subject"), subject):
        raise MalformedContent("its subject is another digest than that of the kit")
    predicate_type, predicate = fields.get("predicateType"), fields.get("predicate")
    if not isinstance(predicate_type, str) or not predicate_type:
        raise MalformedContent("predicateType: is not a text")
    if not isinstance(predicate, dict):
        raise MalformedContent("predicate: is not an object")
    _check_depth(predicate)
    return ReadStatement(predicate_type=predicate_type, predicate=predicate)


def statement_layer(manifest: Manifest, subject: Digest) -> Descriptor:
    """Return the layer that holds the statement.

    Raises:
        MalformedContent: if the manifest is no statement about `subject`.
    """
    if manifest.subject is None or manifest.subject.digest != subject:
        raise MalformedContent("it is not about the kit")
    layers = manifest.layers if isinstance(manifest, ImageManifest) else ()
    if len(layers) != 1 or layers[0].media_type != media_types.IN_TOTO:
        raise MalformedContent(f"it has no single layer of type {media_types.IN_TOTO!r}")
    return layers[0]


def _names_subject(found: object, subject: Digest) -> bool:
    subjects = found if isinstance(found, list) else []
    digests = [each.get("digest") for each in subjects if isinstance(each, dict)]
    return any(
        isinstance(each, dict) and each.get(subject.algorithm) == subject.hex for each in digests
    )


def _check_depth(value: dict[str, Any]) -> None:
    """Refuse what would exhaust the stack of whoever prints it."""
    level: list[Any] = [value]
    for _ in range(DEPTH_LIMIT):
        children = [
            child
            for each in level
            for child in (each.values() if isinstance(each, dict) else each)
            if isinstance(child, dict | list)
        ]
        if not children:
            return
        level = children
    raise MalformedContent(f"predicate: is nested deeper than {DEPTH_LIMIT} levels")


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} has no JSON form")
