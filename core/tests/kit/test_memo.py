"""The layer memo: which fingerprints may be trusted, and when it is made."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from kitline.kit.memo import SqliteMemo, is_settled
from kitline.oci.digest import Digest

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_000_000.0


def test_a_file_that_was_written_just_now_is_not_settled() -> None:
    just_now = int((NOW - 0.01) * 1e9) + 1
    assert not is_settled([(1, 2, 3, just_now, just_now)], NOW)
    assert is_settled([(1, 2, 3, just_now, just_now)], NOW + 1)


def test_a_fingerprint_that_names_content_is_settled_at_any_time() -> None:
    assert is_settled([("dvc-md5", "d41d8cd98f00b204e9800998ecf8427e")], NOW)


def test_a_search_makes_no_memo_and_whoever_is_to_remember_may_have_it_made_before(
    tmp_path: Path,
) -> None:
    path = tmp_path / "cache" / "memo.sqlite"

    with closing(SqliteMemo(path)) as memo:
        assert memo.find("tar-2/a") is None
        assert not path.parent.exists()
        memo.make()
        assert path.exists()
        memo.remember("tar-2/a", Digest.of(b"a"))
        assert memo.find("tar-2/a") == Digest.of(b"a")


@pytest.mark.parametrize("folder", ["cache", "c" * 300])
def test_a_memo_that_cannot_be_made_is_as_good_as_an_empty_one(tmp_path: Path, folder: str) -> None:
    (tmp_path / "cache").write_text("no folder")

    with closing(SqliteMemo(tmp_path / folder / "memo.sqlite")) as memo:
        memo.make()
        memo.remember("tar-2/a", Digest.of(b"a"))
        assert memo.find("tar-2/a") is None
