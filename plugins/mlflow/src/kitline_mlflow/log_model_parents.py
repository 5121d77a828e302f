"""What a model was made from, said when it is logged: a param that cannot change later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kitline.errors import InvalidDigest, UsageError
from kitline.plugin import Digest, Parent, PinnedReference

if TYPE_CHECKING:
    from collections.abc import Iterable

_ROLE = "data"


def given_parents(given: Iterable[object]) -> tuple[Parent, ...]:
    """Return the parents that were given to `log_model`.

    Each is a digest, a pinned reference, a `Parent`, or anything with a `.reference`, such as
    what `kitline.pack` returns.

    Raises:
        UsageError: if one is not pinned, or a single text was given where several are meant.
    """
    if isinstance(given, str):
        raise UsageError(f"parents is the text {given!r}; write parents=[{given!r}]")
    return tuple(_parent(each) for each in given)


def _parent(given: Any) -> Parent:
    if isinstance(given, Parent):
        return given
    named = getattr(given, "reference", None)
    text = str(given if named is None else named)
    _, at, digest = text.rpartition("@")
    try:
        found = Digest(digest)
        pinned = str(PinnedReference.parse(text)) if at else None
    except (InvalidDigest, UsageError) as cause:
        raise UsageError(
            f"parent {text!r} is neither a digest nor a pinned reference 'NAME@sha256:…': {cause}"
        ) from cause
    return Parent(digest=found, role=_ROLE, reference=pinned)
