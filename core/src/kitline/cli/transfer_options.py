"""What push, pull and copy share on the command line, as one value."""

from __future__ import annotations

import functools
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from kitline.cli import options
from kitline.frozen import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from kitline.operations.results import KitResult
    from kitline.operations.settings import Settings


@dataclass(frozen=True, kw_only=True)
class TransferWords:
    """The words that were given."""

    no_move: bool
    no_referrers: bool
    with_history: bool
    plain_http: bool
    insecure: bool
    ca_file: str | None
    quiet: bool
    as_json: bool
    policy: str | None = None
    no_keep_tag: bool = False
    write_back: str | None = None

    def settings(self, *names: str | None) -> Settings:
        """Collect the settings; `names` are the references whose registries may be asked."""
        return options.load_settings(
            *names,
            plain_http=self.plain_http,
            insecure=self.insecure,
            ca_file=self.ca_file,
            policy=self.policy,
            no_keep_tag=self.no_keep_tag,
            write_back=self.write_back,
        )

    def run(self, transfer: Callable[..., KitResult], words: str) -> None:
        """Call push, pull or copy with what was given while progress is shown; print the result."""
        with options.progress_shown(quiet=self.quiet) as progress:
            result = transfer(
                move=not self.no_move,
                referrers=not self.no_referrers,
                with_history=self.with_history,
                progress=progress,
            )
        options.print_kit(result, words, as_json=self.as_json, quiet=self.quiet)


def transfer_options(
    *more: Callable[[Any], Any],
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of a transfer and `more`, and hand them on as `given`."""

    def apply(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def collected(**words: Any) -> None:
            names = {each.name for each in fields(TransferWords)} & words.keys()
            given = TransferWords(**{name: words.pop(name) for name in names})
            function(given=given, **words)

        every = (
            *more,
            options.no_move_option,
            *options.referrers_options,
            *options.connection_options,
            options.quiet_option,
            options.json_option,
        )
        found: Callable[..., None] = options.with_options(*every)(collected)
        return found

    return apply
