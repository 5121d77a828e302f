"""Runs the snippets of a documentation page as the story that they tell, in a folder of its own.

A page is read from top to bottom. Of a `console` block the lines after `$ ` are run by bash, which
keeps its folder and variables from one to the next, and what the page shows below each has to be
printed, `…` standing for anything. `sh` blocks are run whole, `python` blocks in one interpreter.
`yaml`, `toml` and `json` have to parse. A comment in front of a block may say

    <!-- not run: REASON -->      it is left out
    <!-- exit: N -->              its last command ends with that code

and `<!-- before: COMMANDS -->`, over as many lines as it needs, is run by bash unseen;
`<!-- before python: CODE -->` by the page's interpreter.

`registry.example` is a registry of the test. A digest that is cut, `NAME@sha256:6c0e…`, means the
digest that was last printed for NAME; one without a name the last that was printed at all.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

PIECE = re.compile(
    r"<!-- before(?P<python> python)?:\s(?P<before>.*?)\s-->"
    r"|(?:<!-- (?P<note>not run|exit): (?P<value>[^>]*?) -->\n+)?"
    r"^(?P<indent> *)```(?P<language>\w+)[^\n]*\n(?P<text>.*?)^ *```$",
    re.DOTALL | re.MULTILINE,
)
PINNED = re.compile(r"(?P<name>[\w./:-]+)@(?P<digest>sha256:[0-9a-f]{64})")
CUT = re.compile(r"(?:(?P<name>[\w./:-]+)@)?sha256:[0-9a-f]*…")
SHELLS = ("console", "sh")
PARSERS: dict[str, Callable[[str], object]] = {
    "yaml": yaml.safe_load,
    "toml": tomllib.loads,
    "json": json.loads,
}
TIMEOUT = 240

# Reads one piece of code a line, as JSON, and answers with the error, if there was one.
INTERPRETER = """
import contextlib, io, json, os, sys, traceback
names, answers = {"__name__": "__main__"}, os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what a snippet prints is not an answer
for line in sys.stdin:
    asked, problem, printed = json.loads(line), None, io.StringIO()
    os.chdir(asked["folder"])
    os.environ.update(asked["environment"])
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(asked["code"], "snippet", "exec"), names)
    except BaseException:
        problem = traceback.format_exc()
    answers.write(json.dumps({"problem": problem, "printed": printed.getvalue()}) + "\\n")
    answers.flush()
"""


@dataclass(frozen=True, kw_only=True)
class Snippet:
    """A piece of a page that is run."""

    language: str
    text: str
    line: int
    exit_code: int = 0


def find_snippets(page: str) -> Iterator[Snippet]:
    """Yield what is to be run of a page, in order."""
    for found in PIECE.finditer(page):
        line = page.count("\n", 0, found.start("text" if found["text"] else "before")) + 1
        if found["before"]:
            language = "python" if found["python"] else "sh"
            yield Snippet(language=language, text=found["before"], line=line)
        elif found["note"] != "not run":
            text = re.sub(f"^{found['indent']}", "", found["text"], flags=re.MULTILINE)
            code = int(found["value"]) if found["note"] == "exit" else 0
            yield Snippet(language=found["language"], text=text, line=line, exit_code=code)


def left_out(page: str) -> list[str]:
    """Return the reasons of the blocks that are not run."""
    return [found["value"] for found in PIECE.finditer(page) if found["note"] == "not run"]


@dataclass
class Story:
    """Runs the snippets of one page; `close` it at the end."""

    folder: Path
    environment: dict[str, str]
    registry: str
    digests: dict[str, str] = field(default_factory=dict)
    last: str = ""

    def __post_init__(self) -> None:
        self._state = self.folder / ".state"
        self._state.mkdir()
        self._work = self.folder / "work"
        self._work.mkdir()
        (self._state / "folder").write_text(str(self._work))
        self._save_environment(self.environment)
        self._interpreter: subprocess.Popen[str] | None = None

    def _save_environment(self, environment: Mapping[str, str]) -> None:
        lines = [f"export {key}={shlex.quote(value)}" for key, value in environment.items()]
        (self._state / "environment").write_text("\n".join(lines))

    def run(self, snippet: Snippet) -> None:
        """Run one snippet.

        Raises:
            AssertionError: if it fails, or prints something else than the page says.
        """
        if snippet.language == "console":
            self._run_console(snippet)
        elif snippet.language == "sh":
            self._expect(snippet, self._bash(self._fill(f"set -e\n{snippet.text}")), "")
        elif snippet.language == "python":
            self._run_python(snippet)
        elif snippet.language in PARSERS:
            PARSERS[snippet.language](snippet.text)

    def close(self) -> None:
        """End the interpreter."""
        if self._interpreter is not None:
            assert self._interpreter.stdin is not None
            assert self._interpreter.stdout is not None
            self._interpreter.stdin.close()
            self._interpreter.stdout.close()
            self._interpreter.wait(TIMEOUT)

    def _run_console(self, snippet: Snippet) -> None:
        commands = re.split(r"^\$ ", snippet.text, flags=re.MULTILINE)
        assert not commands[0].strip(), f"line {snippet.line}: output before the first command"
        for number, each in enumerate(commands[1:], 2):
            command, _, expected = each.partition("\n")
            while command.endswith("\\"):  # the command goes on in the next line
                more, _, expected = expected.partition("\n")
                command = f"{command}\n{more}"
            done = self._bash(self._fill(command))
            code = snippet.exit_code if number == len(commands) else 0
            self._expect(snippet, done, expected, code)

    def _bash(self, text: str) -> subprocess.CompletedProcess[str]:
        state = self._state
        script = (
            f"trap 'pwd > {state}/folder; export -p > {state}/environment' EXIT\n"
            f'set -a; source {state}/environment; cd "$(cat {state}/folder)"\n{text}'
        )
        done = subprocess.run(
            ["bash", "-c", script],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        self._remember(done.stdout)
        return done

    def _remember(self, output: str) -> None:
        for found in PINNED.finditer(output):
            self.digests[found["name"]] = self.last = found["digest"]

    def _fill(self, text: str) -> str:
        """Put in the registry of the test, and the digests that the page cuts."""
        text = text.replace("registry.example", self.registry)

        def digest(found: re.Match[str]) -> str:
            if not found["name"]:
                assert self.last, f"no digest was printed before {found[0]!r}"
                return self.last
            name = re.sub(r"^(modelkit:/+|oci://)", "", found["name"])
            assert name in self.digests, f"no digest was printed for {found['name']!r}"
            return f"{found['name']}@{self.digests[name]}"

        return CUT.sub(digest, text)

    def _expect(
        self,
        snippet: Snippet,
        done: subprocess.CompletedProcess[str],
        expected: str,
        code: int = 0,
    ) -> None:
        where = f"line {snippet.line}: {done.args[2].splitlines()[2:]}"
        assert done.returncode == code, f"{where}\nended with {done.returncode}:\n{done.stdout}"
        self._compare(where, expected, done.stdout)

    def _compare(self, where: str, expected: str, printed: str) -> None:
        rest = printed
        for line in expected.strip("\n").splitlines():
            if not line.strip() or line.strip() == "…":
                continue
            filled = re.sub(r"sha256:[0-9a-f]*…", "sha256:…", line.strip())
            filled = filled.replace("registry.example", self.registry)
            pattern = ".*".join(re.escape(part) for part in filled.split("…"))
            pattern = re.sub(r"(\\ )+", r"\\s+", pattern)  # columns move with what they hold
            found = re.search(pattern, rest)
            assert found, f"{where}\nshould print {line!r}, and printed\n{printed}"
            rest = rest[found.end() :]

    def _run_python(self, snippet: Snippet) -> None:
        code = self._fill(re.sub(r"  # .+$", "", snippet.text, flags=re.MULTILINE))
        if self._interpreter is None:
            self._interpreter = subprocess.Popen(
                [sys.executable, "-c", INTERPRETER],
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        assert self._interpreter.stdin is not None
        assert self._interpreter.stdout is not None
        asked = {
            "code": code,
            "folder": (self._state / "folder").read_text().strip(),
            "environment": self._shell_environment(),
        }
        self._interpreter.stdin.write(json.dumps(asked) + "\n")
        self._interpreter.stdin.flush()
        answer = json.loads(self._interpreter.stdout.readline())
        self._remember(answer["printed"])
        assert answer["problem"] is None, f"line {snippet.line}:\n{answer['problem']}"
        self._check_comments(snippet, answer["printed"])

    def _shell_environment(self) -> dict[str, str]:
        done = self._bash("env -0")
        pairs = (each.partition("=") for each in done.stdout.split("\0") if "=" in each)
        return {key: value for key, _, value in pairs if key not in ("_", "SHLVL", "PWD")}

    def _check_comments(self, snippet: Snippet, printed: str) -> None:
        """`print(x)  # iris@sha256:…` says what is printed."""
        said = re.findall(r"^\s*print\(.*\)  # (.+)$", snippet.text, re.MULTILINE)
        self._compare(f"line {snippet.line}", "\n".join(said), printed)
