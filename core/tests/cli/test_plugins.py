"""Import, export and plugins, with a small plugin that is as good as installed."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any

import pytest
from kitline.plugin import (
    Collected,
    Docs,
    Exporter,
    ExportResult,
    FileTree,
    Importer,
    Kitfile,
    Origin,
    WriteBack,
    bytes_entry,
    hookimpl,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kitline.testing import LocalRegistry
    from kitline.testing.command_line import CommandLine


class Notes:
    """Reads `note:TEXT`, writes notes to a list, and hears of pushes."""

    def __init__(self) -> None:
        self.written: list[tuple[str, str, dict[str, str]]] = []
        self.heard: list[Any] = []
        self.fails = False

    def collect(self, source: str, options: Mapping[str, str], _context: object) -> Collected:
        text = source.partition(":")[2]
        tree = FileTree(
            kitfile=Kitfile(docs=(Docs(path="docs", description=options.get("about", "")),)),
            files=[bytes_entry("docs/note.txt", text.encode())],
        )
        origin = Origin(importer="note", source=source)
        return Collected(tree=tree, recipe="note/1", origin=origin, warnings=("written by hand",))

    def export(
        self, kit: Any, target: str, options: Mapping[str, str], _context: object
    ) -> ExportResult:
        self.written.append((str(kit.reference), target, dict(options)))
        return ExportResult(target=f"notes:{target}", existed=len(self.written) > 1)

    @hookimpl
    def kitline_importers(self) -> list[Importer]:
        summary = "a note that becomes a kit"
        return [Importer(name="note", schemes=("note",), summary=summary, collect=self.collect)]

    @hookimpl
    def kitline_exporters(self) -> list[Exporter]:
        return [Exporter(name="note", summary="a list of notes", export=self.export)]

    @hookimpl
    def kitline_pushed(self, event: Any) -> WriteBack:
        if self.fails:
            raise RuntimeError("the pencil broke")
        self.heard.append(event)
        return WriteBack(plugin="note", target="the margin")


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> Notes:
    """The plugin, and one that cannot be loaded, as installed entry points."""
    plugin = Notes()
    found = [
        EntryPoint(name="note", group="kitline", value="kitline_note"),
        EntryPoint(name="broken", group="kitline", value="kitline_broken_nowhere"),
    ]
    load = EntryPoint.load
    monkeypatch.setattr(
        EntryPoint, "load", lambda self: plugin if self.name == "note" else load(self)
    )
    monkeypatch.setattr("kitline.plugin.manager.find_entry_points", lambda _: found)
    return plugin


def test_import_packs_what_a_plugin_reads(run: CommandLine, notes: Notes) -> None:
    first = run("import", "note:hello", "-t", "hello:v1", "-o", "about=greeting")
    again = run("import", "note:hello", "-t", "hello:v2", "-o", "about=greeting")

    assert first.pinned == again.pinned
    assert "warning: written by hand\n" in first.stderr
    assert "imported note:hello (1 new" in first.stderr
    found = run("inspect", "hello:v1", "--json").json
    assert found["kitfile"]["docs"][0]["description"] == "greeting"
    assert found["manifest"]["annotations"] == {"io.kitline.recipe": "note/1"}


def test_a_push_tells_the_tool_that_the_content_came_from(
    run: CommandLine, notes: Notes, local_registry: LocalRegistry
) -> None:
    run("import", "note:hello", "-t", "hello:v1")

    result = run("push", "hello:v1", f"{local_registry.host}/team/hello")

    assert result.pinned
    assert "told note: the margin\n" in result.stderr
    assert [event.origin.source for event in notes.heard] == ["note:hello"]
    assert str(notes.heard[0].reference) == result.pinned


def test_a_failed_write_back_is_a_warning_or_exit_code_4(
    run: CommandLine, notes: Notes, local_registry: LocalRegistry
) -> None:
    notes.fails = True
    run("import", "note:hello", "-t", "hello:v1")
    target = f"{local_registry.host}/team/hello"

    warned = run("push", "hello:v1", target)
    as_json = run("push", "hello:v1", target, "--json").json
    required = run("push", "hello:v1", target, "--write-back=require")
    off = run("push", "hello:v1", target, "--write-back=off")

    assert warned.pinned
    assert "warning: note was not told" in warned.stderr
    assert "the pencil broke" in as_json["writeBacks"][0]["warning"]
    assert required.code == 4
    assert f"pushed {warned.pinned}, but not written back" in required.error
    assert off.pinned
    assert "pencil" not in off.stderr


@pytest.mark.parametrize("verb", ["pack", "copy"])
def test_what_lands_in_a_registry_is_written_back_as_asked(
    run: CommandLine, notes: Notes, folder: Path, local_registry: LocalRegistry, verb: str
) -> None:
    notes.fails = True
    run("pack", folder, "-t", "hello:v1")
    target = f"{local_registry.host}/team/hello:v1"
    words = ("pack", folder, "-t", target) if verb == "pack" else ("copy", "hello:v1", target)

    required = run(*words, "--write-back=require")
    off = run(*words, "--write-back=off")

    assert required.code == 4
    assert "the pencil broke" in required.error
    assert off.pinned
    assert "pencil" not in off.stderr


def test_import_straight_into_a_registry_tells_the_tool_too(
    run: CommandLine, notes: Notes, local_registry: LocalRegistry
) -> None:
    result = run("import", "note:hello", "-t", f"{local_registry.host}/team/hello:v1")

    assert result.pinned
    assert [event.tag for event in notes.heard] == ["v1"]


def test_export_hands_a_kit_to_a_tool(run: CommandLine, notes: Notes) -> None:
    kit = run("import", "note:hello", "-t", "hello:v1")

    first = run("export", "hello:v1", "note:here", "-o", "colour=red")
    again = run("export", "hello:v1", "note:here", "--json").json

    assert first.pinned == kit.pinned
    assert "exported: notes:here\n" in first.stderr
    assert notes.written[0] == (kit.pinned, "here", {"colour": "red"})
    assert (again["target"], again["existed"]) == ("notes:here", True)


def test_sources_that_no_plugin_reads(run: CommandLine, notes: Notes) -> None:
    unknown = run("import", "paper:x", "-t", "x:v1")
    known_tool = run("import", "dvc:data", "-t", "x:v1")
    no_exporter = run("export", "x:v1", "paper:x")

    assert unknown.code == 1
    assert "no plugin reads 'paper' sources" in unknown.error
    assert "kitline-dvc" in known_tool.error
    assert no_exporter.code == 1
    assert "'paper'" in no_exporter.error


def test_plugins_shows_what_works_and_what_does_not(run: CommandLine, notes: Notes) -> None:
    words = run("plugins")
    rows = {row["name"]: row for row in run("plugins", "--json").json["plugins"]}

    assert words.code == 0
    assert "imports note: a note that becomes a kit" in words.stdout
    assert "exports note: a list of notes" in words.stdout
    assert rows["note"]["state"] == "loaded"
    assert rows["broken"]["state"] == "failed"
    assert "kitline_broken_nowhere" in rows["broken"]["problem"]


def test_a_broken_plugin_is_said_once_and_stops_nothing(run: CommandLine, notes: Notes) -> None:
    result = run("import", "note:hello", "-t", "hello:v1")

    assert result.pinned
    assert result.stderr.count("plugin 'broken' was not loaded") == 1


def test_plugins_can_be_switched_off(
    run: CommandLine, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KITLINE_DISABLE_PLUGINS", "broken,note")

    states = {row["state"] for row in run("plugins", "--json").json["plugins"]}

    assert states == {"disabled"}
    assert run("import", "note:hello", "-t", "hello:v1").code == 1
