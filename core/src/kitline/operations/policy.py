"""The gate on use: may this kit be used here, by every policy that is in force?

Whoever reads a kit's content asks first, with the manifest that it then reads from, so that what
was judged is what is used. Every policy has to agree: those of the settings files, of
`KITLINE_POLICY` and of `--policy`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kitline.oci.manifest import Manifest
    from kitline.operations.settings import Settings
    from kitline.operations.stores import AnyReference, Stores
    from kitline.store.interface import Store


def check_use(
    store: Store,
    manifest: Manifest,
    reference: AnyReference,
    *,
    use: str,
    settings: Settings,
    stores: Stores | None = None,
) -> None:
    """Refuse a kit that a policy does not allow to be used; without policies this costs nothing.

    Args:
        store: Where the kit was found.
        manifest: What was found; the caller reads this and nothing else.
        reference: The name that was asked for, with its tag or digest.
        use: A verb for messages: `pull`, `unpack`, `promote`.
        settings: Their policies are asked.
        stores: What opens the places where parents and statements lie, if some are open already.

    Raises:
        PolicyError: with everything that every policy finds wrong; nothing was written.
    """
