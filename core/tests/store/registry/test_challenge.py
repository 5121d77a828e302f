from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kitline.errors import MalformedContent
from kitline.store.registry.challenge import Challenge, get_realm, parse_challenges
from kitline.store.registry.origin import Origin
from kitline.store.registry.scopes import Scope, join_scopes

TLS = Origin.of("https://reg.example")
PLAIN = Origin.of("http://127.0.0.1:5000")


def read(header: str) -> list[tuple[str, dict[str, str]]]:
    return [(found.scheme, dict(found.parameters)) for found in parse_challenges(header)]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", []),
        ("Negotiate", [("negotiate", {})]),
        ('Basic realm="a, b"', [("basic", {"realm": "a, b"})]),
        (r'Basic realm="say \"hi\" \\"', [("basic", {"realm": 'say "hi" \\'})]),
        (
            "Basic realm = plain , charset=UTF-8",
            [("basic", {"realm": "plain", "charset": "UTF-8"})],
        ),
        (
            'Bearer realm="https://a/token",service="s",scope="repository:a:pull,push"',
            [
                (
                    "bearer",
                    {
                        "realm": "https://a/token",
                        "service": "s",
                        "scope": "repository:a:pull,push",
                    },
                )
            ],
        ),
        (
            'Basic realm="x", BEARER Realm="y",Service="z", Negotiate abc==',
            [
                ("basic", {"realm": "x"}),
                ("bearer", {"realm": "y", "service": "z"}),
                ("negotiate", {}),
            ],
        ),
        (", ,Basic ,, Bearer realm=y,", [("basic", {}), ("bearer", {"realm": "y"})]),
    ],
)
def test_challenges_are_read_as_the_http_specification_writes_them(
    header: str, expected: list[tuple[str, dict[str, str]]]
) -> None:
    assert read(header) == expected


@pytest.mark.parametrize(
    "header",
    [
        'Bearer realm="open',
        'Bearer realm="a" service="b"',
        "Bearer realm=https://a/token",
        'Bearer realm="a",realm="b"',
        'realm="a"',
        'Bearer realm="a\x01b"',
        "Bearer realm=a;b",
        "Basic " + "x" * 20000,
    ],
)
def test_a_challenge_that_breaks_the_grammar_is_refused(header: str) -> None:
    with pytest.raises(MalformedContent, match="the challenge"):
        parse_challenges(header)


@given(st.text(alphabet='ab ,="\\\t:/', max_size=60))
def test_any_header_is_read_or_refused_and_nothing_else_happens(header: str) -> None:
    try:
        found = parse_challenges(header)
    except MalformedContent:
        return
    assert all(isinstance(challenge, Challenge) for challenge in found)


def realm(text: str) -> Challenge:
    return Challenge(scheme="bearer", parameters={"realm": text})


def test_a_relative_realm_belongs_to_the_registry() -> None:
    assert get_realm(realm("/token"), PLAIN) == "http://127.0.0.1:5000/token"
    assert get_realm(realm("/token?a=b"), TLS) == "https://reg.example/token?a=b"


def test_a_plain_http_realm_is_refused_unless_the_registry_is_plain_too() -> None:
    assert get_realm(realm("http://auth.example/t"), PLAIN) == "http://auth.example/t"
    with pytest.raises(MalformedContent, match="is not https; credentials are not sent"):
        get_realm(realm("http://auth.example/t"), TLS)


@pytest.mark.parametrize(
    "text",
    ["", "ftp://a/t", "https://user:word@a/t", "https://a/t#x", "https://a/ t", "https://[a/t"],
)
def test_a_realm_that_is_no_plain_address_is_refused(text: str) -> None:
    with pytest.raises(MalformedContent, match="realm"):
        get_realm(realm(text), TLS)


def test_scopes_round_trip_and_join() -> None:
    asked = [Scope.of("a/b", "pull"), Scope.parse("repository:a/b:push"), Scope.parse("aws")]

    assert [str(scope) for scope in join_scopes(asked)] == ["aws", "repository:a/b:pull,push"]
    assert Scope.parse("repository:host:5000/a:pull").name == "host:5000/a"
    assert Scope.parse("repository:a:*").includes(Scope.of("a", "pull", "delete"))
    assert not Scope.of("a", "pull").includes(Scope.of("a", "push"))
    assert not Scope.of("a", "pull").includes(Scope.of("b", "pull"))
