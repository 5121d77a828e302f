"""Signed promotions: a stage's tag may be believed only where somebody signed that it points there.

Records by others are left out, so that whoever may write to the repository but holds no key can
neither move a stage nor hide that it was moved. So are records that were signed for another
repository: what may run in a test stage may not run in production because its record was copied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.errors import KitlineError, UsageError
from kitline.oci.reference import Reference, parse_reference
from kitline.operations.stages.table import read_stage
from kitline.promotion.history import History
from kitline.promotion.names import CUSTOMARY, check_stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kitline.oci.digest import Digest
    from kitline.store.interface import Store
    from kitline.trust.gate import Voucher


def judge_promotion(
    store: Store, tag: str, kit: Digest, vouchers: Sequence[Voucher], stages: Sequence[str] | None
) -> Iterator[str]:
    """Yield a sentence if `tag` is a stage, and no signed promotion put `kit` there last.

    `stages` are the tags that are stages; None: those with records, and the customary ones.
    """
    if stages is not None and tag not in stages:
        return
    try:
        check_stage(tag)
    except UsageError:
        return
    try:
        authorities = [each.authority() for each in vouchers]
        state = read_stage(store, tag, authorities=authorities)
    except KitlineError as cause:
        yield f"the promotions of stage {tag!r} cannot be read: {cause}"
        return
    if stages is None and tag not in CUSTOMARY and not (state.history or state.problems):
        return
    names = " or ".join(each.name for each in authorities)
    here = _path(store.name)
    signed = [each for each in state.history if each.signed_by]
    head = History.of(each for each in signed if _path(each.repository) == here).head
    if head is None:
        elsewhere = sorted({each.repository for each in signed})
        meant = f" for {store.name!r}, only for {elsewhere[0]!r}" if elsewhere else ""
        yield f"no promotion to stage {tag!r} is signed by {names}{meant}"
    elif head.kit != kit:
        yield f"the last promotion to stage {tag!r} that {names} signed is that of {head.kit}"


def _path(name: str) -> str:
    """Return a repository's name without its registry, which may have several addresses."""
    try:
        found = parse_reference(name)
    except KitlineError:
        return name
    return found.repository if isinstance(found, Reference) else name
