"""What `kitline import --from` and `--list` print: lines for other programs, words for people."""

from __future__ import annotations

import json
import os
import shlex
from collections import Counter
from typing import TYPE_CHECKING

import click

from kitline.cli import options

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kitline.operations.import_many import ImportOutcome


def print_sources(sources: Iterable[str], *, as_json: bool) -> None:
    """Print sources one a line, quoted so that `--from` reads them back."""
    if as_json:
        options.print_json({"sources": list(sources)})
        return
    for each in sources:
        click.echo(shlex.quote(each))


def print_outcomes(outcomes: Iterable[ImportOutcome], *, quiet: bool) -> int:
    """Print each outcome as one line of JSON when it is known; return the exit code."""
    counts: Counter[str] = Counter()
    for each in outcomes:
        counts[each.state] += 1
        click.echo(json.dumps(each.to_json()))
        if each.error is not None:
            _explain(each, each.error)
        elif each.result is not None:
            for warning in each.result.warnings:
                options.warn(f"line {each.line}: {warning}")
    if not quiet:
        options.say(_summary(counts))
    if counts["failed"]:
        return 1
    return 4 if counts["pushed"] else 0


def _explain(outcome: ImportOutcome, error: Exception) -> None:
    said = str(error).removeprefix(f"line {outcome.line}: ") or type(error).__name__
    label = click.style("error", fg="red", bold=True)
    click.echo(f"{label}: {options.printable_lines(f'line {outcome.line}: {said}')}", err=True)
    if os.environ.get("KITLINE_DEBUG"):
        import traceback

        options.say("".join(traceback.format_exception(error)).rstrip())


def _summary(counts: Counter[str]) -> str:
    words = {
        "imported": "imported",
        "existed": "there already",
        "pushed": "pushed but not written back",
        "failed": "failed",
    }
    said = [f"{counts[state]} {word}" for state, word in words.items() if counts[state]]
    return ", ".join(said) or "nothing to import"
