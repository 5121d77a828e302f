from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships none
from kitline.kit.go_scalars import read_scalar
from kitline.kit.schema import schema, schema_text
from kitline.kit.yaml_nodes import Node, read_nodes
from kitline.testing.vectors import VectorCase, find_vectors, vector_cases

REPOSITORY = Path(__file__).parents[3]
CASES = vector_cases(find_vectors(REPOSITORY))
VALIDATOR = Draft202012Validator(schema())


def plain(node: Node) -> Any:
    """Return what an editor sees of a node."""
    if node.kind == "list":
        return [plain(each) for each in node.items]
    if node.kind == "map":
        return {key.text: plain(value) for key, value in node.pairs}
    return read_scalar(node.text, node.tag, is_plain=node.is_plain)


def parse(text: bytes | str) -> Any:
    node = read_nodes(text)
    assert node is not None
    return plain(node)


def test_the_schema_in_the_documentation_is_up_to_date() -> None:
    written = (REPOSITORY / "docs/kitfile.schema.json").read_text(encoding="utf-8")

    assert written == schema_text(), "write kitline.kit.schema.schema_text() to that file"


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("case", CASES, ids=str)
def test_real_kitfiles_fit_the_schema(case: VectorCase) -> None:
    VALIDATOR.validate(parse(case.kitfile))


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "{manifestVersion: 1.0.0, modle: {}}",
        "{manifestVersion: 1.0.0, code: [{path: /a}]}",
        "{manifestVersion: 1.0.0, code: [{path: ../a}]}",
        "{manifestVersion: 1.0.0, docs: [{path: w..v}]}",
        "{manifestVersion: 1.0.0, docs: [{path: 'a:b'}]}",
        "{manifestVersion: 1.0.0, docs: [{digest: a}]}",
        "{manifestVersion: 1.0.0, docs: {path: a}}",
        "{manifestVersion: 1.0.0, package: {authors: me}}",
        "{manifestVersion: 1.0.0, package: {name: [a]}}",
        "{manifestVersion: 1.0.0, model: {parts: [{path: a}]}}",
        "{manifestVersion: 1.0.0, model: {path: a, parts: [{path: b, type: a b}]}}",
        "{manifestVersion: 1.0.0, mcpServers: [{path: a.mcpb}]}",
        "{manifestVersion: 1.0.0, mcpServers: [{name: a, path: a.zip}]}",
    ],
)
def test_what_the_reader_refuses_does_not_fit(text: str) -> None:
    assert not VALIDATOR.is_valid(parse(text))


@pytest.mark.parametrize(
    "text",
    [
        "{manifestVersion: 1.0.0, model: {path: 'r.io/base:v1'}}",
        "{manifestVersion: 1.0.0, package: {version: 1.10, authors: [1, null]}}",
        "{manifestVersion: 1.0.0, model: {path: a, parameters: [1, {x: null}]}}",
        "{manifestVersion: 1.0.0, code: [null, {path: ./src/.hidden/}], docs: null}",
        "{manifestVersion: 1.0.0, mcpServers: [{name: a, path: b/a.mcpb}]}",
    ],
)
def test_what_the_reader_takes_fits(text: str) -> None:
    VALIDATOR.validate(parse(text))
