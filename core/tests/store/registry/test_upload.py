"""Uploads: one pass, resumed where the registry stopped, nothing wrong ever committed."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from kitline.errors import (
    Cancelled,
    DigestMismatch,
    LayerTooLarge,
    QuotaExceeded,
    RegistryError,
    RegistryUnreachable,
    RepositoryNotFound,
    SourceChanged,
    SourceError,
)
from kitline.oci.digest import Digest
from kitline.oci.reference import Reference
from kitline.store.registry import RegistryOptions, RetryPolicy, open_registry
from kitline.store.registry.limits import check_size, limits_of
from kitline.testing import BasicAuth, Fault, LocalRegistry, Rules
from kitline.testing.rules import ECR, GHCR, OLAREG

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kitline.store.registry import RegistryStore
    from kitline.testing.processes import RunningRegistry

MIB = 1 << 20
SIZE = 10 * MIB
QUICK = RetryPolicy(least=0.0, most=0.01)
DATA = hashlib.shake_128(b"seed").digest(SIZE)
DIGEST = Digest("sha256:" + hashlib.sha256(DATA).hexdigest())


class Source:
    """Bytes that count how often they are read."""

    def __init__(self, data: bytes = DATA, *, size: int | None = None) -> None:
        self.data = data
        self.size = len(data) if size is None else size
        self.identity: str | None = None
        self.read = 0

    def open(self, offset: int = 0) -> Stream:
        return Stream(self, offset)


class Stream(io.BytesIO):
    def __init__(self, source: Source, offset: int) -> None:
        super().__init__(source.data)
        self.seek(offset)
        self.source = source

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # narrower
        count = super().readinto(buffer)
        self.source.read += count
        return count


class Meter:
    """Adds up progress; stops at `limit` bytes."""

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit
        self.tasks: dict[str, int] = {}
        self.outcomes: list[str] = []

    def begin(self, name: str, total: int | None) -> Meter:
        self.name = name
        self.tasks.setdefault(name, 0)
        return self

    def advance(self, count: int) -> None:
        self.tasks[self.name] += count
        if self.limit is not None and self.tasks[self.name] > self.limit:
            raise Cancelled("stop")

    def end(self, outcome: str) -> None:
        self.outcomes.append(outcome)


def connect(host: str, repository: str = "team/model", **options: object) -> RegistryStore:
    settings = RegistryOptions(**{"retry": QUICK, **options})  # type: ignore[arg-type]  # any
    return open_registry(Reference.parse(f"{host}/{repository}"), settings)


@pytest.fixture
def store(local_registry: LocalRegistry) -> Iterator[RegistryStore]:
    with connect(local_registry.host) as opened:
        yield opened


def held(registry: LocalRegistry, digest: Digest = DIGEST) -> bytes | None:
    repository = registry.content.find("team/model")
    return None if repository is None else repository.blobs.get(str(digest))


def sessions(registry: LocalRegistry) -> int:
    repository = registry.content.find("team/model")
    return len(repository.uploads) if repository else 0


def test_an_unknown_digest_takes_one_pass_over_the_source(
    local_registry: LocalRegistry, store: RegistryStore
) -> None:
    source, meter = Source(), Meter()
    stored = store.push_blob(source, name="weights", progress=meter)
    assert (stored.digest, stored.size, stored.existed) == (DIGEST, SIZE, False)
    assert source.read == SIZE
    assert [each.method for each in local_registry.requests] == ["POST", "PATCH", "PUT"]
    assert meter.tasks == {"weights": SIZE}
    assert meter.outcomes == ["pushed"]


def test_a_blob_that_is_there_is_not_read(
    local_registry: LocalRegistry, store: RegistryStore
) -> None:
    store.push_blob(Source())
    local_registry.forget()
    source = Source()
    assert store.push_blob(source, digest=DIGEST).existed
    assert source.read == 0
    assert [each.method for each in local_registry.requests] == ["HEAD"]


def test_a_known_digest_goes_in_one_put(
    local_registry: LocalRegistry, store: RegistryStore
) -> None:
    store.push_blob(Source(), digest=DIGEST)
    assert [each.method for each in local_registry.requests] == ["HEAD", "POST", "PUT"]
    assert held(local_registry) == DATA


def test_a_blob_that_cannot_be_there_is_not_looked_up(
    local_registry: LocalRegistry, store: RegistryStore
) -> None:
    store.push_blob(Source(), digest=DIGEST, is_new=True)
    assert [each.method for each in local_registry.requests] == ["POST", "PUT"]
    assert not store.push_blob(Source(), digest=DIGEST, is_new=True).existed  # no harm if it is
    assert held(local_registry) == DATA


def test_a_small_blob_is_looked_up_before_it_is_sent(
    local_registry: LocalRegistry, store: RegistryStore
) -> None:
    assert not store.push_blob(Source(b"{}")).existed
    assert store.push_blob(Source(b"{}")).existed
    assert store.push_blob(Source(b"")).size == 0


def test_bytes_of_another_digest_are_never_complete_in_the_registry(
    local_registry: LocalRegistry, store: RegistryStore
) -> None:
    wrong = Digest("sha256:" + "0" * 64)
    with pytest.raises(DigestMismatch, match=f"expected digest {wrong}, found {DIGEST}"):
        store.push_blob(Source(), digest=wrong)
    assert local_registry.count("PUT", status=201) == 0
    assert sessions(local_registry) == 0


@pytest.mark.parametrize("digest", [None, DIGEST])
@pytest.mark.parametrize("rules", [Rules(), OLAREG, Rules(strict_locations=True)])
def test_an_upload_cut_at_60_percent_goes_on_from_there(
    rules: Rules, digest: Digest | None
) -> None:
    with LocalRegistry(rules) as registry, connect(registry.host) as store:
        registry.inject(Fault.cut_upload(after=SIZE * 6 // 10))
        meter = Meter()
        assert store.push_blob(Source(), digest=digest, name="x", progress=meter).digest == DIGEST
        assert held(registry) == DATA
        assert sum(each.received for each in registry.requests) == SIZE
        assert registry.count("POST") == 1
        assert meter.tasks == {"x": SIZE}


def test_an_upload_cut_often_goes_on_as_long_as_it_gets_further(
    local_registry: LocalRegistry, store: RegistryStore
) -> None:
    local_registry.inject(*(Fault.cut_upload(after=n * MIB) for n in range(1, 10)))
    assert store.push_blob(Source()).digest == DIGEST
    assert sum(each.received for each in local_registry.requests) == SIZE


def test_a_lost_session_is_begun_anew(local_registry: LocalRegistry, store: RegistryStore) -> None:
    local_registry.inject(Fault.cut_upload(after=6 * MIB, keep_session=False))
    source = Source()
    assert store.push_blob(source).digest == DIGEST
    assert held(local_registry) == DATA
    assert local_registry.count("POST") == 2


def test_a_session_forgotten_before_the_commit_is_begun_anew(
    local_registry: LocalRegistry, store: RegistryStore
) -> None:
    local_registry.inject(Fault.lose_session(skip=1))
    assert store.push_blob(Source()).digest == DIGEST
    assert held(local_registry) == DATA


def test_an_upload_that_gets_no_further_is_given_up(
    local_registry: LocalRegistry, store: RegistryStore
) -> None:
    local_registry.inject(Fault.cut_upload(after=0, times=None))
    with pytest.raises(RegistryUnreachable, match="push weights to 127"):
        store.push_blob(Source(), name="weights")
    assert local_registry.count("POST") == 5
    assert held(local_registry) is None


def test_the_pause_that_a_registry_asks_for_holds_for_uploads_too(
    local_registry: LocalRegistry, store: RegistryStore
) -> None:
    local_registry.inject(Fault.too_many_requests(retry_after=0, path="/uploads/.", times=3))
    assert store.push_blob(Source()).digest == DIGEST
    local_registry.forget()
    local_registry.inject(Fault.too_many_requests(retry_after=3600, path="/uploads/.", times=1))
    with pytest.raises(RegistryUnreachable, match="asks to wait 3600 s"):
        store.push_blob(Source())
    assert local_registry.count("PATCH") == 1


def test_a_commit_whose_answer_was_lost_is_not_repeated(
    local_registry: LocalRegistry, store: RegistryStore
) -> None:
    local_registry.content.create("team/model").blobs[str(DIGEST)] = DATA
    local_registry.inject(Fault.answer(502, methods=("PUT",)))
    assert store.push_blob(Source()).digest == DIGEST
    assert local_registry.count("PUT") == 1


def test_a_second_process_goes_on_with_what_the_journal_holds(
    local_registry: LocalRegistry, tmp_path: Path
) -> None:
    source = tmp_path / "weights"
    source.write_bytes(DATA)
    local_registry.inject(Fault.cut_upload(after=6 * MIB))
    local_registry.inject(Fault.answer(503, methods=("GET",), times=None))
    first = _push_in_a_process(local_registry.host, source, tmp_path / "journal")
    assert "the registry answered HTTP 503" in first
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "journal").glob("*.json")] == [
        0o600
    ]
    local_registry.faults.clear()
    second = _push_in_a_process(local_registry.host, source, tmp_path / "journal")
    assert second == str(DIGEST)
    assert held(local_registry) == DATA
    assert sum(each.received for each in local_registry.requests) == SIZE
    assert list((tmp_path / "journal").iterdir()) == []


_SCRIPT = """
import os, sys
from pathlib import Path
from kitline.errors import KitlineError
from kitline.oci.reference import Reference
from kitline.store.registry import RegistryOptions, RetryPolicy, open_registry
from kitline.store.source import FileStream
host, path, journal = sys.argv[1:]
class Source:
    identity = "the file"
    size = os.path.getsize(path)
    handle = os.open(path, os.O_RDONLY)
    def open(self, offset=0):
        return FileStream(self.handle, offset)
options = RegistryOptions(journal=Path(journal), retry=RetryPolicy(tries=2, least=0, most=0.01))
with open_registry(Reference.parse(host + "/team/model"), options) as store:
    try:
        print(store.push_blob(Source()).digest)
    except KitlineError as error:
        print(type(error).__name__, error)
"""


def _push_in_a_process(host: str, path: Path, journal: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, host, str(path), str(journal)],
        capture_output=True,
        text=True,
        check=False,
    )
    return (done.stdout + done.stderr).strip()


def test_a_journal_with_nonsense_is_ignored(local_registry: LocalRegistry, tmp_path: Path) -> None:
    source = Source()
    source.identity = "x"
    with connect(local_registry.host, journal=tmp_path) as store:
        local_registry.inject(Fault.cut_upload(after=MIB, times=None, keep_session=False))
        with pytest.raises(RegistryUnreachable):
            store.push_blob(source)
        local_registry.faults.clear()
        (entry,) = tmp_path.glob("*.json")
        key = json.loads(entry.read_text())["key"]
        for text in ("{", "[]", json.dumps({"key": key, "location": "file:///etc/passwd"})):
            entry.write_text(text)
            assert store.push_blob(source).digest == DIGEST


@pytest.mark.parametrize("rules", [ECR, GHCR, Rules(patch_limit=0)])
def test_a_registry_that_refuses_patches_still_gets_the_blob(rules: Rules) -> None:
    with LocalRegistry(rules) as registry, connect(registry.host) as store:
        registry.create_repository("team/model")
        assert store.push_blob(Source()).digest == DIGEST
        assert held(registry) == DATA
        assert sessions(registry) == 0


def test_a_registry_that_refused_a_patch_gets_one_put_from_then_on() -> None:
    with LocalRegistry(GHCR) as registry, connect(registry.host) as store:
        store.push_blob(Source())
        registry.forget()
        store.push_blob(Source(DATA[1:]))
        assert [each.method for each in registry.requests] == ["HEAD", "POST", "PUT"]


def test_a_session_that_ends_with_its_first_patch_is_replaced_by_one_put() -> None:
    with LocalRegistry(ECR) as registry, connect(registry.host) as store:
        registry.create_repository("team/model")
        registry.inject(Fault.lose_session(skip=1))
        assert store.push_blob(Source()).digest == DIGEST
        assert held(registry) == DATA


def test_chunks_respect_the_registrys_minimum() -> None:
    with (
        LocalRegistry(Rules(chunk_minimum=3 * MIB)) as registry,
        connect(registry.host, chunk_size=MIB) as store,
    ):
        assert store.push_blob(Source()).digest == DIGEST
        assert [each.received for each in registry.select("PATCH")] == [
            3 * MIB, 3 * MIB, 4 * MIB,
        ]  # fmt: skip


def test_a_proxy_that_limits_requests_gets_smaller_ones(
    local_registry: LocalRegistry, store: RegistryStore
) -> None:
    local_registry.inject(Fault.answer(413, methods=("PATCH",), body=b"<html>too large"))
    assert store.push_blob(Source()).digest == DIGEST
    assert len(local_registry.select("PATCH", status=202)) == 8
    local_registry.forget()
    store.push_blob(Source(DATA[1:]), digest=Digest.of(DATA[1:]))
    assert len(local_registry.select("PATCH", status=202)) == 8
    local_registry.inject(Fault.answer(413, methods=("PATCH",), body=b"<html>", times=None))
    with pytest.raises(RegistryError, match="send smaller chunks"):
        store.push_blob(Source(DATA[2:]))


def test_a_location_on_another_host_gets_no_credentials(local_registry: LocalRegistry) -> None:
    with LocalRegistry(auth=BasicAuth(), content=local_registry.content) as own:
        own.inject(Fault.foreign_upload(local_registry.host))
        with connect(own.host, username="ci", password="secret") as store:
            assert store.push_blob(Source()).digest == DIGEST
    assert local_registry.count("PATCH") == 1
    assert local_registry.authorizations == []
    assert own.authorizations


def test_a_source_that_changes_is_told_from_a_broken_network(
    local_registry: LocalRegistry, store: RegistryStore
) -> None:
    with pytest.raises(SourceChanged, match=f"it ends at byte {SIZE} of {SIZE + 1}"):
        store.push_blob(Source(size=SIZE + 1), name="weights")
    with pytest.raises(SourceChanged, match="longer"):
        store.push_blob(Source(size=SIZE - 1), name="weights")

    class Failing(Source):
        def open(self, offset: int = 0) -> Stream:
            raise OSError(5, "Input/output error")

    with pytest.raises(SourceError, match="Input/output error"):
        store.push_blob(Failing(), name="weights")
    assert sessions(local_registry) == 0


def test_a_cancelled_upload_leaves_no_session(
    local_registry: LocalRegistry, store: RegistryStore
) -> None:
    with pytest.raises(Cancelled):
        store.push_blob(Source(), progress=Meter(limit=4 * MIB))
    assert sessions(local_registry) == 0


def test_a_full_project_is_told_as_a_quota(
    local_registry: LocalRegistry, store: RegistryStore
) -> None:
    local_registry.inject(Fault.quota_exceeded())
    with pytest.raises(QuotaExceeded, match="make room or ask for a larger quota"):
        store.push_blob(Source())


def test_a_right_that_is_missing_is_named(
    local_registry: LocalRegistry, store: RegistryStore
) -> None:
    local_registry.inject(Fault.answer(403, code="DENIED", message="read only", times=None))
    with pytest.raises(RegistryError, match="read only"):
        store.push_blob(Source())


def test_a_repository_that_must_exist_first_is_named() -> None:
    with (
        LocalRegistry(Rules(must_exist=True)) as registry,
        connect(registry.host) as store,
        pytest.raises(RepositoryNotFound, match="create the repository"),
    ):
        store.push_blob(Source())


def test_documented_limits_refuse_before_the_first_byte() -> None:
    limits = limits_of("ghcr.io")
    with pytest.raises(LayerTooLarge, match="parts in the Kitfile"):
        check_size("ghcr.io", limits, 11 << 30, "weights")
    check_size("ghcr.io", limits, 1 << 30, "weights")
    assert limits_of("123.dkr.ecr.eu-west-1.amazonaws.com").monolithic
    assert limits_of("europe-docker.pkg.dev").monolithic
    assert not limits_of("localhost:5000").monolithic
    assert not limits_of("[::1]:5000").monolithic


@pytest.mark.registry
@pytest.mark.parametrize("name", ["distribution_3", "docker_registry_2", "olareg_registry"])
def test_real_registries_take_blobs_of_every_kind(
    name: str, request: pytest.FixtureRequest
) -> None:
    running: RunningRegistry = request.getfixturevalue(name)
    with connect(running.host, "upload/kinds") as store, connect(running.host, "b/a") as other:
        assert store.push_blob(Source()).digest == DIGEST
        assert store.push_blob(Source(), digest=DIGEST).existed
        assert store.push_blob(Source(DATA[:-1])).size == SIZE - 1
        known = Digest.of(DATA[1:])
        assert not store.push_blob(Source(DATA[1:]), digest=known).existed
        assert store.push_blob(Source(b"")).size == 0
        assert other.push_blob(Source(DATA[2:], size=SIZE - 2)).size == SIZE - 2
        with connect(running.host, "upload/chunks", chunk_size=4 * MIB) as chunked:
            assert chunked.push_blob(Source()).digest == DIGEST
        with pytest.raises(DigestMismatch):
            store.push_blob(Source(DATA[3:]), digest=Digest("sha256:" + "1" * 64))


@pytest.mark.registry
def test_memory_stays_at_the_size_of_the_ring(
    distribution_3: RunningRegistry, tmp_path: Path
) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(192 * MIB)
    script = _SCRIPT + (
        "import resource\nprint(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    small = tmp_path / "small"
    small.write_bytes(DATA[: 5 * MIB])
    peaks = []
    for each in (small, path):
        done = subprocess.run(
            [sys.executable, "-c", script, distribution_3.host, str(each), str(tmp_path / "j")],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ,
        )
        peaks.append(int(done.stdout.split()[-1]) >> 10)
    assert peaks[1] - peaks[0] < 16
