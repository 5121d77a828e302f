"""Revoked kits: a statement that somebody attached says not to use one any more.

Signed or not, it counts here: passing over a kit at night is the safe mistake. Which signatures are
needed to refuse a kit elsewhere is a policy's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.trust.predicate_types import REVOCATION

if TYPE_CHECKING:
    from kitline.oci.digest import Digest
    from kitline.store.interface import Store


def find_revocation(store: Store, kit: Digest) -> str | None:
    """Return why a kit is revoked; None if nobody says so."""
    from kitline.operations.statements import find_statements
    from kitline.trust.verify import examine

    statements, _ = find_statements(store, kit, REVOCATION)
    evidence = examine(store, kit, None, REVOCATION).passed
    for said in (*(each.predicate for each in statements), *(each.predicate for each in evidence)):
        reason = (said or {}).get("reason")
        return f"it is revoked{f': {reason}' if isinstance(reason, str) and reason else ''}"
    return None
