"""A stage is a tag that leaves room for the tags of its records and looks like no other of ours."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kitline.errors import UsageError
from kitline.oci.digest import Digest
from kitline.oci.reference import is_tag, keep_tag
from kitline.promotion.names import (
    SEQ_LIMIT,
    STAGE_LIMIT,
    check_stage,
    find_record_tag,
    record_prefix,
    record_tag,
)
from kitline.store.registry.referrer_tags import fallback_tag, tag_prefix
from kitline.trust.evidence import cosign_tag

DIGEST = Digest.of(b"record")
stages = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", fullmatch=True)
digests = st.binary(max_size=8).map(Digest.of)


@pytest.mark.parametrize("name", ["production", "champion", "v1", "a.b-c_d", "X" * STAGE_LIMIT])
def test_any_tag_can_be_a_stage(name: str) -> None:
    assert check_stage(name) == name
    assert is_tag(record_tag(name, SEQ_LIMIT, DIGEST))


@pytest.mark.parametrize(
    "name",
    [
        "",
        "-x",
        ".x",
        "a b",
        "a/b",
        "ü",
        "x" * (STAGE_LIMIT + 1),
        keep_tag(DIGEST),
        fallback_tag(DIGEST),
        cosign_tag(DIGEST, "sig"),
        tag_prefix(DIGEST) + "signature-0123456789abcdef",
        record_tag("production", 1, DIGEST),
    ],
)
def test_what_fits_no_record_or_looks_like_another_tag_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a stage"):
        check_stage(name)


def test_the_refusal_says_what_to_do() -> None:
    with pytest.raises(UsageError) as refused:
        check_stage(keep_tag(DIGEST))

    assert str(refused.value) == (
        f"'{keep_tag(DIGEST)}' cannot be a stage: it looks like the tags that kits keep for"
        " themselves; choose another name"
    )


@given(stages, st.integers(1, SEQ_LIMIT), digests)
def test_the_tag_of_a_record_reads_back(stage: str, seq: int, digest: Digest) -> None:
    tag = record_tag(stage, seq, digest)
    found = find_record_tag(tag)

    assert found is not None
    assert (found.stage, found.seq, found.hex) == (stage, seq, digest.hex[:16])
    assert str(found) == tag
    assert tag.startswith(record_prefix(stage))


@pytest.mark.parametrize(
    "tag", ["production", "production.p-0-0123456789abcdef", "p.p-1-0123456789abcde", "kit-1", ""]
)
def test_other_tags_are_none_of_records(tag: str) -> None:
    assert find_record_tag(tag) is None
