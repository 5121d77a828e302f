"""Reading through `store.verify` hands out nothing that its descriptor does not vouch for."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kitline.errors import DigestMismatch, SizeMismatch
from kitline.oci.descriptor import Descriptor
from kitline.oci.digest import Digest
from kitline.store.pipeline import read_all
from kitline.store.verify import VerifyingStream, read_verified

if TYPE_CHECKING:
    from kitline.store.interface import ByteStream


class Blobs:
    """A fetcher that serves the same bytes for every descriptor."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def fetch(self, descriptor: Descriptor, *, offset: int = 0) -> ByteStream:
        return io.BytesIO(self.data[offset:])


def describe(data: bytes) -> Descriptor:
    return Descriptor(media_type="text/plain", digest=Digest.of(data), size=len(data))


@pytest.mark.parametrize("data", [b"", b"x", b"abc" * 1000])
def test_right_bytes_pass_unchanged(data: bytes) -> None:
    with VerifyingStream(io.BytesIO(data), describe(data), "layer") as stream:
        assert read_all(stream, len(data)) == data
        assert stream.readinto(memoryview(bytearray(1))) == 0


@given(st.binary(min_size=1, max_size=100), st.data())
def test_any_flipped_bit_is_refused(data: bytes, draw: st.DataObject) -> None:
    position = draw.draw(st.integers(0, len(data) - 1))
    flipped = bytearray(data)
    flipped[position] ^= 1 << draw.draw(st.integers(0, 7))
    with pytest.raises(DigestMismatch, match="layer 2: expected digest sha256:"):
        read_all(VerifyingStream(io.BytesIO(flipped), describe(data), "layer 2"), 200)


def test_the_last_bytes_of_a_wrong_blob_are_never_handed_out() -> None:
    stream = VerifyingStream(io.BytesIO(b"abX"), describe(b"abc"), "layer")
    buffer = memoryview(bytearray(2))
    assert stream.readinto(buffer) == 2
    with pytest.raises(DigestMismatch):
        stream.readinto(buffer)


def test_a_truncated_blob_is_refused() -> None:
    with pytest.raises(SizeMismatch, match="layer: expected 3 bytes, found 2; nothing was kept"):
        read_all(VerifyingStream(io.BytesIO(b"ab"), describe(b"abc"), "layer"), 3)


def test_trailing_bytes_are_refused_even_when_the_reader_stops_at_the_size() -> None:
    stream = VerifyingStream(io.BytesIO(b"abcd"), describe(b"abc"), "layer")
    with pytest.raises(SizeMismatch, match="expected 3 bytes, found 4 or more"):
        stream.readinto(memoryview(bytearray(3)))


def test_an_over_long_read_is_refused() -> None:
    stream = VerifyingStream(io.BytesIO(b"abcdef"), describe(b"abc"), "layer")
    with pytest.raises(SizeMismatch, match="found 6 or more"):
        stream.readinto(memoryview(bytearray(10)))


def test_a_small_blob_is_read_whole() -> None:
    assert read_verified(Blobs(b"config"), describe(b"config")) == b"config"


def test_a_descriptor_that_promises_too_much_is_refused_before_reading() -> None:
    with pytest.raises(SizeMismatch, match=r"\(at most 5\): expected 5 bytes, found 6"):
        read_verified(Blobs(b"config"), describe(b"config"), limit=5)


def test_sha512_descriptors_are_verified_too() -> None:
    import hashlib

    digest = Digest("sha512:" + hashlib.sha512(b"abc").hexdigest())
    descriptor = Descriptor(media_type="text/plain", digest=digest, size=3)
    assert read_verified(Blobs(b"abc"), descriptor) == b"abc"
    with pytest.raises(DigestMismatch):
        read_verified(Blobs(b"abd"), descriptor)
