"""Run context: every run that starts with `KITLINE_INPUT_DIGEST` set is stamped with its data kit.

MLflow makes one of these while it is half imported; nothing of it is needed here.
"""

from __future__ import annotations

import os

VARIABLE = "KITLINE_INPUT_DIGEST"
"""Digests or pinned references of the kits that a run is given, with commas between them."""
TAG = "kitline.input.digest"


class InputDigestContext:
    """Gives a run the tag `kitline.input.digest`, which makes its models descend from that kit."""

    def in_context(self) -> bool:
        """Tell whether the variable is set."""
        return bool(os.environ.get(VARIABLE, "").strip())

    def tags(self) -> dict[str, str]:
        """Return the tag; a malformed value is a warning, since a run has to start all the same."""
        import warnings

        from kitline.errors import KitlineError

        try:
            return {TAG: _checked(os.environ.get(VARIABLE, ""))}
        except KitlineError as error:
            warnings.warn(f"the run gets no tag {TAG!r} from {VARIABLE}: {error}", stacklevel=2)
            return {}


def _checked(text: str) -> str:
    from kitline.errors import UsageError
    from kitline.plugin import Digest, PinnedReference

    found = [
        str(PinnedReference.parse(each) if "@" in each else Digest(each))
        for each in (part.strip() for part in text.split(","))
        if each
    ]
    if not found:
        raise UsageError(f"{text!r} names no digest")
    return ",".join(dict.fromkeys(found))
