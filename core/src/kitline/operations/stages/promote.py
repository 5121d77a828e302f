"""Promote: a stage such as `production` points at a kit from now on, and that is on record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.errors import NotAModelKit
from kitline.operations.defaults import settings_or_default
from kitline.operations.landing import is_registry, land
from kitline.operations.policy.gate import check_use
from kitline.operations.stages.check import check_promotion
from kitline.operations.stages.finish import finish
from kitline.operations.stages.mover import make_mover
from kitline.operations.stages.requirements import check_requirements, read_requirements
from kitline.operations.stages.rollback_choice import Choice
from kitline.operations.stores import Stores, find_manifest, read_reference, read_repository
from kitline.operations.verify import read_authority
from kitline.promotion.names import check_stage
from kitline.promotion.record import PROMOTE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kitline.oci.manifest import Manifest
    from kitline.operations.settings import Settings
    from kitline.operations.stages.result import Promotion
    from kitline.operations.stores import AnyReference
    from kitline.plugin.invocation import Invocation
    from kitline.plugin.manager import Plugins
    from kitline.store.interface import Store
    from kitline.trust.keys import Signer


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
            moved = check_promotion(
                check, mover, moved, lambda history: choice.find(history, None, None)
            )
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
