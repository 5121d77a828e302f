"""Sign and attest: what people vouch for with a key, attached to a kit.

A tag is resolved once, in the store that the reference names; the digest is what is signed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kitline.errors import UsageError
from kitline.frozen import dataclass
from kitline.operations.defaults import settings_or_default
from kitline.operations.stores import Stores, find_manifest, read_reference
from kitline.trust import predicate_types
from kitline.trust.key_source import load_signer
from kitline.trust.sign import attest as attest_manifest
from kitline.trust.sign import sign as sign_manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kitline.oci.digest import Digest
    from kitline.oci.reference import LayoutReference, PinnedReference
    from kitline.operations.settings import Settings
    from kitline.operations.stores import AnyReference
    from kitline.trust.keys import Signer
    from kitline.trust.sign import Signed

PREDICATE_LIMIT = 8 << 20
"""The largest predicate that is read from a file, in bytes."""


@dataclass(frozen=True, kw_only=True)
class SignResult:
    """A kit that is now signed or attested to."""

    reference: PinnedReference | LayoutReference
    digest: Digest
    signature: Digest
    """The digest of the referrer that was attached."""
    predicate_type: str
    written: bool
    """False if the same was there already."""
    tag: str | None = None
    """cosign's `.sig` or `.att` tag, if that form was asked for."""
    signed: bool = True

    def __str__(self) -> str:
        return str(self.reference)

    def to_json(self) -> dict[str, Any]:
        """Return the result as `--json` prints it."""
        return {
            "reference": str(self.reference),
            "digest": str(self.digest),
            "referrer": str(self.signature),
            "predicateType": self.predicate_type,
            "signed": self.signed,
            "written": self.written,
            "tag": self.tag,
        }


def sign(
    reference: str | AnyReference,
    *,
    key: str | Signer,
    legacy: bool = False,
    settings: Settings | None = None,
    ask_password: Callable[[str], str] | None = None,
) -> SignResult:
    """Sign a kit with a private key, as cosign does; signing it again writes nothing.

    With `legacy` the `.sig` tag that older tools read is written too.

    Raises:
        UnusableKey: if the key cannot be read or used.
        NotFound: if there is no such kit.
    """
    signer = load_signer(key, ask=ask_password) if isinstance(key, str) else key
    asked = read_reference(reference)
    with Stores(settings_or_default(settings)) as stores:
        store = stores.open(asked)
        manifest = find_manifest(store, asked)
        signed = sign_manifest(store, manifest, signer, legacy=legacy)
        pinned = store.pin(manifest.digest)
    return _result(pinned, manifest.digest, predicate_types.SIGNATURE, signed)


def attest_signed(
    reference: str | AnyReference,
    predicate_type: str,
    predicate: Mapping[str, Any],
    *,
    key: str | Signer,
    legacy: bool = False,
    at: str | AnyReference | None = None,
    settings: Settings | None = None,
    ask_password: Callable[[str], str] | None = None,
) -> SignResult:
    """Attach a statement about a kit, signed with a private key, as cosign does.

    `predicate_type` is a URI or a short name. With `legacy` the `.att` tag that older tools read
    is written too. It is written beside the kit, or into the repository `at`, for those who look
    there: a policy's `also_in`.

    Raises:
        UnusableKey: if the key cannot be read or used.
        NotFound: if there is no such kit.
    """
    kind = predicate_types.predicate_type(predicate_type)
    signer = load_signer(key, ask=ask_password) if isinstance(key, str) else key
    asked = read_reference(reference)
    with Stores(settings_or_default(settings)) as stores:
        store = stores.open(asked)
        manifest = find_manifest(store, asked)
        place = store if at is None else stores.open(read_reference(at))
        signed = attest_manifest(place, manifest, kind, predicate, signer, legacy=legacy)
        pinned = store.pin(manifest.digest)
    return _result(pinned, manifest.digest, kind, signed)


def attest_unsigned(
    reference: str | AnyReference,
    predicate_type: str,
    predicate: Mapping[str, Any],
    *,
    at: str | AnyReference | None = None,
    settings: Settings | None = None,
) -> SignResult:
    """Attach a statement about a kit that nobody vouches for; `at` is that of `attest_signed`."""
    from kitline.operations.statements import attach
    from kitline.plugin.records import Statement

    kind = predicate_types.predicate_type(predicate_type)
    asked = read_reference(reference)
    with Stores(settings_or_default(settings)) as stores:
        store = stores.open(asked)
        manifest = find_manifest(store, asked)
        place = store if at is None else stores.open(read_reference(at))
        before = {each.digest for each in place.list_referrers(manifest.digest)}
        statement = Statement(predicate_type=kind, predicate=predicate)
        digest = attach(place, manifest, statement)
        return SignResult(
            reference=store.pin(manifest.digest),
            digest=manifest.digest,
            signature=digest,
            predicate_type=kind,
            written=digest not in before,
            signed=False,
        )


def stated_parents(
    parents: Iterable[str], *, settings: Settings | None = None
) -> Mapping[str, Any]:
    """Return provenance that names parents, given as `[ROLE=]REFERENCE`; a tag is looked up now.

    Raises:
        UsageError: if a text names no kit.
        NotFound: if there is no such tag.
    """
    from kitline.operations.lineage.parents import resolve_parents
    from kitline.operations.provenance import invocation_statement

    with Stores(settings_or_default(settings)) as stores:
        found = resolve_parents(stores, parents)
    statement, _ = invocation_statement(None, parents=found)
    return statement.predicate


def read_predicate(content: bytes, name: str) -> dict[str, Any]:
    """Read a predicate: a JSON object.

    Raises:
        UsageError: if it is none, or larger than `PREDICATE_LIMIT`.
    """
    from kitline.oci.json import decode

    if len(content) > PREDICATE_LIMIT:
        raise UsageError(
            f"cannot read predicate {name!r}: it has more than {PREDICATE_LIMIT} bytes"
        )
    try:
        found = decode(content, limit=PREDICATE_LIMIT)
    except ValueError as cause:
        raise UsageError(f"cannot read predicate {name!r}: it is not JSON: {cause}") from cause
    if not isinstance(found, dict):
        raise UsageError(f"cannot read predicate {name!r}: it is not a JSON object")
    return found


def _result(
    reference: PinnedReference | LayoutReference, digest: Digest, kind: str, signed: Signed
) -> SignResult:
    return SignResult(
        reference=reference,
        digest=digest,
        signature=signed.digest,
        predicate_type=kind,
        written=signed.written,
        tag=signed.tag,
    )
