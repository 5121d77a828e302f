from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kitline.errors import InvalidConfig
from kitline.kit.kit_config import from_config, to_config
from kitline.kit.kitfile import Dataset, Docs, Kitfile, Model
from kitline.oci.json import encode
from kitline.testing.vectors import VectorCase, find_vectors, vector_cases

CASES = [
    case
    for case in vector_cases(find_vectors(Path(__file__).parents[3]))
    if case.name != "modelpack"
]
KEYS = ["manifestVersion", "package", "model", "code", "datasets", "docs", "prompts", "mcpServers"]
INNER = ["name", "path", "authors", "parts", "parameters", "digest", "remotePath", "other"]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_config_that_is_read_and_written_keeps_its_bytes(case: VectorCase) -> None:
    assert to_config(from_config(case.config)) == case.config


def test_what_is_empty_is_left_out() -> None:
    kitfile = Kitfile(model=Model(), docs=(Docs(),))

    assert to_config(kitfile) == (
        b'{"manifestVersion":"1.0.0","package":{},"model":{},"docs":[{"path":""}]}'
    )


@pytest.mark.parametrize(
    ("parameters", "printed"), [(0, b"0"), (False, b"false"), ("", b'""'), ([], b"[]"), ({}, b"{}")]
)
def test_parameters_vanish_only_if_they_are_null(parameters: Any, printed: bytes) -> None:
    config = to_config(Kitfile(datasets=(Dataset(path="a", parameters=parameters),)))

    assert config.endswith(b'"parameters":' + printed + b"}]}")


def test_keys_of_parameters_are_sorted_by_their_bytes() -> None:
    config = to_config(Kitfile(model=Model(parameters={"é": 1, "z": {"b": 1, "a": 2}, "A": []})))

    assert b'{"A":[],"z":{"a":2,"b":1},"\xc3\xa9":1}' in config


@pytest.mark.parametrize("parameters", [float("nan"), float("inf"), {1: 2}, object()])
def test_parameters_that_json_cannot_hold_are_refused(parameters: Any) -> None:
    with pytest.raises(ValueError):
        to_config(Kitfile(model=Model(parameters=parameters)))


def test_unknown_keys_are_kept() -> None:
    config = (
        b'{"manifestVersion":"1.0.0","package":{"name":"n","x":1},'
        b'"model":{"path":"a","parts":[{"path":"b","y":[1.5]}]},"z":{"later":true}}'
    )

    assert to_config(from_config(config)) == config


def test_null_counts_as_absent() -> None:
    config = b'{"manifestVersion":null,"package":null,"model":null,"code":null,"docs":[null]}'

    kitfile = from_config(config)

    assert (kitfile.manifest_version, kitfile.model, kitfile.docs) == ("", None, (Docs(),))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (b"", "not valid JSON"),
        (b"[]", "the kit's config: expected an object, found a list"),
        (b'{"package":[]}', "package: expected an object, found a list"),
        (b'{"code":{}}', "code: expected a list, found an object"),
        (b'{"code":[{"path":1}]}', r"code\[0\]\.path: expected a text, found a number"),
        (b'{"code":[false]}', r"code\[0\]: expected an object, found a truth value"),
        (b'{"package":{"authors":[1]}}', r"package\.authors\[0\]: expected a text"),
        (b'{"model":{"parts":[{"digest":"md5:0"}]}}', r"model\.parts\[0\]\.digest: invalid digest"),
        (b'{"model":{"digest":"../../etc"}}', r"model\.digest: invalid digest"),
        (b'{"model":{},"model":{}}', "the key 'model' is there twice"),
        (b'{"model":{"parameters":1e999}}', "out of range"),
        (b'{"x":' + b"[" * 500 + b"]" * 500 + b"}", "nested deeper than 100"),
        (b'{"x":' + b"[" * 500_000, "nested"),
    ],
)
def test_a_config_of_another_shape_is_refused_by_name(config: bytes, said: str) -> None:
    with pytest.raises(InvalidConfig, match=said):
        from_config(config)


def test_half_surrogate_pairs_are_replaced_as_go_does() -> None:
    assert from_config(b'{"package":{"name":"a\\ud800"}}').package.name == "a\ufffd"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(KEYS + INNER) | st.text(max_size=3), inner, max_size=5)
    ),
    max_leaves=20,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), JSON))
def test_any_json_is_read_or_refused(fields: dict[str, Any]) -> None:
    try:
        config = to_config(from_config(_encode(fields)))
    except InvalidConfig:
        return
    assert to_config(from_config(config)) == config


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(InvalidConfig):
        from_config(data)


def _encode(fields: dict[str, Any]) -> bytes:
    try:
        return encode(fields)
    except ValueError:
        return b"1"  # infinities
