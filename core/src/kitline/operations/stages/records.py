"""Promotion records in a store: read and checked, written so that none can be lost.

A record is a referrer of the kit that it is about: an in-toto Statement, or a bundle with a signed
one. It counts from the moment when the tag of its own points at it; everything before leaves no
trace in the history. What is found is checked: (1) the tag's name against what it points at, (2)
the artifact type and the subject, (3) size and digest of the statement, (4) the signature, if one
was asked for, (5) the statement's form and subject, (6) the fields, and the stage among them.
"""

from __future__ import annotations

from dataclasses import fields
from functools import partial
from typing import TYPE_CHECKING

from kitline.errors import MalformedContent, NotFound, VerificationError
from kitline.frozen import dataclass
from kitline.oci import media_types
from kitline.oci.descriptor import Descriptor
from kitline.oci.digest import Digest
from kitline.oci.manifest import EMPTY_CONFIG, ImageManifest
from kitline.promotion.history import History
from kitline.promotion.names import find_record_tag, record_prefix, record_tag
from kitline.promotion.record import ARTIFACT_TYPE, PREDICATE_TYPE, Move, PromotionRecord
from kitline.store.parallel import run_all
from kitline.store.progress import SILENT
from kitline.store.source import BytesSource
from kitline.store.verify import read_verified
from kitline.trust.bundle import Bundle, bundle_bytes
from kitline.trust.dsse import seal
from kitline.trust.statement import parse_statement, statement_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kitline.oci.manifest import Manifest
    from kitline.store.interface import Store
    from kitline.store.progress import Progress
    from kitline.trust.authority import Authority
    from kitline.trust.keys import Signer

SIZE_LIMIT = 64 << 10
"""The largest statement or bundle of a record, in bytes."""
RECORDS_LIMIT = 20_000
"""Most records of one stage that are read; the newest, by the numbers in their tags."""
STAGE = "io.kitline.stage"
"""An annotation for people who list referrers; what counts is the statement."""
_BROKEN = (VerificationError, MalformedContent, NotFound)


@dataclass(frozen=True, kw_only=True)
class ReadHistory:
    """The history of a stage, and a sentence for each tag that looked like a record and is none."""

    history: History
    problems: tuple[str, ...] = ()


class RecordReader:
    """Reads the records of one stage; what was read once is not read again.

    With `authorities`, each record that one of them signed says so.
    """

    def __init__(
        self,
        store: Store,
        stage: str,
        *,
        authorities: Sequence[Authority] = (),
        workers: int = 4,
    ) -> None:
        self._store = store
        self._stage = stage
        self._authorities = authorities
        self._workers = workers
        self._known: dict[str, PromotionRecord | str] = {}

    def list_tags(self) -> list[str]:
        """Return the tags of the stage's records as they are now, those with high numbers last."""
        found = [
            (each.seq, tag)
            for tag in self._store.list_tags(prefix=record_prefix(self._stage))
            if (each := find_record_tag(tag)) is not None and each.stage == self._stage
        ]
        return [tag for _, tag in sorted(found)][-RECORDS_LIMIT:]

    def read(self, tags: Iterable[str] | None = None) -> ReadHistory:
        """Return the history as the store has it now; `tags` if they were just listed."""
        tags = self.list_tags() if tags is None else list(tags)
        new = [each for each in tags if each not in self._known]
        tasks = [partial(self._read, tag) for tag in new]
        self._known |= zip(new, run_all(tasks, workers=self._workers, progress=SILENT), strict=True)
        found = [self._known[each] for each in tags]
        return ReadHistory(
            history=History.of(each for each in found if isinstance(each, PromotionRecord)),
            problems=tuple(each for each in found if isinstance(each, str)),
        )

    def _read(self, tag: str, _progress: Progress) -> PromotionRecord | str:
        """Return the record that a tag points at, or why it is none."""
        try:
            return read_record(self._store, tag, self._authorities)
        except _BROKEN as cause:
            return f"tag {tag!r} of {self._store.name!r} is no record and was left out: {cause}"


def read_record(store: Store, tag: str, authorities: Sequence[Authority] = ()) -> PromotionRecord:
    """Read and check one record.

    Raises:
        MalformedContent, VerificationError: naming what is wrong.
        NotFound: if the tag points nowhere.
    """
    named, found = find_record_tag(tag), store.find_tag(tag)
    if named is None or found is None:
        raise NotFound("it points nowhere")
    if found.digest.hex[:16] != named.hex:  # 1
        raise MalformedContent(f"it points at {found.digest}, which has other digits")
    manifest = store.get_manifest(found.digest)
    if manifest.artifact_type != ARTIFACT_TYPE or manifest.subject is None:  # 2
        raise MalformedContent("it points at something else")
    kit = manifest.subject.digest
    layer = _layer(manifest)
    content = read_verified(store, layer, SIZE_LIMIT, what="promotion record")  # 3
    signed, signed_by = layer.media_type == media_types.COSIGN_BUNDLE, ""
    if signed:
        bundle = Bundle.from_bytes(content)
        bundle.envelope.check_type()
        signed_by = _find_signer(bundle, authorities)  # 4
        content = bundle.envelope.payload
    statement = parse_statement(content, kit, limit=SIZE_LIMIT)  # 5
    if statement.predicate_type != PREDICATE_TYPE:
        raise MalformedContent(f"predicateType: is not {PREDICATE_TYPE!r}")
    move = Move.from_predicate(kit, statement.predicate)  # 6
    if (move.stage, move.seq) != (named.stage, named.seq):
        raise MalformedContent(f"it is number {move.seq} of stage {move.stage!r}")
    return _recorded(move, found.digest, signed=signed, signed_by=signed_by)


def write_record(
    store: Store, kit: Manifest, move: Move, signer: Signer | None = None
) -> PromotionRecord:
    """Put a move on record, signed if there is a signer; nothing counts before the last line.

    Raises:
        UsageError: if it is too large.
        UnusableKey: if it cannot be signed.
    """
    content = statement_bytes(kit.digest, PREDICATE_TYPE, move.to_predicate())
    media_type = media_types.IN_TOTO
    if signer is not None:
        content = bundle_bytes(seal(content, signer), signer.public.hint)
        media_type = media_types.COSIGN_BUNDLE
    layer = Descriptor(media_type=media_type, digest=Digest.of(content), size=len(content))
    manifest = ImageManifest.build(
        artifact_type=ARTIFACT_TYPE,
        config=EMPTY_CONFIG,
        layers=[layer],
        subject=kit.descriptor,
        annotations={media_types.PREDICATE_TYPE: PREDICATE_TYPE, STAGE: move.stage},
    )
    store.push_blob(BytesSource(content), digest=layer.digest, name="promotion record")
    store.push_blob(BytesSource(b"{}"), digest=EMPTY_CONFIG.digest, name="config")
    store.push_manifest(manifest)
    store.set_tag(record_tag(move.stage, move.seq, manifest.digest), manifest, may_move=False)
    by = f"key {signer.public.name!r}" if signer is not None else ""
    return _recorded(move, manifest.digest, signed=signer is not None, signed_by=by)


def _recorded(move: Move, digest: Digest, *, signed: bool, signed_by: str) -> PromotionRecord:
    values = {each.name: getattr(move, each.name) for each in fields(Move)}
    return PromotionRecord(digest=digest, signed=signed, signed_by=signed_by, **values)


def _layer(manifest: Manifest) -> Descriptor:
    layers = manifest.layers if isinstance(manifest, ImageManifest) else ()
    kinds = (media_types.IN_TOTO, media_types.COSIGN_BUNDLE)
    if len(layers) != 1 or layers[0].media_type not in kinds:
        raise MalformedContent("it has no single layer with a statement")
    if layers[0].size > SIZE_LIMIT:
        raise MalformedContent(f"its {layers[0].size} bytes are over the limit of {SIZE_LIMIT}")
    return layers[0]


def _find_signer(bundle: Bundle, authorities: Sequence[Authority]) -> str:
    """Return the name of the authority that signed a bundle; empty if none of them did."""
    for each in authorities:
        try:
            each.check_bundle(bundle)
        except VerificationError:
            continue
        return each.name
    return ""
