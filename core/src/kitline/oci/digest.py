"""Digests: the names of exact bytes. The only place where kitline hashes.

Source: OCI image specification, descriptor.md, section "Digests".
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kitline.errors import InvalidDigest

if TYPE_CHECKING:
    from typing_extensions import Buffer

_HEX_LENGTH = {"sha256": 64, "sha512": 128}
_LOWER_HEX = re.compile(r"[0-9a-f]+\Z")


@dataclass(frozen=True, order=True, slots=True)
class Digest:
    """The digest of exact bytes, such as `sha256:…`.

    kitline writes sha256 only and accepts sha512 on reading.

    Raises:
        InvalidDigest: if `text` is anything else; it is checked before it may become a
            path or an address.
    """

    text: str

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise InvalidDigest(self.text, "a digest is a text such as 'sha256:…'")
        algorithm, colon, encoded = self.text.partition(":")
        if not colon:
            raise InvalidDigest(self.text, "no ':' between algorithm and value")
        length = _HEX_LENGTH.get(algorithm)
        if length is None:
            raise InvalidDigest(self.text, "the algorithm is neither sha256 nor sha512")
        if len(encoded) != length or not _LOWER_HEX.match(encoded):
            raise InvalidDigest(self.text, f"{algorithm} takes {length} lower-case hex digits")

    def __str__(self) -> str:
        return self.text

    @property
    def algorithm(self) -> str:
        """The name in front of the colon."""
        return self.text.partition(":")[0]

    @property
    def hex(self) -> str:
        """The value behind the colon, lower-case hex."""
        return self.text.partition(":")[2]

    @classmethod
    def of(cls, data: Buffer) -> Digest:
        """Return the sha256 digest of `data`."""
        return cls("sha256:" + hashlib.sha256(data).hexdigest())

    def matches(self, data: Buffer) -> bool:
        """Tell whether `data` has this digest."""
        return hashlib.new(self.algorithm, data).hexdigest() == self.hex


class Hasher:
    """Computes a digest while bytes pass by; `size` counts them."""

    def __init__(self, algorithm: str = "sha256") -> None:
        self._algorithm = algorithm
        self._hash = hashlib.new(algorithm)
        self.size = 0

    def update(self, data: Buffer) -> None:
        """Take the next bytes. Releases the interpreter lock for larger buffers."""
        self._hash.update(data)
        self.size += memoryview(data).nbytes

    def digest(self) -> Digest:
        """Return the digest of all bytes so far."""
        return Digest(f"{self._algorithm}:{self._hash.hexdigest()}")


def short_hex(text: str, length: int = 16) -> str:
    """Return the first `length` hex digits of the sha256 of a text, for derived names."""
    return hashlib.sha256(text.encode()).hexdigest()[:length]
