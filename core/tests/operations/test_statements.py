"""Statements are attached to kits that exist, and read back verified, wherever the kit lies."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import kitline
import pytest
from kitline.errors import TagNotFound, UsageError
from kitline.plugin import (
    Collected,
    Dataset,
    FileTree,
    Kitfile,
    Origin,
    Package,
    Plugins,
    Statement,
    bytes_entry,
)
from kitline.testing import LocalRegistry
from kitline.testing.content import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kitline.operations.results import KitResult
    from kitline.testing.command_line import CommandLine
    from kitline.testing.content import Content

IN_TOTO = "application/vnd.in-toto+json"
FACTS = "https://kitline.io/example-facts/v1"
SAID = Statement(predicate_type=FACTS, predicate={"loss": 0.5, "name": "é <b>", "steps": [1, 2]})


def note(*statements: Statement, text: str = "hello") -> Collected:
    return Collected(
        tree=FileTree(
            kitfile=Kitfile(package=Package(name="note"), datasets=(Dataset(path="note.txt"),)),
            files=(bytes_entry("note.txt", text.encode()),),
        ),
        origin=Origin(importer="note", source="note:hello"),
        recipe="note/1",
        statements=statements,
    )


@pytest.fixture(params=["local", "layout", "with-api", "without-api"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The name of a repository of each kind, without tag."""
    if request.param == "local":
        yield "team/note"
    elif request.param == "layout":
        yield f"oci:{tmp_path / 'disk'}"
    else:
        with LocalRegistry(referrers_api=request.param == "with-api") as registry:
            yield f"{registry.host}/team/note"


def pack(target: str, *statements: Statement, text: str = "hello") -> KitResult:
    return kitline.pack_collected(note(*statements, text=text), f"{target}:v1", plugins=Plugins())


def test_what_was_collected_is_packed_and_its_statements_attached(target: str) -> None:
    result = pack(target, SAID)

    [found] = kitline.read_statements(result.reference)

    assert result.referrers == 1
    assert result.warnings == ()
    assert found.predicate_type == FACTS
    assert found.predicate == SAID.predicate
    assert not found.signed
    assert result.digest == pack(target).digest


def test_attesting_says_where_the_statement_lies(target: str) -> None:
    kit = pack(target)

    where = kitline.attest(f"{target}:v1", SAID)

    [found] = kitline.read_statements(f"{target}:v1", FACTS)
    assert str(where).endswith(f"@{found.digest}")
    assert str(where).rpartition("@")[0] == str(kit.reference).rpartition("@")[0]
    assert kitline.read_statements(f"{target}:v1", "https://other.example/v1") == []


def test_saying_the_same_again_writes_nothing(local_registry: LocalRegistry) -> None:
    target = f"{local_registry.host}/team/note"
    pack(target)
    first = kitline.attest(f"{target}:v1", SAID)
    local_registry.forget()

    reordered = dict(reversed(list(SAID.predicate.items())))
    second = kitline.attest(f"{target}:v1", Statement(predicate_type=FACTS, predicate=reordered))

    assert second == first
    assert local_registry.count("PUT") == local_registry.count("POST") == 0


def test_a_statement_that_no_list_names_is_put_into_one_again() -> None:
    with LocalRegistry(referrers_api=False) as registry:
        target = f"{registry.host}/team/note"
        kit = pack(target)
        where = kitline.attest(f"{target}:v1", SAID)
        tags = registry.content.create("team/note").tags
        for tag in [each for each in tags if "statement" in each or each.startswith("sha256-")]:
            del tags[tag]
        assert kitline.read_statements(kit.reference) == []

        assert kitline.attest(f"{target}:v1", SAID) == where
        assert len(kitline.read_statements(kit.reference)) == 1


@pytest.mark.parametrize(
    ("predicate_type", "kind"),
    [(FACTS, "statement"), ("https://slsa.dev/provenance/v1", "provenance")],
)
def test_each_statement_has_a_tag_of_its_own(
    local_registry: LocalRegistry, predicate_type: str, kind: str
) -> None:
    kit = pack(f"{local_registry.host}/team/note")

    where = kitline.attest(kit.reference, Statement(predicate_type=predicate_type, predicate={}))

    digest = str(where).rpartition("@")[2]
    tag = f"{kit.digest.hex[:32]}.{kind}-{digest[7:23]}"
    assert local_registry.content.create("team/note").tags[tag] == digest


def test_a_statement_that_cannot_be_attached_leaves_the_kit_standing() -> None:
    bad = Statement(predicate_type=FACTS, predicate={"loss": float("nan")})

    result = pack("team/note", bad, SAID)

    [warning] = result.warnings
    assert "the kit stands, but a statement of type" in warning
    assert "its predicate is not JSON" in warning
    assert [each.predicate for each in kitline.read_statements("team/note:v1")] == [SAID.predicate]


@pytest.mark.parametrize("predicate", [{"x": float("inf")}, {"x": object()}, {"x": {1: 2, "a": 3}}])
def test_only_json_can_be_said(predicate: dict[str, Any]) -> None:
    kit = pack("team/note")

    with pytest.raises(UsageError, match="its predicate is not JSON"):
        kitline.attest(kit.reference, Statement(predicate_type=FACTS, predicate=predicate))


@pytest.mark.parametrize("predicate_type", ["", "two words", "line\nbreak"])
def test_a_predicate_type_is_a_uri(predicate_type: str) -> None:
    kit = pack("team/note")

    with pytest.raises(UsageError, match="predicate type is a URI"):
        kitline.attest(kit.reference, Statement(predicate_type=predicate_type, predicate={}))


def test_a_kit_that_is_not_there_gets_no_statement() -> None:
    pack("team/note")

    with pytest.raises(TagNotFound):
        kitline.attest("team/note:v2", SAID)


def test_statements_travel_with_their_kit(
    run: CommandLine, local_registry: LocalRegistry, tmp_path: Path
) -> None:
    pack("team/note", SAID)
    there = f"{local_registry.host}/team/note:v1"

    run("push", "team/note:v1", there)
    run("pull", there, "back:v1")
    run("copy", there, f"oci:{tmp_path / 'disk'}:v1")

    for name in (there, "back:v1", f"oci:{tmp_path / 'disk'}:v1"):
        assert [each.predicate for each in kitline.read_statements(name)] == [SAID.predicate]


def test_what_is_said_later_is_read_although_the_kit_was_pulled_before(
    run: CommandLine, local_registry: LocalRegistry
) -> None:
    name = f"{local_registry.host}/team/note"
    kit = pack(name)
    run("pull", f"{name}:v1")
    kitline.attest(kit.reference, SAID)

    assert [each.predicate for each in kitline.read_statements(kit.reference)] == [SAID.predicate]


def test_a_pulled_copy_tells_what_it_knows_while_the_registry_is_away(
    run: CommandLine, caplog: pytest.LogCaptureFixture
) -> None:
    with LocalRegistry() as registry:
        kit = pack(f"{registry.host}/team/note", SAID)
        run("pull", f"{registry.host}/team/note:v1")

    found = kitline.read_statements(kit.reference)

    assert [each.predicate for each in found] == [SAID.predicate]
    assert "the copy that was pulled" in caplog.text


def test_a_statement_larger_than_a_manifest_is_a_layer() -> None:
    history = Statement(predicate_type=FACTS, predicate={"history": "x" * (5 << 20)})
    kit = pack("team/note", history)

    [found] = kitline.read_statements(kit.reference)
    [shown] = kitline.inspect(kit.reference).statements
    [whole] = kitline.inspect(kit.reference, statements=True).statements

    assert found.predicate == history.predicate
    assert found.size > 5 << 20
    assert (shown.predicate, shown.predicate_type, shown.size) == (None, FACTS, found.size)
    assert whole.predicate == history.predicate


def test_reading_has_a_limit_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    kit = pack("team/note", SAID)

    assert kitline.read_statements(kit.reference, limit=10) == []
    assert "more than the limit of 10 for a statement" in caplog.text


def test_more_than_64_mib_are_refused_when_written() -> None:
    kit = pack("team/note")

    with pytest.raises(UsageError, match="are more than the limit of 67108864"):
        kitline.attest(
            kit.reference, Statement(predicate_type=FACTS, predicate={"x": "x" * (64 << 20)})
        )


def test_an_exporter_reads_what_is_said_from_the_store_that_it_was_handed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pinned = kitline.pack_collected(note(SAID), "team/note:v1").reference
    with kitline.open_kit(pinned) as kit:
        monkeypatch.setenv("KITLINE_HOME", str(tmp_path / "other"))  # where defaults would look
        (found,) = kitline.read_statements(kit.reference, FACTS, store=kit.store)
    assert found.predicate == SAID.predicate


def test_inspect_says_which_data_is_only_listed(run: CommandLine) -> None:
    listed = replace(note(), by_reference={"note.txt": "md5"})
    pinned = kitline.pack_collected(listed, "team/note:v1").reference
    (layer,) = kitline.inspect(pinned).to_json()["layers"]
    assert layer["byReference"] == "md5"
    assert "note.txt (by reference, md5)" in run("inspect", "team/note:v1").stderr


@pytest.mark.parametrize("text", ["[]", "{", '{"note.txt": 5}', "[" * 100_000])
def test_a_list_of_data_elsewhere_that_makes_no_sense_counts_as_absent(text: str) -> None:
    hostile = replace(note(), annotations={"io.kitline.by-reference": text})
    pinned = kitline.pack_collected(hostile, "team/note:v1").reference
    (layer,) = kitline.inspect(pinned).to_json()["layers"]
    assert "byReference" not in layer


def test_inspect_shows_what_is_said(run: CommandLine) -> None:
    pack("team/note", SAID)

    shown = run("inspect", "team/note:v1")
    whole = run("inspect", "team/note:v1", "--statements")
    found = run("inspect", "team/note:v1", "--json").json

    assert f"attached: {FACTS} (unsigned; loss, name, steps) sha256:" in shown.stderr
    assert '"loss": 0.5' not in shown.stderr
    assert '"loss": 0.5' in whole.stderr
    [statement] = found["statements"]
    assert statement["predicateType"] == FACTS
    assert statement["predicate"] == SAID.predicate
    assert statement["signed"] is False
    assert statement["digest"] == found["referrers"][0]["digest"]


def test_what_is_said_cannot_steer_the_terminal(run: CommandLine) -> None:
    pack("team/note", Statement(predicate_type=FACTS, predicate={"\x1b[2J": "\x1b[2J"}))

    shown = run("inspect", "team/note:v1", "--statements")

    assert "\x1b" not in shown.stderr + shown.stdout


def test_the_same_is_said_by_the_same_bytes_on_every_machine() -> None:
    where = kitline.attest(pack("team/note").reference, SAID)

    assert str(where) == (
        "team/note@sha256:ea233fee38978ce0641d446f1458d5ade73b7b36a6ea44cb6eda72eb3eb4c60b"
    )


STATEMENT: dict[str, Any] = {
    "_type": "https://in-toto.io/Statement/v1",
    "subject": [{"digest": {"sha256": "KIT"}}],
    "predicateType": FACTS,
    "predicate": {},
}
HOSTILE = {
    "not-json": b"{",
    "not-utf-8": b"\xff",
    "a-list": b"[]",
    "nested": b"[" * 60_000,
    "rather-nested": json.dumps(STATEMENT)
    .replace("{}", '{"x":' + "[" * 900 + "]" * 900 + "}")
    .encode(),
    "no-statement": json.dumps({**STATEMENT, "_type": "https://example.com"}).encode(),
    "unhashable-type": json.dumps({**STATEMENT, "_type": ["x"]}).encode(),
    "of-another-kit": json.dumps(
        {**STATEMENT, "subject": [{"digest": {"sha256": "0" * 64}}]}
    ).encode(),
    "subject-is-no-list": json.dumps({**STATEMENT, "subject": 5}).encode(),
    "subject-is-no-object": json.dumps({**STATEMENT, "subject": [5, {"digest": 5}]}).encode(),
    "type-is-no-text": json.dumps({**STATEMENT, "predicateType": 5}).encode(),
    "no-predicate": json.dumps({**STATEMENT, "predicate": None}).encode(),
    "key-twice": b'{"_type":1,"_type":2}',
    "nan": b'{"_type":NaN}',
    "long-integer": b'{"x":' + b"9" * 10_000 + b"}",
}


def put_statement(content: Content, kit: str, raw: bytes, **changed: object) -> str:
    """Put a referrer into a registry as anybody could."""
    content.put_blob("team/note", b"{}")
    content.put_blob("team/note", raw)
    manifest: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactType": IN_TOTO,
        "config": {
            "mediaType": "application/vnd.oci.empty.v1+json",
            "digest": digest_of(b"{}"),
            "size": 2,
        },
        "layers": [{"mediaType": IN_TOTO, "digest": digest_of(raw), "size": len(raw)}],
        "subject": {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": kit,
            "size": 7,
        },
    }
    return content.put_manifest("team/note", json.dumps({**manifest, **changed}).encode())


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE)
def test_a_broken_statement_is_left_out_with_a_word_about_it(
    run: CommandLine, local_registry: LocalRegistry, caplog: pytest.LogCaptureFixture, raw: bytes
) -> None:
    name = f"{local_registry.host}/team/note"
    kit = pack(name, SAID)
    raw = raw.replace(b"KIT", kit.digest.hex.encode())
    broken = put_statement(local_registry.content, str(kit.digest), raw)

    found = kitline.read_statements(f"{name}:v1")

    assert [each.predicate for each in found] == [SAID.predicate]
    assert f"statement {broken} about {kit.digest} was left out" in caplog.text
    shown = run("inspect", f"{name}:v1", "--json")
    assert len(shown.json["statements"]) == 1
    assert broken in shown.json["warnings"][0]
    assert "warning: statement" in shown.stderr


LAYER = {"mediaType": IN_TOTO, "digest": digest_of(b"x"), "size": 1}


@pytest.mark.parametrize(
    "layers", [[], [LAYER, LAYER], [{**LAYER, "mediaType": "text/plain"}], [{**LAYER, "size": 9}]]
)
def test_a_referrer_of_an_odd_shape_is_left_out(
    local_registry: LocalRegistry, caplog: pytest.LogCaptureFixture, layers: list[object]
) -> None:
    name = f"{local_registry.host}/team/note"
    kit = pack(name)
    local_registry.content.put_blob("team/note", b"x")
    put_statement(local_registry.content, str(kit.digest), b"x", layers=layers)

    assert kitline.read_statements(f"{name}:v1") == []
    assert "was left out" in caplog.text


def test_a_statement_of_an_older_kind_is_read(local_registry: LocalRegistry) -> None:
    name = f"{local_registry.host}/team/note"
    kit = pack(name)
    subject = [{"name": "note", "digest": {"sha256": kit.digest.hex}}]
    old = {**STATEMENT, "_type": "https://in-toto.io/Statement/v0.1", "subject": subject}
    put_statement(local_registry.content, str(kit.digest), json.dumps(old).encode())

    assert [each.predicate_type for each in kitline.read_statements(f"{name}:v1")] == [FACTS]


def test_bytes_that_are_not_those_of_the_digest_are_left_out(
    local_registry: LocalRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    name = f"{local_registry.host}/team/note"
    kit = pack(name, SAID)
    blobs = local_registry.content.create("team/note").blobs
    for digest, content in list(blobs.items()):
        if b"loss" in bytes(content):
            blobs[digest] = bytes(content).replace(b"0.5", b"0.1")

    assert kitline.read_statements(kit.reference) == []
    assert "was left out" in caplog.text


@pytest.mark.registry
@pytest.mark.parametrize("program", ["distribution_3", "docker_registry_2", "olareg_registry"])
def test_a_real_registry_keeps_statements(
    request: pytest.FixtureRequest, run: CommandLine, program: str
) -> None:
    name = f"{request.getfixturevalue(program).host}/statements/note"
    kit = pack(name, SAID)
    other = Statement(predicate_type=FACTS, predicate={"n": 2})

    where = kitline.attest(kit.reference, other)

    assert kitline.attest(kit.reference, other) == where
    assert len(kitline.read_statements(kit.reference)) == 2
    run("copy", f"{name}:v1", "copied:v1")
    assert len(kitline.read_statements("copied:v1")) == 2
