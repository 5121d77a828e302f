"""Verifying: find what is about an artifact in both of cosign's forms, and believe what passes.

Everything found is a candidate and no more; one that fails a check does not hide a good one. How
many candidates and bytes are looked at is bounded, since whoever may write to the repository may
add any number of them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kitline.errors import FailedCheck, MalformedContent, NotFound, NotSigned, VerificationError
from kitline.frozen import dataclass
from kitline.oci import media_types
from kitline.oci.manifest import ImageManifest
from kitline.trust import bundle, evidence, predicate_types

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from kitline.oci.digest import Digest
    from kitline.trust.authority import Authority
    from kitline.trust.evidence import Evidence, Shelf

CANDIDATES_LIMIT = 1000
"""How many signatures and attestations about one artifact are looked at."""
TOTAL_LIMIT = 256 << 20
"""How many bytes of those that passed are kept at once."""
_BROKEN = (VerificationError, MalformedContent, NotFound)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """Something that may be a signature or an attestation."""

    digest: Digest
    form: str
    hint: str
    """The predicate type that it says to have, without proof; empty if it says none."""
    read: Callable[[Authority | None], Evidence]


@dataclass(frozen=True, kw_only=True)
class Examined:
    """Candidates that passed all checks, and why the others did not."""

    passed: tuple[Evidence, ...]
    failures: tuple[str, ...]
    is_complete: bool = True
    """False if some were not looked at, so that what is missing may be among them."""


def verify_signature(store: Shelf, subject: Digest, authority: Authority) -> Evidence:
    """Return a signature of `subject` by `authority`; the first one that passes all checks.

    An attestation is no signature, though cosign takes one for it.

    Raises:
        NotSigned: if there is none; it says why each candidate was refused.
    """
    found = examine(store, subject, authority, predicate_types.SIGNATURE, enough=1)
    if found.passed:
        return found.passed[0]
    what = f"{store.pin(subject)} is not signed by {authority.name}"
    if not found.failures:
        raise NotSigned(f"{what}: nothing that is attached to it is a signature")
    raise NotSigned(f"{what}; what is attached to it:", found.failures)


def verify_attestations(
    store: Shelf, subject: Digest, authority: Authority, predicate_type: str
) -> tuple[Evidence, ...]:
    """Return all attestations of one type about `subject` by `authority`; at least one.

    Raises:
        NotSigned: if there is none; it says why each candidate was refused.
    """
    found = examine(store, subject, authority, predicate_type)
    if found.passed:
        return found.passed
    what = f"{store.pin(subject)} has no attestation of type {predicate_type!r} by {authority.name}"
    if not found.failures:
        raise NotSigned(f"{what}: no signed attestation is attached to it")
    raise NotSigned(f"{what}; what is attached to it:", found.failures)


def examine(
    store: Shelf,
    subject: Digest,
    authority: Authority | None,
    predicate_type: str | None = None,
    *,
    enough: int | None = None,
) -> Examined:
    """Read candidates until `enough` passed; those that say the right type come first."""
    passed: list[Evidence] = []
    failures: list[str] = []
    size, is_complete = 0, True
    found = find_candidates(store, subject)
    for each in sorted(found[:CANDIDATES_LIMIT], key=lambda c: c.hint != predicate_type):
        try:
            read = each.read(authority)
            if predicate_type not in (None, read.predicate_type):  # the last check
                raise FailedCheck(
                    "predicateType", f"is {read.predicate_type!r}, not {predicate_type!r}"
                )
        except _BROKEN as cause:
            failures.append(f"{each.digest} ({each.form}): {cause}")
            continue
        size += len(read.payload)
        if size > TOTAL_LIMIT:
            failures.append(f"more than {TOTAL_LIMIT} bytes are attached; the rest was left out")
            is_complete = False
            break
        passed.append(read)
        if enough is not None and len(passed) >= enough:
            break
    if len(found) > CANDIDATES_LIMIT:
        failures.append(f"{len(found) - CANDIDATES_LIMIT} more were not looked at")
        is_complete = False
    return Examined(passed=tuple(passed), failures=tuple(failures), is_complete=is_complete)


def find_candidates(store: Shelf, subject: Digest) -> Sequence[Candidate]:
    """Return what may be signatures and attestations about `subject`: bundles, then tags."""
    listed = store.list_referrers(subject, artifact_type=media_types.COSIGN_BUNDLE)
    found = [
        Candidate(
            digest=each.digest,
            form="bundle",
            hint=each.annotations.get(bundle.PREDICATE_TYPE, ""),
            read=partial(evidence.read_bundle, store, each.digest, subject),
        )
        for each in listed
    ]
    return [*found, *_tagged(store, subject)]


def _tagged(store: Shelf, subject: Digest) -> Iterator[Candidate]:
    """Yield the layers of cosign's `.sig` and `.att` tags."""
    readers = {"sig": evidence.read_tagged_signature, "att": evidence.read_tagged_attestation}
    for suffix, reader in readers.items():
        try:
            found = store.find_tag(evidence.cosign_tag(subject, suffix))
            manifest = None if found is None else store.get_manifest(found.digest)
        except _BROKEN:
            continue
        for layer in manifest.layers if isinstance(manifest, ImageManifest) else ():
            hint = layer.annotations.get("predicateType", "")
            yield Candidate(
                digest=layer.digest,
                form="tag",
                hint=predicate_types.SIGNATURE if suffix == "sig" else hint,
                read=partial(reader, store, layer, subject),
            )
