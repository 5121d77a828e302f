"""Where a step reads and writes: names without registry go below the setting `registry`.

A cluster is told its registry once (`kitline_kfp.configure`), and pipelines name repositories only.
"""

from __future__ import annotations

import kitline
from kitline.errors import UsageError
from kitline.plugin import Reference


def remote_of(text: str) -> str:
    """Return a reference with the registry that the settings name, if it has none of its own."""
    if text.startswith(("oci:", "oci-archive:")):
        return text
    asked = Reference.parse(text)
    registry = kitline.Settings.load().registry if asked.is_bare else None
    return f"{registry}/{asked}" if registry else str(asked)


def require_pinned(text: str) -> str:
    """Return a reference whose digest is there.

    Raises:
        UsageError: if there is none, so that the answer could change while the name stays.
    """
    found = remote_of(text)
    if not found.startswith(("oci:", "oci-archive:")) and Reference.parse(found).digest is None:
        raise UsageError(
            f"{text!r} names no digest, and KFP would cache what a tag meant once; take the output"
            " 'reference' of the step that pushed it, or of resolve_modelkit"
        )
    return found
