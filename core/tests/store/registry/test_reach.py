"""Which addresses a program that others can send about connects to."""

from __future__ import annotations

import pytest
from kitline.errors import RegistryError
from kitline.store.registry.reach import Reach


class Connected:
    """A connection to an address."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.closed = False

    def getpeername(self) -> tuple[str, int]:
        return self.address, 443

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
     "0.0.0.0", "::1", "fe80::1%eth0", "fd00::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254"],
)  # fmt: skip
def test_a_name_of_a_private_address_is_refused_before_a_byte_is_sent(address: str) -> None:
    connected = Connected(address)
    with pytest.raises(RegistryError, match=r"refused to connect to storage\.example:443"):
        Reach(["reg.example"]).check("storage.example", 443, connected)  # type: ignore[arg-type]  # enough of a socket
    assert connected.closed


@pytest.mark.parametrize(
    ("host", "port", "address"),
    [
        ("storage.example", 443, "93.184.216.34"),
        ("storage.example", 443, "2606:2800:220:1::1"),
        ("reg.example", 443, "10.1.2.3"),
        ("Reg.Example", 443, "10.1.2.3"),
        ("127.0.0.1", 5000, "127.0.0.1"),
        ("[::1]", 5000, "::1"),
        ("registry-1.docker.io", 443, "10.1.2.3"),
    ],
)
def test_public_addresses_and_trusted_registries_are_reached(
    host: str, port: int, address: str
) -> None:
    connected = Connected(address)
    trusted = ["reg.example", "127.0.0.1:5000", "[::1]:5000", "docker.io"]
    Reach(trusted).check(host, port, connected)  # type: ignore[arg-type]  # enough of a socket
    assert not connected.closed
