"""The layer memo: which fingerprints may be trusted."""

from __future__ import annotations

from kitline.kit.memo import is_settled

NOW = 1_000_000.0


def test_a_file_that_was_written_just_now_is_not_settled() -> None:
    just_now = int((NOW - 0.01) * 1e9) + 1
    assert not is_settled([(1, 2, 3, just_now, just_now)], NOW)
    assert is_settled([(1, 2, 3, just_now, just_now)], NOW + 1)


def test_a_fingerprint_that_names_content_is_settled_at_any_time() -> None:
    assert is_settled([("dvc-md5", "d41d8cd98f00b204e9800998ecf8427e")], NOW)
