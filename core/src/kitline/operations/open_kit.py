"""Open a kit: what a plugin's own verbs read, found by its name as every verb finds it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from kitline.kit.load import load_kit
from kitline.operations.defaults import settings_or_default
from kitline.operations.policy.gate import check_found, policy_limits
from kitline.operations.stores import Stores, read_reference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kitline.operations.settings import Settings
    from kitline.operations.stores import AnyReference
    from kitline.plugin.records import Kit


@contextmanager
def open_kit(source: str | AnyReference, *, settings: Settings | None = None) -> Iterator[Kit]:
    """Find a kit and keep its store open for as long as the block runs.

    Raises:
        NotFound: if there is no such kit.
        NotAModelKit: if the artifact is of another kind.
        PolicyError: if a policy does not allow it to be used.
    """
    from kitline.plugin.records import Kit

    with Stores(settings_or_default(settings)) as stores:
        found = stores.find(read_reference(source))
        check_found(found, stores, use="read")
        loaded = load_kit(found.store, found.manifest, name=str(found.asked))
        same = loaded.manifest.digest == found.manifest.digest
        yield Kit(
            reference=found.reference if same else found.store.pin(loaded.manifest.digest),
            manifest=loaded.manifest,
            kitfile=loaded.kitfile,
            store=found.store,
            limits=policy_limits(stores.settings, found.asked),
        )
