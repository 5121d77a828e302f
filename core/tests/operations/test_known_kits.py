"""Import answers a kit that the tool knows as made from the source, if it is there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import kitline
import pytest
from kitline.errors import UsageError
from kitline.plugin import (
    Collected,
    Dataset,
    FileTree,
    ImportContext,
    Importer,
    Kitfile,
    Origin,
    Package,
    PinnedReference,
    Plugins,
    PushedEvent,
    Statement,
    WriteBack,
    bytes_entry,
    hookimpl,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kitline.testing import LocalRegistry
    from kitline.testing.command_line import CommandLine

FACTS = Statement(predicate_type="https://example.com/facts/v1", predicate={"loss": 1})


class Notes:
    """A tool whose notes have an id and a text, and that remembers kits."""

    def __init__(self) -> None:
        self.known: list[str] = []
        self.opened = 0
        self.note = "one"
        self.file: Path | None = None
        self.text = b"hello"
        self.recipe = "note/1"
        self.told: list[PushedEvent] = []
        self.options: list[Mapping[str, str]] = []

    @hookimpl
    def kitline_importers(self) -> list[Importer]:
        return [Importer(name="note", schemes=("note",), summary="Notes.", collect=self.collect)]

    @hookimpl
    def kitline_pushed(self, event: PushedEvent) -> WriteBack:
        self.told.append(event)
        return WriteBack(plugin="note", target="the note")

    def collect(self, source: str, options: Mapping[str, str], context: ImportContext) -> Collected:
        self.options.append(options)
        text = bytes_entry("note.txt", self.text)
        if self.file is not None:  # as importers find the files of this machine
            status = self.file.stat()
            found = (
                status.st_dev,
                status.st_ino,
                status.st_size,
                status.st_mtime_ns,
                status.st_ctime_ns,
            )
            text = replace(
                bytes_entry("note.txt", self.file.read_bytes()), fingerprint=lambda: found
            )

        def counted(offset: int) -> object:
            self.opened += 1
            assert text.open is not None
            return text.open(offset)

        return Collected(
            tree=FileTree(
                kitfile=Kitfile(package=Package(name="note"), datasets=(Dataset(path="note.txt"),)),
                files=(replace(text, open=counted),),  # type: ignore[arg-type] # it is a stream
            ),
            origin=Origin(importer="note", source=source),
            recipe=self.recipe,
            annotations={"io.kitline.note.id": self.note} if self.note else {},
            statements=(FACTS,),
            known=tuple(PinnedReference.parse(each) for each in self.known),
        )


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def plugins(notes: Notes) -> Plugins:
    found = Plugins()
    found.register(notes, name="note")
    return found


def test_a_kit_of_the_same_repository_gets_the_tag_and_nothing_is_read(
    notes: Notes, plugins: Plugins, local_registry: LocalRegistry
) -> None:
    name = f"{local_registry.host}/team/note"
    first = kitline.import_("note:1", f"{name}:v1", plugins=plugins)
    notes.known, notes.opened = [str(first)], 0
    local_registry.forget()

    second = kitline.import_("note:1", f"{name}:v2", plugins=plugins)

    assert second.digest == first.digest
    assert second.existed
    assert not first.existed
    assert notes.opened == 0
    assert local_registry.count("POST") == 0
    assert local_registry.content.create("team/note").tags["v2"] == str(first.digest)
    assert notes.told[-1].tag == "v2"
    assert second.receipt is not None
    assert second.receipt.layers == first.receipt.layers if first.receipt else None


@pytest.mark.parametrize("where", ["team/other:v1", "oci:disk:v1"])
def test_a_kit_of_another_repository_is_copied_with_what_is_about_it(
    notes: Notes,
    plugins: Plugins,
    local_registry: LocalRegistry,
    where: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KITLINE_REGISTRY", local_registry.host)
    first = kitline.import_("note:1", f"{local_registry.host}/team/note:v1", plugins=plugins)
    notes.known, notes.opened = [str(first)], 0

    second = kitline.import_("note:1", where, plugins=plugins)

    assert second.digest == first.digest
    assert second.existed
    assert notes.opened == 0
    assert [each.predicate for each in kitline.read_statements(where)] == [FACTS.predicate]
    assert kitline.inspect(where).digest == first.digest


def test_a_known_kit_of_the_local_store_is_answered(notes: Notes, plugins: Plugins) -> None:
    first = kitline.import_("note:1", "note:v1", plugins=plugins)
    notes.known, notes.opened = [str(first)], 0

    second = kitline.import_("note:1", "note:v2", plugins=plugins)

    assert (second.digest, second.existed, notes.opened) == (first.digest, True, 0)


def test_again_makes_it_anew_and_does_not_reach_the_importer(
    notes: Notes, plugins: Plugins
) -> None:
    first = kitline.import_("note:1", "note:v1", plugins=plugins)
    notes.known = [str(first)]

    second = kitline.import_("note:1", "note:v1", plugins=plugins, options={"again": "true"})

    assert second.digest == first.digest
    assert not second.existed
    assert notes.options[-1] == {}


def test_again_is_true_or_false(plugins: Plugins) -> None:
    with pytest.raises(UsageError, match="option 'again' is 'true' or 'false', not 'yes'"):
        kitline.import_("note:1", "note:v1", plugins=plugins, options={"again": "yes"})


def test_a_kit_that_is_gone_is_made_again_with_a_word_about_it(
    notes: Notes, plugins: Plugins
) -> None:
    notes.known = [f"team/note@sha256:{'0' * 64}"]

    made = kitline.import_("note:1", "note:v1", plugins=plugins)

    assert not made.existed
    assert [each for each in made.warnings if "it is not there any more" in each]


def test_a_kit_that_was_made_of_something_else_is_not_answered(
    notes: Notes, plugins: Plugins
) -> None:
    other = kitline.import_("note:1", "note:v1", plugins=plugins)
    notes.known, notes.note = [str(other)], "two"

    made = kitline.import_("note:2", "note:v2", plugins=plugins)

    assert made.digest != other.digest
    assert [each for each in made.warnings if "io.kitline.note.id differ" in each]


def test_a_tag_at_the_tool_cannot_put_other_content_in_place_of_the_source(
    notes: Notes, plugins: Plugins, tmp_path: Path
) -> None:
    notes.file = tmp_path / "note.txt"
    notes.file.write_bytes(b"wrong")
    other = kitline.import_("note:1", "attacker/note:v1", plugins=plugins)
    notes.file.write_bytes(b"right")
    notes.known = [str(other)]

    made = kitline.import_("note:1", "note:v1", plugins=plugins)

    assert made.digest != other.digest
    assert [each for each in made.warnings if "it was made of other files" in each]


def test_of_a_source_far_away_the_sizes_have_to_fit(notes: Notes, plugins: Plugins) -> None:
    other = kitline.import_("note:1", "note:v1", plugins=plugins)
    notes.known, notes.text = [str(other)], b"longer than a block" * 100

    assert kitline.import_("note:1", "note:v2", plugins=plugins).digest != other.digest


def test_the_same_files_of_this_machine_are_answered(
    notes: Notes, plugins: Plugins, tmp_path: Path
) -> None:
    notes.file = tmp_path / "note.txt"
    notes.file.write_bytes(b"right")
    first = kitline.import_("note:1", "note:v1", plugins=plugins)
    notes.known, notes.recipe = [str(first)], "note/2"

    assert kitline.import_("note:1", "note:v2", plugins=plugins).digest == first.digest


def test_a_registry_that_only_the_tool_names_is_not_asked(
    notes: Notes, plugins: Plugins, local_registry: LocalRegistry
) -> None:
    first = kitline.import_("note:1", f"{local_registry.host}/team/note:v1", plugins=plugins)
    notes.known = [str(first)]
    local_registry.forget()

    made = kitline.import_("note:1", "note:v1", plugins=plugins)

    assert not made.existed
    assert local_registry.count("GET") + local_registry.count("HEAD") == 0
    assert [each for each in made.warnings if "neither the target nor KITLINE_REGISTRY" in each]


def test_a_kit_of_an_older_recipe_is_answered(notes: Notes, plugins: Plugins) -> None:
    first = kitline.import_("note:1", "note:v1", plugins=plugins)
    notes.known, notes.recipe = [str(first)], "note/2"

    assert kitline.import_("note:1", "note:v2", plugins=plugins).digest == first.digest


def test_of_a_pointer_to_a_kit_the_digest_is_enough(
    notes: Notes, plugins: Plugins, run: CommandLine, folder: Path
) -> None:
    kit = run("pack", folder, "-t", "iris:v1")
    notes.known, notes.note = [kit.pinned], ""

    answered = kitline.import_("note:pointer", "iris:v2", plugins=plugins)

    assert str(answered) == kit.pinned
    assert answered.existed


def test_a_registry_that_policy_forbids_is_not_asked(
    notes: Notes, plugins: Plugins, local_registry: LocalRegistry
) -> None:
    first = kitline.import_("note:1", f"{local_registry.host}/team/note:v1", plugins=plugins)
    notes.known = [str(first)]
    settings = kitline.Settings.load()
    settings = replace(settings, registry=local_registry.host)
    strict = replace(settings, policy=replace(settings.policy, registries=("reg.example",)))
    local_registry.forget()

    made = kitline.import_("note:1", "note:v1", plugins=plugins, settings=strict)

    assert not made.existed
    assert local_registry.count("GET") == 0
    assert [each for each in made.warnings if "not allowed by policy" in each]
