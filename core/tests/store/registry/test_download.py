"""Downloads: reconnect where the connection broke, take no byte too many."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from kitline.errors import BlobNotFound, DigestMismatch, RegistryUnreachable, SizeMismatch
from kitline.oci.descriptor import Descriptor
from kitline.oci.digest import Digest
from kitline.oci.reference import Reference
from kitline.store.pipeline import read_all
from kitline.store.registry import RegistryOptions, RetryPolicy, open_registry
from kitline.store.verify import VerifyingStream
from kitline.testing import BasicAuth, Fault, LocalRegistry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from kitline.store.registry import RegistryStore

    Script = Callable[[str, str, Mapping[str, str], bytes], tuple[int, Mapping[str, str], bytes]]

MIB = 1 << 20
SIZE = 5 * MIB
DATA = hashlib.shake_128(b"down").digest(SIZE)
BLOB = Descriptor(
    media_type="application/octet-stream",
    digest=Digest("sha256:" + hashlib.sha256(DATA).hexdigest()),
    size=SIZE,
)
QUICK = RetryPolicy(least=0.0, most=0.01)


def connect(host: str, **options: object) -> RegistryStore:
    settings = RegistryOptions(**{"retry": QUICK, **options})  # type: ignore[arg-type]  # any
    return open_registry(Reference.parse(f"{host}/team/model"), settings)


@pytest.fixture
def registry(local_registry: LocalRegistry) -> LocalRegistry:
    local_registry.content.create("team/model").blobs[str(BLOB.digest)] = DATA
    return local_registry


@pytest.fixture
def store(registry: LocalRegistry) -> Iterator[RegistryStore]:
    with connect(registry.host) as opened:
        yield opened


def read(store: RegistryStore, offset: int = 0, blob: Descriptor = BLOB) -> bytes:
    with store.fetch(blob, offset=offset) as stream:
        return read_all(stream, 2 * SIZE)


def sent(registry: LocalRegistry) -> int:
    return sum(each.sent for each in registry.select("GET", "/blobs/"))


@pytest.mark.parametrize("offset", [0, 1, 3 * MIB, SIZE - 1, SIZE])
def test_a_blob_is_read_from_any_offset(store: RegistryStore, offset: int) -> None:
    assert read(store, offset) == DATA[offset:]


def test_no_range_at_the_end_is_ever_asked_for(
    registry: LocalRegistry, store: RegistryStore
) -> None:
    assert read(store, SIZE) == b""
    assert registry.requests == []


def test_a_download_cut_at_60_percent_goes_on_from_there(
    registry: LocalRegistry, store: RegistryStore
) -> None:
    registry.inject(Fault.cut_download(after=SIZE * 6 // 10))
    assert read(store) == DATA
    assert registry.count("GET") == 2
    assert sent(registry) == SIZE


def test_a_download_cut_often_goes_on_as_long_as_it_gets_further(
    registry: LocalRegistry, store: RegistryStore
) -> None:
    registry.inject(*(Fault.cut_download(after=n * MIB // 2) for n in range(1, 10)))
    assert read(store) == DATA
    assert sent(registry) == SIZE


def test_a_download_that_stalls_is_begun_anew_from_there(registry: LocalRegistry) -> None:
    registry.inject(Fault.stall_download(after=3 * MIB, seconds=5))
    with connect(registry.host, read_timeout=0.2) as store:
        assert read(store) == DATA
    assert registry.count("GET") == 1  # the stalled one has not ended yet


def test_a_download_that_gets_no_further_is_given_up(
    registry: LocalRegistry, store: RegistryStore
) -> None:
    registry.inject(Fault.cut_download(after=MIB, times=None))
    with pytest.raises(RegistryUnreachable, match="read blob sha256"):
        read(store)


def test_a_registry_without_ranges_costs_bytes_but_not_the_download(
    registry: LocalRegistry, store: RegistryStore
) -> None:
    registry.inject(Fault.ignore_range(), Fault.cut_download(after=3 * MIB))
    assert read(store) == DATA
    assert read(store, 4 * MIB) == DATA[4 * MIB :]


@pytest.mark.parametrize("fault", [Fault.over_long(), Fault.truncated()])
def test_a_body_of_another_length_is_refused(
    registry: LocalRegistry, store: RegistryStore, fault: Fault
) -> None:
    registry.inject(fault)
    with pytest.raises(SizeMismatch, match=f"expected {SIZE} bytes"):
        read(store)


def test_a_missing_blob_is_told_when_it_is_opened(store: RegistryStore) -> None:
    absent = Descriptor(media_type="a/b", digest=Digest.of(b"absent"), size=6)
    with pytest.raises(BlobNotFound, match=f"read blob {absent.digest}"):
        store.fetch(absent)


def test_wrong_bytes_are_seen_by_the_verifying_reader(
    registry: LocalRegistry, store: RegistryStore
) -> None:
    registry.inject(Fault.wrong_bytes(after=MIB))
    with (
        store.fetch(BLOB) as stream,
        VerifyingStream(stream, BLOB) as verified,
        pytest.raises(DigestMismatch),
    ):
        read_all(verified, 2 * SIZE)


def test_a_redirect_is_followed_without_credentials(registry: LocalRegistry) -> None:
    with LocalRegistry(auth=BasicAuth(), content=registry.content) as front:
        front.inject(Fault.redirect(registry.host))
        with connect(front.host, username="ci", password="secret") as store:
            assert read(store) == DATA
    assert front.authorizations
    assert registry.authorizations == []


def test_an_endless_redirect_ends(registry: LocalRegistry, store: RegistryStore) -> None:
    registry.inject(Fault.redirect(registry.host))
    with pytest.raises(Exception, match="redirects more than 5 times"):
        read(store)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_passing_faults_are_tried_again(
    registry: LocalRegistry, store: RegistryStore, status: int
) -> None:
    registry.inject(Fault.answer(status, times=4))
    assert read(store) == DATA


def test_after_five_tries_the_registrys_words_are_told(
    registry: LocalRegistry, store: RegistryStore
) -> None:
    registry.inject(Fault.answer(503, code="UNAVAILABLE", message="moving house", times=None))
    with pytest.raises(RegistryUnreachable, match="HTTP 503, UNAVAILABLE: moving house"):
        read(store)
    assert registry.count("GET") == 5


def test_what_a_proxy_adds_behind_the_end_is_refused(
    serve: Callable[[Script], str],
) -> None:
    def script(
        method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        return 206, {"Content-Range": f"bytes 7-{SIZE - 1}/{SIZE}"}, DATA[7:]

    address = serve(script).removeprefix("http://")
    with connect(address) as store, pytest.raises(Exception, match="sent the range 'bytes 7-"):
        read(store, 5)
