"""The table of modelkit.md section 4 and what random comparison with kit 1.15.0 brought up."""

from __future__ import annotations

import math

import pytest
from kitline.kit.go_scalars import read_scalar
from kitline.oci.json import encode


def read(text: str, tag: str | None = None) -> object:
    return read_scalar(text, tag, is_plain=True)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("1e3", "1000"),
        ("1E5", "100000"),
        ("6.02e23", "6.02e+23"),
        ("1e-5", "0.00001"),
        ("0x1F", "31"),
        ("0X1F", "31"),
        ("0o17", "15"),
        ("017", "15"),
        ("0b101", "5"),
        ("-0x1F", "-31"),
        ("0b-101", "-5"),
        ("08", "8"),
        ("099", "99"),
        ("1_000", "1000"),
        ("1__0", "10"),
        ("0_1", "1"),
        ("1_", "1"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1.e3", "1000"),
        ("+5", "5"),
        ("-0", "0"),
        ("-0.0", "-0"),
        ("18446744073709551615", "18446744073709551615"),
        ("18446744073709551616", "18446744073709552000"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("-9223372036854775809", "-9223372036854776000"),
        ("0" * 5000 + "7", "7"),
        ("true", "true"),
        ("True", "true"),
        ("TRUE", "true"),
        ("FALSE", "false"),
        ("null", "null"),
        ("~", "null"),
        ("Null", "null"),
        ("NULL", "null"),
        ("", "null"),
    ],
)
def test_plain_scalars_are_read_as_go_yaml_reads_them(text: str, printed: str) -> None:
    assert encode(read(text)).decode() == printed


@pytest.mark.parametrize(
    "text",
    [
        *("yes", "no", "on", "off", "Yes", "y", "n", "tRUE", "nULL"),
        *("12:30:45", "1:30", "1e400", "NaN", "infinity", "0x1p4", "1.2.3", ".5.", "._5", "+", "-"),
        *("0b2", "0o8", "0x", "_1", "1a", "0x" + "f" * 17, "١"),
        *("2024-01-02T03:04", "2024-13-01", "2023-02-29", "2024-01-02t03:04:05z", "2024-1"),
        *("2024-01-02T03:04:05", "2024-01-02 03:04:05Z", "2024-01-02T24:00:00Z", "24-01-02"),
    ],
)
def test_what_only_looks_like_a_value_stays_a_text(text: str) -> None:
    assert read(text) == text


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("2024-01-02", "2024-01-02T00:00:00Z"),
        ("2024-1-2", "2024-01-02T00:00:00Z"),
        ("2024-01-02 03:04:05", "2024-01-02T03:04:05Z"),
        ("2024-01-02   3:4:5", "2024-01-02T03:04:05Z"),
        ("2024-01-02T03:04:05+02:00", "2024-01-02T03:04:05+02:00"),
        ("2024-01-02T03:04:05-00:00", "2024-01-02T03:04:05Z"),
        ("2024-01-02T03:04:05+02:60", "2024-01-02T03:04:05+03:00"),
        ("2024-01-02T03:04:05.120Z", "2024-01-02T03:04:05.12Z"),
        ("2024-01-02T03:04:05,12Z", "2024-01-02T03:04:05.12Z"),
        ("2024-01-02t03:04:05.0000000019Z", "2024-01-02T03:04:05.000000001Z"),
        ("0000-02-29", "0000-02-29T00:00:00Z"),
    ],
)
def test_dates_become_texts_as_go_prints_them(text: str, printed: str) -> None:
    assert read(text) == printed


@pytest.mark.parametrize(
    ("tag", "text", "value"),
    [
        ("str", "5", "5"),
        ("float", "5", 5.0),
        ("float", "0x10", 16.0),
        ("int", "5", 5),
        ("null", "", None),
        ("binary", "aGVsbG8=", "hello"),
        ("set", "x", "x"),
    ],
)
def test_standard_tags_are_followed(tag: str, text: str, value: object) -> None:
    found = read(text, f"tag:yaml.org,2002:{tag}")

    assert (found, type(found)) == (value, type(value))


def test_own_tags_leave_a_text() -> None:
    assert read("5", "!custom") == "5"


def test_quotes_make_a_text_unless_a_tag_says_otherwise() -> None:
    assert read_scalar("5", None, is_plain=False) == "5"
    assert read_scalar("5", "tag:yaml.org,2002:int", is_plain=False) == 5


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        ("int", "x"),
        ("int", "5.5"),
        ("bool", "yes"),
        ("null", "x"),
        ("float", "18446744073709551615"),
        ("timestamp", "5"),
        ("binary", "!!"),
        ("binary", "/w=="),
    ],
)
def test_a_tag_that_does_not_fit_is_refused(tag: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"cannot read|not UTF-8"):
        read(text, f"tag:yaml.org,2002:{tag}")


def test_an_offset_that_json_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="a day or more"):
        read("2024-01-02T03:04:05+24:00")


def test_infinities_are_seen() -> None:
    assert read("-.Inf") == -math.inf
