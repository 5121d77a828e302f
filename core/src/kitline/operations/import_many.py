"""Import many: lines of source and target in one process, each with an outcome of its own."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from kitline.errors import Cancelled, KitlineError, PluginError, UsageError, WriteBackFailed
from kitline.frozen import dataclass
from kitline.operations.defaults import plugins_or_default, settings_or_default
from kitline.operations.import_ import import_, import_context
from kitline.operations.stores import Stores
from kitline.plugin.redact import without_passwords
from kitline.store.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kitline.operations.results import KitResult
    from kitline.operations.settings import Settings
    from kitline.plugin.invocation import Invocation
    from kitline.plugin.manager import Plugins
    from kitline.plugin.parent import Parent
    from kitline.store.progress import Progress


@dataclass(frozen=True, kw_only=True)
class ImportOutcome:
    """What became of one line: a `result` or an `error`."""

    line: int
    """Counted from 1, comments and blank lines included."""
    source: str
    target: str
    result: KitResult | None = None
    error: Exception | None = None

    @property
    def state(self) -> str:
        """`imported`, `existed` (the source had that kit already), `pushed` or `failed`.

        `pushed` is a kit that landed while the tool could not be told, though it was required.
        """
        if self.result is not None:
            return "existed" if self.result.existed else "imported"
        return "pushed" if isinstance(self.error, WriteBackFailed) else "failed"

    def to_json(self) -> dict[str, Any]:
        """Return the outcome as `kitline import --from` prints it."""
        fields: dict[str, Any] = {
            "line": self.line,
            "source": without_passwords(self.source),
            "target": self.target,
            "state": self.state,
        }
        if self.result is not None:
            fields |= self.result.to_json()
        if isinstance(self.error, WriteBackFailed):
            fields["reference"] = self.error.reference
        if self.error is not None:
            fields["error"] = {"kind": type(self.error).__name__, "message": str(self.error)}
        return fields


def import_many(
    lines: Iterable[str | tuple[str, str]],
    *,
    settings: Settings | None = None,
    plugins: Plugins | None = None,
    options: Mapping[str, str] | None = None,
    parents: Sequence[Parent | str] = (),
    invocation: Invocation | None = None,
    provenance: bool = True,
    move: bool = True,
    rehash: bool = False,
    progress: Progress = SILENT,
) -> Iterator[ImportOutcome]:
    """Import each line, `SOURCE TARGET` or a pair; yield what became of it, in order.

    Words are quoted as in a shell; lines may be blank or comments that begin with `#`. A line that
    fails does not stop the others, and what a tool knows as imported is not imported again.
    `parents`, `invocation` and `provenance` are those of `pack` and hold for each.
    """
    settings = settings_or_default(settings)
    plugins = plugins_or_default(plugins, settings)
    for number, line in enumerate(lines, 1):
        source = target = ""
        try:
            pair = _read_line(line, number) if isinstance(line, str) else line
            if pair is None:
                continue
            source, target = pair
            result = import_(
                source,
                target,
                settings=settings,
                plugins=plugins,
                options=options,
                parents=parents,
                invocation=invocation,
                provenance=provenance,
                move=move,
                rehash=rehash,
                progress=progress,
            )
            yield ImportOutcome(line=number, source=source, target=target, result=result)
        except Cancelled:
            raise
        except Exception as cause:  # whatever is wrong with one must not keep the others away
            yield ImportOutcome(line=number, source=source, target=target, error=cause)


def list_sources(
    source: str,
    *,
    settings: Settings | None = None,
    plugins: Plugins | None = None,
    options: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """Yield the sources that a container such as an experiment holds, each fit for `import_`.

    Raises:
        PluginError: if no plugin reads such sources, or its importer cannot list.
    """
    settings = settings_or_default(settings)
    importer = plugins_or_default(plugins, settings).importer_for(source)
    if importer.expand is None:
        raise PluginError(
            f"cannot list {without_passwords(source)!r}: importer {importer.name!r} lists nothing"
        )
    with Stores(settings) as stores:
        for each in importer.expand(source, options or {}, import_context(stores)):
            if not each.isprintable():
                raise KitlineError(
                    f"cannot list {without_passwords(source)!r}: the name {each!r} holds characters"
                    " that do not fit into one line"
                )
            yield each


def read_target(line: str) -> str | None:
    """Return the name that a line gives its kit; None if it names none or cannot be read."""
    try:
        pair = _read_line(line, 0)
    except UsageError:  # said when its turn comes
        return None
    return pair[1] if pair else None


def _read_line(line: str, number: int) -> tuple[str, str] | None:
    """Return source and target; None for a blank line or a comment."""
    lexer = shlex.shlex(line.strip("\ufeff \t\r\n"), posix=True)
    lexer.whitespace_split = True
    lexer.commenters = ""  # 'dvc-artifact:name#stage' holds a '#'
    words = []
    try:
        for word in lexer:
            if word.startswith("#"):
                break
            words.append(word)
    except ValueError as cause:
        problem = str(cause)[:1].lower() + str(cause)[1:]
        raise UsageError(f"line {number}: {problem}; quote words as in a shell") from cause
    if not words:
        return None
    if len(words) != 2:
        raise UsageError(f"line {number}: expected 'SOURCE TARGET', found {len(words)} words")
    return words[0], words[1]
