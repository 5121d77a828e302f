"""The gate before the cache: what was allowed once is judged again when it is used again.

A kit may have been revoked since it was fetched, or a policy set. Without policies nothing is asked
and a cached kit needs no registry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import kitline

if TYPE_CHECKING:
    from kitline import Settings
    from kitline.plugin import Reference

    from kitline_mlflow.cache_outline import KitOutline

_USE = "load"


def ask_policies(reference: Reference, outline: KitOutline | None, settings: Settings) -> None:
    """Refuse a kit, or one that it takes its model from, that a policy does not allow to be used.

    Raises:
        PolicyError: with everything that every policy finds wrong.
    """
    if not settings.policy.gates:
        return
    for each in (str(reference), *(outline.bases if outline else ())):
        kitline.admit(each, use=_USE, settings=settings)
