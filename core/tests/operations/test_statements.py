"""Statements are attached to kits that exist, and read back verified, wherever the kit lies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import kitline
import pytest
from kitline.errors import TagNotFound, UsageError
from kitline.oci.digest import Digest
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


def pack(target: str, *statements: Statement, text: str = "hello") -> kitline.KitResult:
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

    reordered = dict(reversed(SAID.predicate.items()))
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
