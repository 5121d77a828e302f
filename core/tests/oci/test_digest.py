"""Digests are valid by construction."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kitline.errors import InvalidDigest
from kitline.oci.digest import Digest, Hasher

HEX = "a" * 64


@given(st.binary())
def test_a_digest_reads_back_as_itself(data: bytes) -> None:
    digest = Digest.of(data)

    assert Digest(str(digest)) == digest
    assert digest.hex == hashlib.sha256(data).hexdigest()
    assert digest.matches(data)


@given(st.lists(st.binary()))
def test_a_hasher_gives_the_digest_of_all_its_pieces(pieces: list[bytes]) -> None:
    hasher = Hasher()
    for piece in pieces:
        hasher.update(piece)

    assert hasher.digest() == Digest.of(b"".join(pieces))
    assert hasher.size == sum(map(len, pieces))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no ':' between algorithm and value"),
        (HEX, "no ':' between algorithm and value"),
        (f"md5:{HEX}", "the algorithm is neither sha256 nor sha512"),
        (f"SHA256:{HEX}", "the algorithm is neither sha256 nor sha512"),
        (f"sha256:{HEX}a", "sha256 takes 64 lower-case hex digits"),
        (f"sha256:{HEX[:-1]}", "sha256 takes 64 lower-case hex digits"),
        (f"sha256:{HEX[:-1]}A", "sha256 takes 64 lower-case hex digits"),
        (f"sha256:{HEX}\n", "sha256 takes 64 lower-case hex digits"),
        ("sha256:../../../../../../etc/passwd", "sha256 takes 64 lower-case hex digits"),
        (f"sha512:{HEX}", "sha512 takes 128 lower-case hex digits"),
    ],
)
def test_a_malformed_digest_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidDigest) as refusal:
        Digest(text)

    assert refusal.value.reason == reason


def test_sha512_is_accepted_on_reading() -> None:
    text = "sha512:" + hashlib.sha512(b"x").hexdigest()

    assert Digest(text).matches(b"x")


def test_an_error_does_not_repeat_a_huge_text() -> None:
    with pytest.raises(InvalidDigest) as refusal:
        Digest("x" * 10_000_000)

    assert len(str(refusal.value)) < 400
