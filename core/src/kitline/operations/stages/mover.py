"""What goes on record of who moves a stage: name, reason, run; and the key that signs it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kitline.errors import UsageError
from kitline.operations.stages.identity import find_identity
from kitline.operations.stages.move import Mover
from kitline.plugin.redact import without_passwords
from kitline.promotion.names import check_stage
from kitline.promotion.record import TEXT_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable

    from kitline.operations.settings import Settings
    from kitline.plugin.invocation import Invocation
    from kitline.store.interface import Store
    from kitline.trust.keys import Signer


def make_mover(
    store: Store,
    stage: str,
    *,
    reason: str,
    invocation: Invocation | None,
    key: str | Signer | None,
    settings: Settings,
    ask_password: Callable[[str], str] | None = None,
) -> Mover:
    """Collect what goes on record of who moves a stage, and load the key.

    Raises:
        UsageError: if the reason is too long.
        UnusableKey: if the key cannot be used.
    """
    if len(reason) > TEXT_LIMIT:
        raise UsageError(f"the reason has {len(reason)} characters, more than {TEXT_LIMIT}")
    key = settings.sign_key if key is None else key
    if isinstance(key, str):
        from kitline.trust.key_source import load_signer

        key = load_signer(key, ask=ask_password)
    who, who_from = find_identity()
    return Mover(
        store=store,
        stage=check_stage(stage),
        who=who,
        who_from=who_from,
        reason=without_passwords(reason),
        run=_describe_run(invocation),
        signer=key,
        workers=settings.concurrency,
    )


def _describe_run(invocation: Invocation | None) -> dict[str, str]:
    from kitline.plugin.invocation import Invocation

    found = Invocation.from_environment(os.environ) if invocation is None else invocation
    if found is None:
        return {}
    run = {"system": found.system, "id": found.id, "url": found.url or ""}
    return {name: without_passwords(text)[:512] for name, text in run.items() if text}
