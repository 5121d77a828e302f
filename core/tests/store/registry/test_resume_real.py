"""Real registries behind a line that breaks: uploads and downloads go on, no byte is wrong."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import threading
from typing import TYPE_CHECKING

import pytest
from kitline.errors import SizeMismatch
from kitline.oci.descriptor import Descriptor
from kitline.oci.digest import Digest
from kitline.oci.reference import Reference
from kitline.store.pipeline import read_all
from kitline.store.registry import RegistryOptions, RetryPolicy, open_registry
from kitline.store.source import BytesSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kitline.store.registry import RegistryStore
    from kitline.testing.processes import RunningRegistry

MIB = 1 << 20
SIZE = 24 * MIB
POLICY = RetryPolicy(least=0.05, most=0.2)


class Line:
    """Passes TCP on to a registry, and breaks one connection after `after` bytes of a direction.

    `sent` and `received` count what went through, towards the registry and back.
    """

    def __init__(self, host: str) -> None:
        name, _, port = host.partition(":")
        self._target = (name, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.sent = self.received = 0
        self.break_sending: int | None = None
        self.break_receiving: int | None = None
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def broke(self) -> bool:
        return self.break_sending is self.break_receiving is None

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._target)
                for pair in ((near, far, True), (far, near, False)):
                    threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, sending: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(256 << 10):
                target.sendall(data)
                if self._counts(len(data), sending):
                    break
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _counts(self, count: int, sending: bool) -> bool:
        """Count, and tell whether the line breaks here; it does so once."""
        if sending:
            self.sent += count
            if self.break_sending is None or self.sent < self.break_sending:
                return False
            self.break_sending = None
            return True
        self.received += count
        if self.break_receiving is None or self.received < self.break_receiving:
            return False
        self.break_receiving = None
        return True


@pytest.fixture
def line(request: pytest.FixtureRequest) -> Iterator[Line]:
    running: RunningRegistry = request.getfixturevalue(request.param)
    opened = Line(running.host)
    yield opened
    opened.close()


def connect(host: str) -> RegistryStore:
    return open_registry(
        Reference.parse(f"{host}/resume/{threading.get_ident()}"), RegistryOptions(retry=POLICY)
    )


def data(seed: str) -> bytes:
    return hashlib.shake_128(seed.encode()).digest(SIZE)


RESUMING = pytest.mark.parametrize("line", ["distribution_3", "olareg_registry"], indirect=True)
ALL = pytest.mark.parametrize(
    "line", ["distribution_3", "docker_registry_2", "olareg_registry"], indirect=True
)


@pytest.mark.registry
@pytest.mark.peer
@pytest.mark.parametrize("known", [False, True])
@RESUMING
def test_a_real_registry_is_sent_only_the_rest(line: Line, known: bool) -> None:
    content = data(f"rest {known}")
    digest = Digest.of(content)
    line.break_sending = SIZE * 6 // 10
    with connect(line.host) as store:
        assert store.push_blob(BytesSource(content), digest=digest if known else None).digest == (
            digest
        )
        assert line.broke
        # what was under way in the buffers of the broken connection is sent twice
        assert line.sent < SIZE * 13 // 10
        check(store, content)


@pytest.mark.registry
@pytest.mark.peer
@ALL
def test_a_real_registry_has_the_blob_whether_it_can_resume_or_not(line: Line) -> None:
    content = data("whole")
    line.break_sending = SIZE * 6 // 10
    with connect(line.host) as store:
        assert store.push_blob(BytesSource(content)).digest == Digest.of(content)
        check(store, content)


@pytest.mark.registry
@pytest.mark.peer
@ALL
def test_a_download_from_a_real_registry_goes_on(line: Line) -> None:
    content = data("down")
    with connect(line.host) as store:
        store.push_blob(BytesSource(content))
        before = line.received
        line.break_receiving = before + SIZE * 6 // 10
        check(store, content)
        assert line.broke
        assert line.received - before < SIZE * 13 // 10


def check(store: RegistryStore, content: bytes) -> None:
    blob = Descriptor(media_type="a/b", digest=Digest.of(content), size=len(content))
    with store.fetch(blob) as stream:
        assert read_all(stream, SIZE) == content


def test_a_body_without_length_that_goes_on_behind_the_size_is_refused() -> None:
    content = b"x" * 1000
    blob = Descriptor(media_type="a/b", digest=Digest.of(content), size=len(content))
    refused = pytest.raises(SizeMismatch, match="more than 1000")
    answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + content + b"y"
    with (
        talker(answer) as host,
        connect(host) as store,
        store.fetch(blob) as stream,
        refused,
    ):
        read_all(stream, 2000)


@contextlib.contextmanager
def talker(answer: bytes) -> Iterator[str]:
    """Answer each connection so, whatever it asks."""
    listener = socket.create_server(("127.0.0.1", 0))

    def talk() -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                near.recv(65536)
                near.sendall(answer)
                near.close()

    threading.Thread(target=talk, daemon=True).start()
    yield f"127.0.0.1:{listener.getsockname()[1]}"
    listener.close()
