"""Signed promotions: a stage's tag may be believed only where somebody signed that it points there.

Records by others are left out, so that whoever may write to the repository but holds no key can
neither move a stage nor hide that it was moved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.errors import KitlineError, UsageError
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
    head = History.of(each for each in state.history if each.signed_by).head
    if head is None:
        yield f"no promotion to stage {tag!r} is signed by {names}"
    elif head.kit != kit:
        yield f"the last promotion to stage {tag!r} that {names} signed is that of {head.kit}"
