"""Prune: remove kits that nothing needs any more, after showing what would go."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from kitline.errors import NotFound, RegistryError, UsageError
from kitline.frozen import dataclass
from kitline.operations.defaults import settings_or_default
from kitline.operations.prune.plan import Plan, Rules, make_plan
from kitline.operations.prune.survey import StageWatch, survey
from kitline.operations.stores import Stores, read_repository
from kitline.promotion.exclusive import exclusive
from kitline.promotion.times import read_span
from kitline.store.layout import LayoutStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kitline.oci.digest import Digest
    from kitline.operations.settings import Settings
    from kitline.operations.stores import AnyReference
    from kitline.store.interface import Store

GRACE = timedelta(hours=1)
"""What is younger never goes: it may be on its way to a stage."""


@dataclass(frozen=True, kw_only=True)
class Pruned:
    """What a clean-up did, or would do."""

    plan: Plan
    removed: tuple[Digest, ...]
    """What is gone; nothing after a dry run."""
    freed: int
    """Bytes that were freed in a local store; a registry frees them when it collects garbage."""
    dry_run: bool
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the result as `--json` prints it."""
        return {
            "repository": self.plan.repository,
            "dryRun": self.dry_run,
            "remove": [each.to_json() for each in self.plan.going],
            "keep": [each.to_json() for each in self.plan.staying],
            "frees": self.plan.frees,
            "removed": [str(each) for each in self.removed],
            "freed": self.freed,
            "warnings": list(self.warnings),
        }


def prune(
    repository: str | AnyReference,
    *,
    keep_stages: bool = True,
    keep_last: int = 0,
    keep_newer: str | timedelta | None = None,
    keep_tags: Sequence[str] = (),
    grace: str | timedelta = GRACE,
    ignore_edges: bool = False,
    dry_run: bool = False,
    agree: Callable[[Plan], bool] | None = None,
    settings: Settings | None = None,
) -> Pruned:
    """Remove the kits of a repository that nothing needs, and what is attached to them.

    What stages hold and held stays in any case, with all that it descends from, and so does every
    kit from which something was made that still exists, or that cannot be reached.

    Args:
        repository: In the local store, a layout, or a registry that allows deletion.
        keep_stages: Said for the reader; stages are kept in any case.
        keep_last: How many of the newest kits stay.
        keep_newer: Kits that are younger stay: `30d`.
        keep_tags: Kits with a tag like one of these stay: `v*`.
        grace: Nothing that is younger goes, whatever else is said.
        ignore_edges: Remove kits though something was made from them.
        dry_run: Only make the plan.
        agree: Shown the plan; nothing is removed unless it says yes.
        settings: By default those of files and environment.

    Raises:
        UsageError: if nothing says what to keep.
        RegistryError: if the registry does not delete; nothing has gone then.
    """
    if not keep_stages:
        raise UsageError("stages are kept in any case; remove a kit by name with 'kitline remove'")
    if keep_last < 0:
        raise UsageError(f"the number of kits to keep is not {keep_last}")
    newer = read_span(keep_newer) if isinstance(keep_newer, str) else keep_newer
    rules = Rules(
        keep_last=keep_last,
        keep_newer=newer,
        keep_tags=tuple(keep_tags),
        grace=read_span(grace) if isinstance(grace, str) else grace,
        ignore_edges=ignore_edges,
    )
    settings = settings_or_default(settings)
    with Stores(settings) as stores:
        store = stores.open(read_repository(repository))
        plan = _plan(store, rules, stores, settings)
        result = Pruned(
            plan=plan, removed=(), freed=0, dry_run=dry_run, warnings=tuple(plan.warnings)
        )
        if dry_run or (agree is not None and not agree(plan)):
            return replace(result, dry_run=True)
        return _remove(store, rules, stores, settings, result)


def _plan(store: Store, rules: Rules, stores: Stores, settings: Settings) -> Plan:
    now = datetime.now(UTC)
    return make_plan(store, survey(store, settings, now), rules, stores, now)


def _remove(
    store: Store, rules: Rules, stores: Stores, settings: Settings, result: Pruned
) -> Pruned:
    """Remove what the plan says, unless something has come to need it since.

    Each kit goes before what is attached to it: whoever stops in between leaves referrers of
    nothing, never a kit whose signatures are gone.
    """
    removed: list[Digest] = []
    warnings = list(result.warnings)
    freed = 0
    with ExitStack() as stack:
        stack.enter_context(exclusive(store))
        planned = {each.digest for each in result.plan.going}
        still = {each.digest for each in _plan(store, rules, stores, settings).going}
        watch = StageWatch(store, settings.concurrency)
        for digest in sorted(planned & still):
            if digest in watch.find_staged():  # a registry has no lock that would keep others out
                still.discard(digest)
                continue
            attached = [each.digest for each in store.list_referrers(digest)]
            freed += _remove_one(store, digest, rules.grace)
            removed.append(digest)
            for each in attached:
                try:
                    freed += _remove_one(store, each, rules.grace)
                except (NotFound, RegistryError) as cause:
                    warnings.append(f"{each}, which was attached to {digest}, is left: {cause}")
            warnings += _remove_helper_tags(store, digest)
    left = sorted(planned - still)
    warnings += [f"{each} stays: something needs it since the plan was made" for each in left]
    return replace(result, removed=tuple(removed), freed=freed, warnings=tuple(warnings))


def _remove_one(store: Store, digest: Digest, grace: timedelta) -> int:
    """Remove a manifest; return the bytes that this freed."""
    if not isinstance(store, LayoutStore):
        store.remove_manifest(digest)
        return 0
    from kitline.store.layout_prune import remove_manifest

    return remove_manifest(store, digest, grace=grace.total_seconds()).blob_bytes


def _remove_helper_tags(store: Store, digest: Digest) -> list[str]:
    """Remove the fallback index and cosign's tags of a kit that is gone."""
    name = f"{digest.algorithm}-{digest.hex}"
    warnings = []
    for tag in (name, f"{name}.sig", f"{name}.att", f"{name}.sbom"):
        found = store.find_tag(tag)
        if found is None:
            continue
        try:
            store.remove_manifest(found.digest)
        except (NotFound, RegistryError) as cause:
            warnings.append(f"tag {tag!r} is left: {cause}")
    return warnings
