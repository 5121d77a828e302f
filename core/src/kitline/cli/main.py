"""The `kitline` command: finds the verb, runs it, and turns errors into exit codes."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

import click

from kitline._version import VERSION
from kitline.cli.frame_room import call_with_room
from kitline.cli.options import printable_lines, progress_shown
from kitline.errors import Cancelled, KitlineError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click.shell_completion import CompletionItem

VERBS = {
    "pack": "pack",
    "import": "import_",
    "export": "export",
    "push": "push",
    "pull": "pull",
    "copy": "copy",
    "unpack": "unpack",
    "inspect": "inspect",
    "list": "list_",
    "diff": "diff",
    "tag": "tag",
    "remove": "remove",
    "keygen": "keygen",
    "sign": "sign",
    "verify": "verify",
    "attest": "attest",
    "attestations": "attestations",
    "sbom": "sbom",
    "promote": "promote",
    "rollback": "rollback",
    "stages": "stages",
    "compare": "compare",
    "prune": "prune",
    "lineage": "lineage",
    "find": "find",
    "plugins": "plugins",
    "login": "login",
    "logout": "logout",
    "doctor": "doctor",
    "config": "config",
    "completion": "completion",
}
"""Each verb and its module, in the order of `--help`."""


class Verbs(click.Group):
    """Loads a verb's module, or a plugin's command, when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return kitline's own verbs."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = VERBS.get(cmd_name)
        if module is None:
            from kitline.cli.plugin_commands import find_commands

            added = find_commands(VERBS).get(cmd_name)
            return added.load() if added else None
        command = import_module(f"kitline.cli.{module}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb, or say which one was probably meant."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            from kitline.cli.plugin_commands import find_commands, hint_for

            added = find_commands(VERBS)
            if args[0] not in added:
                hint = hint_for(args[0], (*VERBS, *added))
                raise UsageError(f"there is no verb {args[0]!r}; {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs, then what plugins add, by name alone."""
        super().format_commands(ctx, formatter)
        from kitline.cli.plugin_commands import find_commands

        rows = [
            (each.name, f"({each.sources[0].titled})")
            for each in find_commands(VERBS).values()
            if not each.problem
        ]
        if rows:
            with formatter.section("Added by plugins"):
                formatter.write_dl(rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the names of plugins' commands too, without loading them."""
        from click.shell_completion import CompletionItem

        from kitline.cli.plugin_commands import find_commands

        names = [name for name, each in find_commands(VERBS).items() if not each.problem]
        return [
            *super().shell_complete(ctx, incomplete),
            *(CompletionItem(name) for name in names if name.startswith(incomplete)),
        ]


@click.group(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: kitline pack ./model -t iris:v1 && kitline unpack iris:v1 -d ./copy",
)
@click.version_option(VERSION, prog_name="kitline", message="%(prog)s %(version)s")
def cli() -> None:
    """One digest from data to production: pack, move and read ModelKits."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with a code of `errors.py`, 0 when all went well."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        code = call_with_room(partial(_run, words, as_json="--json" in words))
        flush()
    except BrokenPipeError:
        _drop_output()
        code = 128 + signal.SIGPIPE
    sys.exit(code)


def _run(words: list[str], *, as_json: bool) -> int:
    """Run a verb; print what went wrong, and return the exit code.

    Raises:
        BrokenPipeError: if nobody reads the output any more.
    """
    try:
        with _ended_like_interrupted():
            code = cli.main(words, prog_name="kitline", standalone_mode=False, obj=progress_shown)
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.exceptions.NoArgsIsHelpError as problem:
        problem.show()
        return problem.exit_code
    except click.ClickException as problem:
        report(_usage(problem), as_json=as_json)
        return problem.exit_code
    except click.Abort:
        report(Cancelled("stopped; nothing was left under a final name"), as_json=as_json)
        return 130
    except KitlineError as problem:
        report(problem, as_json=as_json)
        return problem.exit_code
    except SystemExit:
        raise BrokenPipeError from None  # for nothing else click exits by itself
    except BrokenPipeError:
        raise
    except OSError as problem:
        report(_explain(problem), as_json=as_json)
        return 1
    except Exception as problem:
        report_bug(problem, as_json=as_json)
        return 1


def flush() -> None:
    """Write out what standard output and error still hold."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # None: closed by whoever started the program
            stream.flush()


def _drop_output() -> None:
    """Send what is still buffered nowhere, so that the interpreter's end does not stumble on it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # no file of the system
            os.dup2(nowhere, stream.fileno())


@contextmanager
def _ended_like_interrupted() -> Iterator[None]:
    """Clean up when a scheduler ends the program (SIGTERM), as after an interrupt (SIGINT)."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may take signals
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def report(problem: KitlineError, *, as_json: bool) -> None:
    """Print an error for people, and as JSON where JSON was asked for."""
    _report_line(str(problem))
    if as_json:
        _report_json(problem)
    if os.environ.get("KITLINE_DEBUG"):
        _report_traceback(problem)


def report_bug(problem: Exception, *, as_json: bool) -> None:
    """Print an error that nobody foresaw, with all that helps to find its cause."""
    _report_traceback(problem)
    _report_line("this is a bug in kitline; please report it with the lines above")
    if as_json:
        _report_json(problem)


def _report_line(text: str) -> None:
    label = click.style("error", fg="red", bold=True)
    click.echo(f"{label}: {printable_lines(text)}", err=True)


def _report_json(problem: Exception) -> None:
    error = {"kind": type(problem).__name__, "message": str(problem)}
    click.echo(json.dumps({"error": error}))


def _report_traceback(problem: Exception) -> None:
    import traceback

    click.echo(printable_lines("".join(traceback.format_exception(problem)).rstrip()), err=True)


def _usage(problem: click.ClickException) -> UsageError:
    """Give a complaint of click the shape of ours, with the way to the verb's help."""
    context = getattr(problem, "ctx", None)
    verb = context.command_path if context is not None else "kitline"
    text = problem.format_message().rstrip(".").replace(". Did you", "; did you")
    help_hint = "" if text.endswith("?") else f"; see '{verb} --help'"
    error = UsageError(f"{text[:1].lower()}{text[1:]}{help_hint}")
    error.__cause__ = problem
    return error


def _explain(problem: OSError) -> KitlineError:
    """Give an operating system's error the name of the file that it is about."""
    about = f"{problem.filename!r}: " if problem.filename else ""
    error = KitlineError(f"{about}{problem.strerror or problem}")
    error.__cause__ = problem
    return error
