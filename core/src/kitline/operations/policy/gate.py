"""The gate on use: may this kit be used here, by every policy that is in force?

Whoever reads a kit's content asks first, with the manifest that it then reads from, so that what
was judged is what is used. Every policy has to agree: those of the settings files, of
`KITLINE_POLICY` and of `--policy`.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kitline.errors import PolicyError
from kitline.kit.limits import DEFAULT_LIMITS
from kitline.operations.defaults import settings_or_default

if TYPE_CHECKING:
    from kitline.kit.limits import Limits
    from kitline.oci.manifest import Manifest
    from kitline.oci.reference import LayoutReference, PinnedReference
    from kitline.operations.settings import Settings
    from kitline.operations.stores import AnyReference, Found, Stores
    from kitline.store.interface import Store


def admit(
    reference: str | AnyReference,
    *,
    use: str = "use",
    policy: str | Path | None = None,
    settings: Settings | None = None,
) -> PinnedReference | LayoutReference:
    """Return the pinned reference of a kit that every policy allows to be used.

    For programs that keep content of kits themselves: ask before what was kept is used again.

    Raises:
        PolicyError: with everything that every policy finds wrong.
        NotFound: if there is no such kit.
    """
    from kitline.operations.stores import Stores, read_reference

    settings = settings_or_default(settings)
    if policy is not None:
        settings = settings.with_policy(Path(policy))
    with Stores(settings) as stores:
        found = stores.find(read_reference(reference))
        check_found(found, stores, use=use)
        return found.reference


def check_found(found: Found, stores: Stores, *, use: str) -> None:
    """Refuse what was found, as `check_use`."""
    settings = stores.settings
    check_use(found.store, found.manifest, found.asked, use=use, settings=settings, stores=stores)


def policy_limits(settings: Settings, reference: AnyReference) -> Limits:
    """Return what refuses the files of forbidden formats inside a kit's layers.

    The gate sees what a kit says of itself; the names in its layers are seen when they are read.
    """
    if not settings.policy.gates:
        return DEFAULT_LIMITS
    from kitline.operations.policy.formats import file_check
    from kitline.trust.gate import comparable_name

    name = comparable_name(reference.name)
    rules = [rule for gate in settings.policy.gates for rule in gate.rules if rule.covers(name)]
    forbidden = tuple(each for rule in rules for each in rule.forbidden_formats)
    return (
        replace(DEFAULT_LIMITS, check_file=file_check(forbidden)) if forbidden else DEFAULT_LIMITS
    )


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
    gates = settings.policy.gates
    if not gates:
        return
    from kitline.operations.claimed import ClaimedPlaces
    from kitline.operations.policy.case import Case
    from kitline.operations.stores import Stores

    with ExitStack() as stack:
        opened = stack.enter_context(Stores(settings)) if stores is None else stores
        # whoever may attach provenance names addresses that are asked; they cannot take long
        hasty = stack.enter_context(Stores(replace(settings, tries=1)))
        claimed = stack.enter_context(ClaimedPlaces(hasty))
        case = Case(store, manifest, reference, opened, claimed)
        problems = [f"{each} [{gate.origin}]" for gate in gates for each in case.judge(gate)]
    if problems:
        raise PolicyError(f"policy refuses to {use} {str(store.pin(manifest.digest))!r}:", problems)
