"""Many imports in one process, and what a container of sources holds."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any

import kitline
import pytest
from kitline.errors import PluginError, SourceError
from kitline.operations.import_many import read_target
from kitline.plugin import (
    Collected,
    Docs,
    FileTree,
    Importer,
    Kitfile,
    Origin,
    PinnedReference,
    Plugins,
    WriteBack,
    bytes_entry,
    hookimpl,
    without_passwords,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from kitline.testing import LocalRegistry
    from kitline.testing.command_line import CommandLine


class Shelf:
    """Reads `shelf:TEXT`, lists what `shelf:*` holds, and remembers kits that were pushed."""

    def __init__(self) -> None:
        self.known: dict[str, PinnedReference] = {}
        self.books = ["shelf:one", "shelf:two words", "shelf:it's#3"]
        self.loaded = 0
        self.told = True

    def collect(self, source: str, options: Mapping[str, str], _context: object) -> Collected:
        text = source.partition(":")[2]
        if text == "bad":
            raise SourceError("no such book 'bad'")
        if text == "worse":
            raise RuntimeError("the shelf fell")
        known = (self.known[source],) if source in self.known else ()
        return Collected(
            tree=FileTree(
                kitfile=Kitfile(docs=(Docs(path="docs"),)),
                files=[bytes_entry("docs/text", text.encode())],
            ),
            recipe="shelf/1",
            origin=Origin(importer="shelf", source=without_passwords(source)),
            known=known,
            warnings=("dusty",) if text == "old" else (),
        )

    def expand(self, source: str, options: Mapping[str, str], _context: object) -> Iterator[str]:
        if source == "shelf:lost":
            raise SourceError("no such shelf 'lost'")
        if source == "shelf:broken":
            raise RuntimeError("the shelf fell")
        yield from self.books[: int(options.get("most", "99"))]

    @hookimpl
    def kitline_importers(self) -> list[Importer]:
        self.loaded += 1
        return [
            Importer(
                name="shelf",
                schemes=("shelf",),
                summary="Books.",
                collect=self.collect,
                expand=self.expand,
            ),
            Importer(
                name="shelf-single", schemes=("shelf-x",), summary="A book.", collect=self.collect
            ),
        ]

    @hookimpl
    def kitline_pushed(self, event: Any) -> WriteBack:
        if not self.told:
            raise RuntimeError("the pencil broke")
        if event.origin is not None:
            self.known[event.origin.source] = event.reference
        return WriteBack(plugin="shelf", target="the card")


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """The plugin, as an installed entry point."""
    plugin = Shelf()
    monkeypatch.setattr(EntryPoint, "load", lambda self: plugin)
    entry = EntryPoint(name="shelf", group="kitline", value="kitline_shelf")
    monkeypatch.setattr("kitline.plugin.manager.find_entry_points", lambda _: [entry])
    return plugin


def lines(stdout: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stdout.splitlines()]


LINES = """\
# two books and a mistake, don't worry

shelf:one kits/one:v1
shelf:bad kits/bad:v1 # it's not there
shelf:worse kits/worse:v1
'shelf:two words'   "kits/two:v1"
shelf:old kits/old:v1
shelf:alone
shelf:it's kits/quote:v1
shelf:a#b kits/hash:v1
shelf:one 'kits/ NO'
"""


def test_each_line_has_an_outcome_and_a_failure_stops_no_other(
    run: CommandLine, shelf: Shelf, tmp_path: Path
) -> None:
    (tmp_path / "list.txt").write_text(LINES)

    result = run("import", "--from", tmp_path / "list.txt")

    found = lines(result.stdout)
    assert [(each["line"], each["state"]) for each in found] == [
        (3, "imported"),
        (4, "failed"),
        (5, "failed"),
        (6, "imported"),
        (7, "imported"),
        (8, "failed"),
        (9, "failed"),
        (10, "imported"),
        (11, "failed"),
    ]
    assert result.code == 1
    assert found[0]["reference"].startswith("kits/one@sha256:")
    assert found[1]["error"] == {"kind": "SourceError", "message": "no such book 'bad'"}
    assert found[2]["error"]["kind"] == "PluginError"
    assert (found[3]["source"], found[3]["target"]) == ("shelf:two words", "kits/two:v1")
    assert found[5]["error"]["message"] == "line 8: expected 'SOURCE TARGET', found 1 words"
    assert "no closing quotation" in found[6]["error"]["message"]
    assert found[7]["source"] == "shelf:a#b"
    assert found[8]["error"]["kind"] == "InvalidReference"
    assert "error: line 4: no such book 'bad'\n" in result.stderr
    assert "warning: line 7: dusty\n" in result.stderr
    assert result.stderr.endswith("4 imported, 5 failed\n")
    assert shelf.loaded == 1


def test_lines_come_from_stdin_too_and_all_well_is_exit_code_0(
    run: CommandLine, shelf: Shelf
) -> None:
    result = run("import", "--from", "-", "-q", stdin="\ufeffshelf:one kits/one:v1\r\n")

    assert (result.code, result.stderr) == (0, "")
    assert [each["state"] for each in lines(result.stdout)] == ["imported"]


def test_no_lines_are_nothing_to_import(run: CommandLine, shelf: Shelf) -> None:
    result = run("import", "--from", "-", stdin="# nothing\n\n")

    assert (result.code, result.stdout, result.stderr) == (0, "", "nothing to import\n")


def test_bytes_that_are_no_text_fail_alone(run: CommandLine, shelf: Shelf) -> None:
    result = run("import", "--from", "-", stdin=b"shelf:a k\xff:v1\nshelf:b kits/b:v1\n")

    assert [each["state"] for each in lines(result.stdout)] == ["failed", "imported"]


def test_what_is_there_is_skipped_the_second_time(
    run: CommandLine, shelf: Shelf, local_registry: LocalRegistry
) -> None:
    given = f"shelf:one {local_registry.host}/one:v1\nshelf:two {local_registry.host}/two:v1\n"
    first = run("import", "--from", "-", stdin=given)
    local_registry.forget()

    second = run("import", "--from", "-", stdin=given)
    again = run("import", "--from", "-", "-o", "again=true", stdin=given)

    assert [each["state"] for each in lines(second.stdout)] == ["existed", "existed"]
    assert [each["state"] for each in lines(again.stdout)] == ["imported", "imported"]
    digests = [[each["digest"] for each in lines(o.stdout)] for o in (first, second, again)]
    assert digests[0] == digests[1] == digests[2]
    assert second.stderr.endswith("2 there already\n")
    assert local_registry.count("POST") == 0


def test_one_import_says_that_the_kit_was_there(
    run: CommandLine, shelf: Shelf, local_registry: LocalRegistry
) -> None:
    name = f"{local_registry.host}/one:v1"
    first = run("import", "shelf:one", "-t", name)

    second = run("import", "shelf:one", "-t", name)

    assert second.pinned == first.pinned
    assert "shelf:one was imported before" in second.stderr
    assert run("import", "shelf:one", "-t", name, "--json").json["existed"] is True


def test_a_tool_that_was_not_told_is_exit_code_4_where_it_is_required(
    run: CommandLine, shelf: Shelf, local_registry: LocalRegistry
) -> None:
    shelf.told = False
    name = f"{local_registry.host}/one:v1"

    warned = run("import", "shelf:one", "-t", name)
    required = run("import", "shelf:one", "-t", name, "--write-back=require")
    as_json = run("import", "shelf:one", "-t", name, "--write-back=require", "--json")
    off = run("import", "shelf:one", "-t", name, "--write-back=off")
    many = run("import", "--from", "-", "--write-back=require", stdin=f"shelf:one {name}")
    mixed = run(
        "import", "--from", "-", "--write-back=require", stdin=f"shelf:one {name}\nshelf:bad x:v1"
    )

    assert "warning: shelf was not told" in warned.stderr
    assert required.code == 4
    assert f"pushed {warned.pinned}, but not written back" in required.error
    assert (as_json.code, as_json.json["error"]["kind"]) == (4, "WriteBackFailed")
    assert off.pinned == warned.pinned
    assert "pencil" not in off.stderr
    assert many.code == 4
    [line] = lines(many.stdout)
    assert (line["state"], line["reference"]) == ("pushed", warned.pinned)
    assert many.stderr.endswith("1 pushed but not written back\n")
    assert mixed.code == 1


def test_passwords_in_sources_are_not_repeated(run: CommandLine, shelf: Shelf) -> None:
    result = run("import", "--from", "-", stdin="shelf://me:secret@host/x kits/x:v1")

    assert "secret" not in result.stdout + result.stderr


def test_a_container_is_listed_so_that_its_lines_can_be_imported(
    run: CommandLine, shelf: Shelf
) -> None:
    listed = run("import", "--list", "shelf:*")
    named = "".join(f"{each} kits/b{n}:v1\n" for n, each in enumerate(listed.stdout.splitlines()))

    imported = run("import", "--from", "-", stdin=named)

    assert listed.code == 0
    assert [each["source"] for each in lines(imported.stdout)] == shelf.books
    assert imported.code == 0
    assert run("import", "--list", "shelf:*", "--json").json == {"sources": shelf.books}
    assert run("import", "--list", "shelf:*", "-o", "most=1").stdout == "shelf:one\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--list", "shelf:lost"], "no such shelf 'lost'"),
        (["--list", "shelf:broken"], "plugin 'shelf' failed to list 'shelf:broken': RuntimeError"),
        (["--list", "shelf-x:a"], "cannot list 'shelf-x:a': importer 'shelf-single' lists nothing"),
        (["--list", "shelf:*", "-t", "x:v1"], "'--list' imports nothing"),
        (["--list"], "missing SOURCE"),
        (["--from", "-", "shelf:one"], "'--from' brings sources and names of its own"),
        (["--from", "-", "-t", "x:v1"], "'--from' brings sources and names of its own"),
        (["--from", "-", "--list"], "'--from' brings sources and names of its own"),
        (["--from", "nowhere.txt"], "nowhere.txt"),
        (["shelf:one"], "missing option '-t'"),
        ([], "missing SOURCE"),
    ],
)
def test_requests_that_cannot_be_met(
    run: CommandLine, shelf: Shelf, words: list[str], said: str
) -> None:
    assert said in run("import", *words).error


def test_a_listed_name_cannot_smuggle_in_a_line(run: CommandLine, shelf: Shelf) -> None:
    shelf.books = ["shelf:a", "shelf:b\nshelf:evil"]

    result = run("import", "--list", "shelf:*")

    assert result.stdout == "shelf:a\n"
    assert "do not fit into one line" in result.error


def test_the_same_from_python() -> None:
    shelf, plugins = Shelf(), Plugins()
    plugins.register(shelf, name="shelf")

    sources = list(kitline.list_sources("shelf:*", plugins=plugins, options={"most": "2"}))
    outcomes = kitline.import_many(
        [*((each, f"kits/b{n}:v1") for n, each in enumerate(sources)), "shelf:bad x:v1", ""],
        plugins=plugins,
    )

    first = next(outcomes)
    assert first.result is not None
    assert first.result.tag == "v1"
    assert [each.state for each in outcomes] == ["imported", "failed"]
    with pytest.raises(PluginError, match="no plugin reads 'paper' sources"):
        list(kitline.list_sources("paper:x", plugins=plugins))


def test_a_target_is_found_before_a_comment_and_in_quotes() -> None:
    lines = ["a reg.example/x:1", "a 'reg.example/x:1'  # note", "# a b", "", "a 'b", "a"]
    assert [read_target(each) for each in lines] == [*["reg.example/x:1"] * 2, *[None] * 4]
