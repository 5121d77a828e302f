"""Statements about kits that exist: attach them, and read what was attached.

They are looked for where the reference says, not in a copy that was pulled: what is said of a kit
may still grow.
"""

from __future__ import annotations

import logging
from dataclasses import field
from typing import TYPE_CHECKING, Any

from kitline.errors import (
    KitlineError,
    MalformedContent,
    NotFound,
    RegistryUnreachable,
    VerificationError,
)
from kitline.frozen import dataclass
from kitline.oci import media_types
from kitline.operations.attached import Attached
from kitline.operations.defaults import settings_or_default
from kitline.operations.stores import Found, Stores, find_manifest, read_reference
from kitline.store.source import BytesSource
from kitline.trust.statement import SIZE_LIMIT, build_statement, read_statement, statement_layer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kitline.oci.descriptor import Descriptor
    from kitline.oci.digest import Digest
    from kitline.oci.manifest import Manifest
    from kitline.oci.reference import LayoutReference, PinnedReference
    from kitline.operations.settings import Settings
    from kitline.operations.stores import AnyReference
    from kitline.plugin.records import Statement
    from kitline.store.interface import Store

TOTAL_LIMIT = 4 * SIZE_LIMIT
"""How many bytes of statements about one kit are read at once."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class AttachedStatement:
    """A statement that is attached to a kit."""

    digest: Digest
    """The digest of the referrer."""
    predicate_type: str
    predicate: Mapping[str, Any] | None = field(hash=False)
    """What is said; None only in `inspect`, if it was larger than was asked for."""
    size: int = 0
    """Length of the statement in bytes."""
    signed: bool = False

    @property
    def summary(self) -> str:
        """One line for people: what kind it is, what it speaks of, and whether it is signed."""
        if self.predicate is None:
            content = f"{self.size} bytes"
        else:
            names = list(self.predicate)
            content = ", ".join(names[:6]) + (", …" if len(names) > 6 else "")
        signed = "signed" if self.signed else "unsigned"
        return f"{self.predicate_type or 'unknown type'} ({signed}; {content or 'empty'})"

    def to_json(self) -> dict[str, Any]:
        """Return the statement as `--json` prints it."""
        result: dict[str, Any] = {
            "predicateType": self.predicate_type,
            "digest": str(self.digest),
            "size": self.size,
            "signed": self.signed,
        }
        if self.predicate is not None:
            result["predicate"] = dict(self.predicate)
        return result


def attest(
    reference: str | AnyReference, statement: Statement, *, settings: Settings | None = None
) -> PinnedReference | LayoutReference:
    """Attach a statement to a kit that exists; return the pinned reference of the referrer.

    Saying the same again writes nothing and gives the same reference.

    Raises:
        NotFound: if there is no such kit.
        UsageError: if the statement is not JSON or too large.
    """
    asked = read_reference(reference)
    with Stores(settings_or_default(settings)) as stores:
        store = stores.open(asked)
        return store.pin(attach(store, find_manifest(store, asked), statement))


def attach(store: Store, subject: Manifest, statement: Statement) -> Digest:
    """Attach a statement to a manifest of the store; return the digest of the referrer."""
    built = build_statement(subject, statement.predicate_type, statement.predicate)
    manifest = built.manifest
    if store.find_manifest(manifest.digest) is not None:
        # one that an earlier attempt left by digest alone is in no list yet
        listed = store.list_referrers(subject.digest, artifact_type=media_types.IN_TOTO)
        if any(each.digest == manifest.digest for each in listed):
            return manifest.digest
    layer = manifest.layers[0]
    store.push_blob(BytesSource(built.content), digest=layer.digest, name="statement")
    store.push_blob(BytesSource(b"{}"), digest=manifest.config.digest, name="config")
    store.push_manifest(manifest)
    return manifest.digest


def attach_all(
    store: Store,
    subject: Manifest,
    statements: Iterable[Statement],
    *,
    attach_one: Callable[[Store, Manifest, Statement], Digest] = attach,
) -> Attached:
    """Attach statements to a kit that has landed; one that cannot be is a warning."""
    said, warnings = [], []
    for each in statements:
        try:
            said.append((attach_one(store, subject, each), each))
        except KitlineError as cause:
            warnings.append(
                f"the kit stands, but a statement of type {each.predicate_type!r} was not attached"
                f" to {store.pin(subject.digest)}: {cause}"
            )
    return Attached(said=tuple(said), warnings=tuple(warnings))


def read_statements(
    reference: str | AnyReference,
    predicate_type: str | None = None,
    *,
    settings: Settings | None = None,
    store: Store | None = None,
    limit: int = SIZE_LIMIT,
) -> list[AttachedStatement]:
    """Return what is said of a kit, sorted by digest; `predicate_type` chooses one kind.

    Exporters give the `store` that they were handed or opened, which has the user's settings.
    Each statement is verified against its digest and its subject, and none is signed: believe them
    as far as you trust whoever may write there. One that is broken or larger than `limit` bytes is
    left out, and a warning is logged.

    Raises:
        NotFound: if there is no such kit.
    """
    asked = read_reference(reference)
    with Stores(settings_or_default(settings)) as stores:
        if store is None:
            found = _find(stores, asked)
            store, digest = found.store, found.manifest.digest
        else:
            digest = find_manifest(store, asked).digest
        statements, warnings = find_statements(store, digest, predicate_type, limit=limit)
    for each in warnings:
        _log.warning("%s", each)
    return statements


def find_statements(
    store: Store,
    subject: Digest,
    predicate_type: str | None = None,
    *,
    listed: Iterable[Descriptor] | None = None,
    limit: int = SIZE_LIMIT,
    keep_larger: bool = False,
) -> tuple[list[AttachedStatement], list[str]]:
    """Return what is said of a manifest, and a sentence for each that was left out.

    With `keep_larger`, those over the limit are listed without predicate instead. `listed` are the
    referrers, if they are known already.
    """
    if listed is None:
        listed = store.list_referrers(subject, artifact_type=media_types.IN_TOTO)
    found: list[AttachedStatement] = []
    warnings: list[str] = []
    left = TOTAL_LIMIT
    for each in listed:
        hint = each.annotations.get(media_types.PREDICATE_TYPE)
        if each.artifact_type != media_types.IN_TOTO:
            continue
        if predicate_type is not None and hint not in (None, predicate_type):
            continue
        try:
            statement = _read(
                store, each.digest, subject, limit=min(limit, left), keep_larger=keep_larger
            )
        except (MalformedContent, VerificationError, NotFound) as cause:
            warnings.append(f"statement {each.digest} about {subject} was left out: {cause}")
            continue
        left -= statement.size if statement.predicate is not None else 0
        if predicate_type in (None, statement.predicate_type):
            found.append(statement)
    return found, warnings


def _read(
    store: Store, digest: Digest, subject: Digest, *, limit: int, keep_larger: bool
) -> AttachedStatement:
    manifest = store.get_manifest(digest)
    size = statement_layer(manifest, subject).size
    if keep_larger and size > limit:
        said = manifest.annotations.get(media_types.PREDICATE_TYPE, "")
        return AttachedStatement(digest=digest, predicate_type=said, predicate=None, size=size)
    read = read_statement(store, manifest, subject, limit=limit)
    return AttachedStatement(
        digest=digest, predicate_type=read.predicate_type, predicate=read.predicate, size=size
    )


def _find(stores: Stores, asked: AnyReference) -> Found:
    """Find a kit where its reference says; a pulled copy serves while that cannot be reached."""
    try:
        store = stores.open(asked)
        manifest = find_manifest(store, asked)
        return Found(
            store=store, manifest=manifest, reference=store.pin(manifest.digest), asked=asked
        )
    except RegistryUnreachable:
        found = stores.find(asked)
        _log.warning("statements about %s are those of the copy that was pulled", found.reference)
        return found
