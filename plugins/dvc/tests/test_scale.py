"""Large datasets in partitions: what a change uploads is counted at the registry.

The caches are written here and not by `dvc add`, as DVC would write them: objects by md5, a `.dir`
object, a `.dvc` file. Many names share few contents, so that a hundred thousand files take no room.
"""

from __future__ import annotations

import json
from hashlib import md5, sha256
from typing import TYPE_CHECKING

import kitline
import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kitline.testing.registry import LocalRegistry

    from conftest import DvcRepository

pytestmark = pytest.mark.slow


def track(repository: DvcRepository, path: str, rows: Mapping[str, bytes], tag: str) -> None:
    """Commit a path whose files the cache holds, and nothing else does."""
    names = {content: md5_of(content) for content in set(rows.values())}
    for content, name in names.items():
        put(repository, name, content)
    listed = [
        {"md5": names[rows[each]], "relpath": each}
        for each in sorted(rows, key=lambda each: each.split("/"))
    ]
    raw = json.dumps(listed, sort_keys=True).encode()
    put(repository, f"{md5_of(raw)}.dir", raw)
    out = {"md5": f"{md5_of(raw)}.dir", "nfiles": len(rows), "hash": "md5", "path": path}
    (repository.root / f"{path}.dvc").write_text(json.dumps({"outs": [out]}))
    repository.commit(tag, tag)


def md5_of(content: bytes) -> str:
    return md5(content, usedforsecurity=False).hexdigest()


def put(repository: DvcRepository, name: str, content: bytes) -> None:
    target = repository.cached(name)
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        target.chmod(0o444)


def contents(count: int, size: int) -> list[bytes]:
    return [sha256(b"%d" % each).digest() * (size // 32) for each in range(count)]


def uploaded(registry: LocalRegistry) -> int:
    """Return the bytes of all bodies that the registry took since it was last asked."""
    total = sum(each.received for each in registry.requests)
    registry.forget()
    return total


def layers(reference: str) -> list[str]:
    return [str(each.digest) for each in kitline.inspect(reference).kit.manifest.layers]


def test_two_changed_directories_of_two_hundred_upload_two_percent_at_most(
    repository: DvcRepository, local_registry: LocalRegistry
) -> None:
    some = contents(500, 1024)
    rows = {f"{n % 200:03}/{n:05}.bin": some[n % 499] for n in range(20_000)}
    track(repository, "many", rows, "many-1")
    changed = {path: some[499] for path in rows if path.startswith(("017/", "150/"))}
    assert len(changed) == 200
    track(repository, "many", {**rows, **changed}, "many-2")
    options = {"repo": str(repository.root), "split": "directory"}
    target = f"{local_registry.host}/team/many:v1"

    kitline.import_("dvc:many@many-1", target, options=options)
    whole = uploaded(local_registry)
    before = layers(target)
    local_registry.forget()
    kitline.import_("dvc:many@many-2", target, options=options)

    assert uploaded(local_registry) <= whole * 0.02
    after = layers(target)
    assert len(before) == len(after) == 200
    assert len(set(after) - set(before)) == 2


def parts(names: list[str], average: int) -> set[tuple[str, ...]]:
    """Cut names as the documentation says: a border follows a sha256 that ends in zero bits."""
    found: list[list[str]] = [[]]
    for name in sorted(names):
        found[-1].append(name)
        if int.from_bytes(sha256(name.encode()).digest()) % average == 0:
            found.append([])
    return {tuple(each) for each in found if each}


def test_ten_of_a_hundred_thousand_files_upload_the_partitions_they_touch(
    repository: DvcRepository, local_registry: LocalRegistry
) -> None:
    some = contents(100, 64)
    rows = {f"{n:06}.jpg": some[n % 100] for n in range(100_000)}
    track(repository, "many", rows, "many-1")
    added = {f"{n:06}b.jpg": some[0] for n in range(5_000, 100_000, 10_000)}
    assert len(added) == 10
    track(repository, "many", {**rows, **added}, "many-2")
    old, new = parts([*rows], 1024), parts([*rows, *added], 1024)
    options = {"repo": str(repository.root), "split": "files:1024"}
    target = f"{local_registry.host}/team/many:v1"

    kitline.import_("dvc:many@many-1", target, options=options)
    before = layers(target)
    local_registry.forget()
    kitline.import_("dvc:many@many-2", target, options=options)

    after = layers(target)
    assert (len(before), len(after)) == (len(old), len(new))
    assert len(set(after) - set(before)) == len(new - old) <= 10
    assert len(set(before) - set(after)) == len(old - new) <= 10
    touched = sum(len(each) for each in new - old)
    assert uploaded(local_registry) <= touched * 1024 + 200 * len(after) * 10
