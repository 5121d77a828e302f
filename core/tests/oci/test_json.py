"""JSON as Go prints it."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kitline.oci.json import decode, encode, sorted_map

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(-1e15, 1e15)  # larger ones print as integers, which Python reads exactly
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abc é"), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(values)
def test_what_is_encoded_reads_back_equal(value: object) -> None:
    assert json.loads(encode(value)) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_keeps_its_value_and_has_go_s_form(number: float) -> None:
    text = encode(number).decode()

    assert float(text) == number
    assert ("e" in text) == (number != 0 and not 1e-6 <= abs(number) < 1e21)
    assert "e-0" not in text
    assert "e+0" not in text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1.0, "1"),
        (1e16, "10000000000000000"),
        (1e-6, "0.000001"),
        (-0.0, "-0"),
        (1e-7, "1e-7"),
        (1e21, "1e+21"),
        (6.02e23, "6.02e+23"),
        (5e-324, "5e-324"),
        (-1.5e-9, "-1.5e-9"),
        (123456.789, "123456.789"),
    ],
)
def test_floats_are_printed_as_go_prints_them(number: float, text: str) -> None:
    assert encode(number).decode() == text


def test_texts_are_escaped_as_go_escapes_them() -> None:
    assert encode('<a> & "é" \u2028\x01\x7f/\ud800').decode() == (
        '"\\u003ca\\u003e \\u0026 \\"é\\" \\u2028\\u0001\x7f/\\ufffd"'
    )


def test_maps_are_sorted_by_utf8_bytes() -> None:
    assert list(sorted_map({"é": 1, "a": 2, "B": 3, "\U0001f600": 4, "\ufffe": 5})) == [
        "B",
        "a",
        "é",
        "\ufffe",
        "\U0001f600",
    ]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, {1: 2}, {None: 1}, {1, 2}, b"x"])
def test_what_json_does_not_have_is_refused(value: object) -> None:
    with pytest.raises(ValueError):
        encode(value)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"a":1,"a":2}', "the key 'a' is there twice"),
        (b"[NaN]", "NaN is not JSON"),
        (b"[-Infinity]", "-Infinity is not JSON"),
        (b"\xff", "not UTF-8"),
        (b"[" * 100_000, "nested too deep"),
        (b"{", "Expecting property name"),
    ],
)
def test_malformed_json_from_outside_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        decode(data)


def test_json_beyond_its_limit_is_not_parsed() -> None:
    with pytest.raises(ValueError, match="11 bytes are more than the limit of 10"):
        decode(b" " * 11, limit=10)
