"""References: what they name, and every malformed spelling refused with the part at fault."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kitline.errors import AmbiguousReference, InvalidReference
from kitline.oci.digest import Digest
from kitline.oci.reference import LayoutReference, PinnedReference, Reference, parse_reference

DIGEST = "sha256:" + "0123456789abcdef" * 4

components = st.from_regex(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*", fullmatch=True).filter(
    lambda text: len(text) < 30
)
registries = st.sampled_from(
    [None, "localhost", "localhost:5000", "reg.example", "127.0.0.1:8080", "[::1]:5000"]
)
tags = st.none() | st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", fullmatch=True)
digests = st.none() | st.binary().map(Digest.of)


@given(registries, st.lists(components, min_size=1, max_size=4), tags, digests)
def test_a_reference_reads_back_as_itself(
    registry: str | None, path: list[str], tag: str | None, digest: Digest | None
) -> None:
    if registry is None and ("." in path[0] or path[0] == "localhost"):
        path = ["team", *path]
    reference = Reference(registry=registry, repository="/".join(path), tag=tag, digest=digest)

    assert Reference.parse(str(reference)) == reference


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        reference = parse_reference(text)
    except InvalidReference:
        return
    assert parse_reference(str(reference)) == reference


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "text"),
        ("iris v1", "text"),
        ("iris\n", "text"),
        ("iris\x00:v1", "text"),
        ("iris\x7f", "text"),
        ("https://reg.example/iris", "text"),
        ("Iris", "repository"),
        ("reg.example/Team/iris", "repository"),
        ("reg.example/", "repository"),
        ("a..b", "repository"),
        ("-a", "repository"),
        ("a//b", "repository"),
        ("../a", "registry"),
        ("a/../b", "repository"),
        ("é", "repository"),
        ("iris:", "tag"),
        ("iris:.v1", "tag"),
        ("iris:-v1", "tag"),
        ("iris:" + "x" * 129, "tag"),
        ("iris@", "digest"),
        ("iris@sha256:12", "digest"),
        ("iris@" + DIGEST.upper(), "digest"),
        ("iris@" + DIGEST + "@" + DIGEST, "digest"),
        ("reg.example:99999/iris", "registry"),
        ("reg.example:x/iris", "registry"),
        ("reg..example/iris", "registry"),
        ("user:secret@reg.example/iris", "digest"),
        ("[::zz]:5000/iris", "registry"),
        ("a" * 256, "name"),
    ],
)
def test_a_malformed_reference_names_the_part(text: str, part: str) -> None:
    with pytest.raises(InvalidReference) as refusal:
        Reference.parse(text)

    assert refusal.value.part == part


def test_a_first_segment_with_dot_colon_or_localhost_is_a_registry() -> None:
    assert Reference.parse("reg.example/iris").registry == "reg.example"
    assert Reference.parse("host:5000/iris").registry == "host:5000"
    assert Reference.parse("localhost/iris").registry == "localhost"
    assert Reference.parse("team/iris").registry is None


def test_latest_is_never_assumed() -> None:
    with pytest.raises(AmbiguousReference, match="write 'iris:TAG' or 'iris@sha256:…'"):
        Reference.parse("iris").require_target()


def test_a_digest_wins_over_a_tag() -> None:
    assert Reference.parse(f"iris:v1@{DIGEST}").require_target() == Digest(DIGEST)


def test_a_pinned_reference_needs_a_digest_and_drops_the_tag() -> None:
    assert str(PinnedReference.parse(f"reg.example/iris:v1@{DIGEST}")) == (
        f"reg.example/iris@{DIGEST}"
    )
    with pytest.raises(InvalidReference) as refusal:
        PinnedReference.parse("reg.example/iris:v1")
    assert refusal.value.part == "digest"


@pytest.mark.parametrize(
    ("text", "path", "tag"),
    [
        ("oci:kits/iris", "kits/iris", None),
        ("oci:kits/iris:v1", "kits/iris", "v1"),
        ("oci:/media/usb stick/iris:v1", "/media/usb stick/iris", "v1"),
        ("oci-archive:iris.tar:v1", "iris.tar", "v1"),
        ("oci:a:b/c", "a:b/c", None),
    ],
)
def test_a_layout_is_named_by_path_and_tag(text: str, path: str, tag: str | None) -> None:
    reference = LayoutReference.parse(text)

    assert (reference.path, reference.tag) == (Path(path), tag)


def test_a_layout_is_named_by_path_and_digest() -> None:
    reference = LayoutReference.parse(f"oci:kits/iris@{DIGEST}")

    assert (reference.path, reference.digest) == (Path("kits/iris"), Digest(DIGEST))
    assert str(reference) == f"oci:kits/iris@{DIGEST}"


@pytest.mark.parametrize("text", ["oci:", "oci:@" + DIGEST, "oci:a\x00b", "layout:x"])
def test_a_malformed_layout_is_refused(text: str) -> None:
    with pytest.raises(InvalidReference):
        LayoutReference.parse(text)


@pytest.mark.parametrize(
    "text", ["me:hunter2@host.example/team/x:v1", "https://me:hunter2@host.example/team/x:v1"]
)
def test_a_password_that_was_typed_into_a_reference_is_not_shown(text: str) -> None:
    with pytest.raises(InvalidReference) as caught:
        Reference.parse(text)

    assert "hunter2" not in str(caught.value)
    assert "host.example/team/x" in str(caught.value)
