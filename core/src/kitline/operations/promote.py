"""Promote: a stage such as `production` points at a kit from now on, and that is on record."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kitline.errors import NotAModelKit, UsageError
from kitline.operations.defaults import plugins_or_default, settings_or_default
from kitline.operations.html_table import html_card
from kitline.operations.landing import is_registry, land
from kitline.operations.policy import check_use
from kitline.operations.promote_check import check_promotion
from kitline.operations.promote_identity import find_identity
from kitline.operations.promote_move import Mover
from kitline.operations.promote_requirements import check_requirements, read_requirements
from kitline.operations.rollback_choice import Choice
from kitline.operations.stores import Stores, find_manifest, read_reference, read_repository
from kitline.operations.verify import read_authority
from kitline.plugin.redact import without_passwords
from kitline.promotion.names import check_stage
from kitline.promotion.record import PROMOTE, TEXT_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kitline.oci.digest import Digest
    from kitline.oci.manifest import Manifest
    from kitline.oci.reference import LayoutReference, PinnedReference
    from kitline.operations.promote_move import Moved
    from kitline.operations.settings import Settings
    from kitline.operations.stores import AnyReference
    from kitline.plugin.invocation import Invocation
    from kitline.plugin.manager import Plugins
    from kitline.plugin.records import WriteBack
    from kitline.store.interface import Store
    from kitline.trust.keys import Signer


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """A stage that points at a kit; `str()` of it is the pinned reference."""

    stage: str
    reference: PinnedReference | LayoutReference
    """The kit in the repository of the stage."""
    digest: Digest
    previous: Digest | None
    """What the stage held before."""
    record: Digest | None
    """The record that put the kit there; this call's, or the older one if nothing changed."""
    seq: int
    """The number of that record in the history of the stage."""
    changed: bool
    """False if the stage held the kit already, so that nothing was recorded."""
    action: str = PROMOTE
    reason: str = ""
    write_backs: tuple[WriteBack, ...] = ()
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        return str(self.reference)

    def _repr_html_(self) -> str:
        return html_card(
            f"{self.stage}: record {self.seq}",
            [
                ("kit", self.reference),
                ("before", self.previous),
                ("reason", self.reason),
                ("told", ", ".join(each.target for each in self.write_backs if each.ok)),
                ("warnings", "; ".join(self.warnings)),
            ],
        )

    def to_json(self) -> dict[str, Any]:
        """Return the result as `--json` prints it."""
        return {
            "stage": self.stage,
            "reference": str(self.reference),
            "digest": str(self.digest),
            "previous": None if self.previous is None else str(self.previous),
            "record": None if self.record is None else str(self.record),
            "seq": self.seq,
            "changed": self.changed,
            "action": self.action,
            "reason": self.reason,
            "writeBacks": [
                {"plugin": each.plugin, "target": each.target, "warning": each.warning}
                for each in self.write_backs
            ],
            "warnings": list(self.warnings),
        }


def promote(
    reference: str | AnyReference,
    stage: str,
    *,
    reason: str = "",
    require: Sequence[str] = (),
    check: str | None = None,
    to: str | None = None,
    invocation: Invocation | None = None,
    key: str | Signer | None = None,
    verify_key: str | None = None,
    settings: Settings | None = None,
    plugins: Plugins | None = None,
    ask_password: Callable[[str], str] | None = None,
) -> Promotion:
    """Point a stage at a kit, and put that on record.

    Promoting what the stage holds already records nothing and repairs a tag that differs. With a
    private `key` the record is signed.

    Args:
        reference: The kit; a tag is resolved once.
        stage: A tag such as `production`.
        reason: Why, for the record.
        require: What has to hold, else nothing moves: `signed`, `attestation:TYPE`,
            `metric:NAME:ge:0.9`, `newer-than:STAGE`.
        check: A shell command that is run afterwards; if it fails, the stage is rolled back.
        to: A repository of the stage's own; the kit and its referrers are copied there first.
        invocation: The run that does it; by default what the environment says.
        key: Private key that signs the record; by default the setting `sign_key`.
        verify_key: Public key that `signed` and the attestations in `require` have to verify with.
        settings: By default those of files and environment.
        plugins: Whose `kitline_promoted` hooks are called; by default the installed ones.
        ask_password: Asked for the password of a key that needs one.

    Raises:
        UsageError: if the stage's name or a requirement cannot be used.
        NotFound: if there is no such kit.
        NotAModelKit: if it is a signature, a record or the like.
        PolicyError: if a policy or a requirement refuses; nothing has moved.
        PromotionLost: if another move at the same time won; both are on record.
        PromotionUndone: if the check failed; the stage is back where it was.
        WriteBackFailed: if a tool was not told and the setting `write_back` is `require`.
    """
    check_stage(stage)
    wanted = read_requirements(require)
    settings = settings_or_default(settings)
    asked = read_reference(reference)
    place = asked.with_tag(None) if to is None else read_repository(to)
    with Stores(settings) as stores:
        source, store = stores.open(asked), stores.open(place)
        mover = make_mover(
            store,
            stage,
            reason=reason,
            invocation=invocation,
            key=key,
            settings=settings,
            ask_password=ask_password,
        )
        manifest = find_manifest(source, asked)
        if manifest.subject is not None:
            raise NotAModelKit(
                f"{str(asked)!r} is attached to {manifest.subject.digest}, and no kit"
            )
        check_use(source, manifest, asked, use="promote", settings=settings, stores=stores)
        check_requirements(
            wanted,
            source,
            manifest,
            stage_store=store,
            stage=stage,
            authority=None if verify_key is None else read_authority(verify_key),
        )
        warnings = _bring(source, store, manifest, place, settings)
        moved = mover.move(PROMOTE, lambda _: manifest.digest)
        if check is not None and moved.record is not None:
            choice = Choice(store, stage, place, settings, stores)
            check_promotion(check, mover, moved, lambda history: choice.find(history, None, None))
        return finish(
            store,
            stage,
            moved,
            action=PROMOTE,
            reason=mover.reason,
            settings=settings,
            plugins=plugins,
            warnings=warnings,
        )


def _bring(
    source: Store, store: Store, manifest: Manifest, place: AnyReference, settings: Settings
) -> list[str]:
    """Bring the kit to the repository of the stage, and leave the keep tag; return warnings.

    The keep tag has clean-up spare the kit when the stage has moved on.
    """
    from kitline.store.copy import copy_kit

    warnings: list[str] = []
    if store is not source:
        copied = copy_kit(source, store, manifest, concurrency=settings.concurrency)
        warnings += copied.warnings
    landed = land(store, manifest, settings, tag=None, in_registry=is_registry(place))
    return [*warnings, *landed.warnings]


def make_mover(
    store: Store,
    stage: str,
    *,
    reason: str,
    invocation: Invocation | None,
    key: str | Signer | None,
    settings: Settings,
    ask_password: Callable[[str], str] | None = None,
) -> Mover:
    """Collect what goes on record of who moves a stage, and load the key.

    Raises:
        UsageError: if the reason is too long.
        UnusableKey: if the key cannot be used.
    """
    if len(reason) > TEXT_LIMIT:
        raise UsageError(f"the reason has {len(reason)} characters, more than {TEXT_LIMIT}")
    key = settings.sign_key if key is None else key
    if isinstance(key, str):
        from kitline.trust.key_source import load_signer

        key = load_signer(key, ask=ask_password)
    who, who_from = find_identity()
    return Mover(
        store=store,
        stage=check_stage(stage),
        who=who,
        who_from=who_from,
        reason=without_passwords(reason),
        run=_describe_run(invocation),
        signer=key,
        workers=settings.concurrency,
    )


def finish(
    store: Store,
    stage: str,
    moved: Moved,
    *,
    action: str,
    reason: str,
    settings: Settings,
    plugins: Plugins | None,
    warnings: Sequence[str] = (),
) -> Promotion:
    """Tell the tools of a move, and return the result.

    Raises:
        WriteBackFailed: if one was not told and the setting `write_back` is `require`.
    """
    record = moved.record or moved.head
    write_backs: tuple[WriteBack, ...] = ()
    if moved.record is not None:
        write_backs = tell_tools(
            plugins_or_default(plugins, settings), store, stage, moved, settings
        )
    return Promotion(
        stage=stage,
        reference=store.pin(moved.kit),
        digest=moved.kit,
        previous=moved.previous,
        record=None if record is None else record.digest,
        seq=0 if record is None else record.seq,
        changed=moved.record is not None,
        action=action,
        reason=reason,
        write_backs=write_backs,
        warnings=(*warnings, *_outside(store, stage, moved), *moved.warnings),
    )


def tell_tools(
    plugins: Plugins, store: Store, stage: str, moved: Moved, settings: Settings
) -> tuple[WriteBack, ...]:
    """Call the `kitline_promoted` hooks; raises as `finish`."""
    from kitline.errors import WriteBackFailed
    from kitline.operations.origins import find_origin
    from kitline.plugin.records import PromotedEvent

    record = moved.record
    if settings.write_back == "off" or record is None:
        return ()
    pinned = store.pin(moved.kit)
    event = PromotedEvent(
        reference=pinned,
        stage=stage,
        previous=moved.previous,
        origin=find_origin(settings, moved.kit),
        seq=record.seq,
        record=record.digest,
        action=record.action,
        reason=record.reason,
    )
    results = tuple(plugins.promoted(event))
    failed = [each for each in results if not each.ok]
    if failed and settings.write_back == "require":
        reasons = "; ".join(f"{each.plugin}: {each.warning}" for each in failed)
        raise WriteBackFailed(
            f"stage {stage!r} points at {pinned}, but not written back: {reasons}",
            reference=str(pinned),
        )
    return results


def _outside(store: Store, stage: str, moved: Moved) -> list[str]:
    """Say that the tag had been moved by something else, which is repaired now."""
    tagged = moved.tag_before
    if tagged is None or moved.history.explains(tagged, moves=2 if moved.record else 1):
        return []
    return [
        f"the tag {stage!r} of {store.name!r} pointed at {tagged}, which no record explains:"
        " it had been moved outside kitline"
    ]


def _describe_run(invocation: Invocation | None) -> dict[str, str]:
    from kitline.plugin.invocation import Invocation

    found = Invocation.from_environment(os.environ) if invocation is None else invocation
    if found is None:
        return {}
    run = {"system": found.system, "id": found.id, "url": found.url or ""}
    return {name: without_passwords(text)[:512] for name, text in run.items() if text}
