from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kitline.errors import KitfileError
from kitline.kit.kit_config import from_config, to_config
from kitline.kit.kitfile_yaml import read_kitfile
from kitline.oci import media_types
from kitline.testing.vectors import VectorCase, find_vectors, vector_cases

if TYPE_CHECKING:
    from kitline.kit.kitfile import Kitfile

REPOSITORY = Path(__file__).parents[3]
CASES = vector_cases(find_vectors(REPOSITORY))


def read(text: str) -> Kitfile:
    return read_kitfile("manifestVersion: 1.0.0\n" + text).kitfile


def problems(text: str) -> list[str]:
    """Return the problems of a Kitfile, whose text begins in line 2."""
    with pytest.raises(KitfileError) as caught:
        read(text)
    return list(caught.value.problems)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_kitfile_becomes_the_config_that_kit_writes(case: VectorCase) -> None:
    in_annotation = case.manifest_annotations.get(media_types.KITFILE)
    config = in_annotation.encode() if in_annotation else case.config
    digests = {part.field: (part.digest, part.diff_id) for part in from_config(config).parts()}

    kitfile = read_kitfile(case.kitfile).kitfile

    assert to_config(kitfile.with_digests(digests)) == config


def test_text_fields_keep_the_characters_of_the_source() -> None:
    package = read("package: {name: 007, version: 1.10, license: true, description: ~}").package

    assert (package.name, package.version, package.license) == ("007", "1.10", "true")
    assert package.description == ""


def test_empty_items_vanish() -> None:
    assert read("package: {authors: [null, a, ~]}").package.authors == ("a",)
    assert len(read("code: [null, {path: a}]").code) == 1


def test_the_first_document_counts() -> None:
    assert read("code: [{path: a}]\n---\nnonsense").code[0].path == "a"


def test_a_byte_order_mark_and_json_are_fine() -> None:
    text = '\ufeff{"manifestVersion": "1.0.0", "code": [{"path": "a"}]}'

    assert read_kitfile(text.encode()).kitfile.code[0].path == "a"


def test_merges_are_done_before_keys_are_checked() -> None:
    text = "model: {path: a, parameters: {x: {<<: [{a: 1, b: 1}, {a: 2, c: 3}], b: 9}}}"

    model = read(text).model

    assert model is not None
    assert model.parameters == {"x": {"b": 9, "a": 1, "c": 3}}


def test_numbers_keep_all_their_digits() -> None:
    model = read("model: {path: a, parameters: [9007199254740993, 18446744073709551615]}").model

    assert model is not None
    assert model.parameters == [9007199254740993, 18446744073709551615]


def test_another_version_is_a_warning_and_kept() -> None:
    found = read_kitfile("manifestVersion: 2.0\ncode: [{path: a}]")

    assert found.kitfile.manifest_version == "2.0"
    assert found.warnings == ("manifestVersion is '2.0'; it is treated as '1.0.0'",)


def test_a_missing_version_is_not_made_up() -> None:
    assert read_kitfile("code: [{path: a}]").kitfile.manifest_version == ""


def test_all_problems_are_reported_at_once_with_line_and_field() -> None:
    text = """\
Model: {}
x-mine: 1
package: [a]
model:
  path: a
  digest: sha256:0
  parts:
  - {path: w..v, type: a b, kind: x}
  parameters: {1: a, b: .inf, b: 2}
docs: {path: x}
"""

    assert problems(text) == [
        "line 2: Model: is not a key here; did you mean 'model'?",
        "line 3: x-mine: is not a key here; known are manifestVersion, package, model, code,"
        " datasets, docs, prompts, mcpServers; free values fit into 'parameters' only",
        "line 4: package: expected a map of keys and values, found a list",
        "line 7: model.digest: is written by pack and has no place in a Kitfile; remove it",
        "line 9: model.parts[0].kind: is not a key here; known are name, path, license, type",
        "line 9: model.parts[0].type: 'a b' is not letters, digits, '_', '.' and '-'",
        "line 9: model.parts[0].path: 'w..v' holds '..' inside a name; kit packs it but cannot"
        " unpack it",
        "line 10: model.parameters: the key '1' is not a text to YAML; put it in quotes",
        "line 10: model.parameters: the key 'b' is there already, in line 10",
        "line 10: model.parameters.b: .inf cannot be kept; JSON has no such number",
        "line 11: docs: expected a list, found a map",
    ]


def test_the_message_names_the_file() -> None:
    with pytest.raises(KitfileError, match=r"^models/Kitfile: 1 problem\n  line 1: cod: is not a "):
        read_kitfile("cod: []", "models/Kitfile")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("package: {authors: me}", "line 2: package.authors: expected a list, found 'me'"),
        ("package: {name: [a]}", "line 2: package.name: expected a text, found a list"),
        ("package: {name: !!int x}", "line 2: package.name: cannot read 'x' as !!int"),
        ("code: {path: a}", "line 2: code: expected a list, found a map"),
        ("code: [a]", "line 2: code[0]: expected a map of keys and values, found 'a'"),
        ("? [a]\n: b", "line 2: a key is a list or a map; keys must be texts"),
        ("<<: [a]", "line 2: '<<' takes a map or a list of maps"),
        ("a: *b", "line 2: no anchor 'b' stands before the alias '*b'"),
        ("a: &a [*a]", "line 2: the anchor 'a' contains itself"),
    ],
)
def test_wrong_kinds_are_refused(text: str, problem: str) -> None:
    assert problems(text) == [problem]


@pytest.mark.parametrize("text", ["", "# nothing", "---\n", "null", "~"])
def test_an_empty_file_is_refused(text: str) -> None:
    with pytest.raises(KitfileError, match="the file is empty"):
        read_kitfile(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 500 + "]" * 500, "line 1: nested deeper than 100 levels"),
        ("a: " + "x" * (1 << 20), "more than the limit of 1048576"),
        ("a: \x01", "not YAML: "),
        ("a: [", "not YAML: while parsing a flow node"),
        ("\ud800", "not text"),
        (b"a: b\nc: \xff", "line 2: not UTF-8: invalid start byte"),
        ("%YAML 1.2\n---\na: b", "kit does not read '%YAML 1.2'"),
    ],
)
def test_text_that_is_no_small_yaml_is_refused(text: str | bytes, said: str) -> None:
    with pytest.raises(KitfileError, match=said.replace("[", r"\[")):
        read_kitfile(text)


def test_aliases_cannot_blow_up_a_small_file() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]

    with pytest.raises(KitfileError, match="more than 250000 values, aliases followed"):
        read_kitfile("\n".join(lines))


def test_aliases_cannot_nest_without_end() -> None:
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 200))]

    with pytest.raises(KitfileError, match="nested deeper than 100 levels"):
        read_kitfile("\n".join(lines))


def test_the_list_of_problems_ends_somewhere() -> None:
    found = problems("\n".join(f"k{number}: 1" for number in range(5000)))

    assert len(found) == 201
    assert found[-1] == "and more"


@settings(deadline=None)
@given(st.text() | st.binary())
def test_any_text_is_read_or_refused(text: str | bytes) -> None:
    with contextlib.suppress(KitfileError):
        assert json.loads(to_config(read_kitfile(text).kitfile))


@settings(deadline=None)
@given(st.lists(st.sampled_from("abc: -[]{}&*<!|>'\"\n#,?~\t1.").map(str), max_size=40))
def test_any_yaml_is_read_or_refused(characters: list[str]) -> None:
    with contextlib.suppress(KitfileError):
        read_kitfile("manifestVersion: 1.0.0\nmodel:\n  parameters: " + "".join(characters))
