from __future__ import annotations

import pytest
from kitline.kit.kitfile import (
    Code,
    Dataset,
    Docs,
    Kitfile,
    McpServer,
    Model,
    Part,
    Prompt,
    clean_path,
    is_reference,
)

EVERYTHING = Kitfile(
    mcp_servers=(McpServer(name="srv", path="srv.mcpb"),),
    prompts=(Prompt(path="p.txt"),),
    docs=(Docs(),),
    datasets=(
        Dataset(name="far", path="far", remote_path="registry.example.com/d:v1"),
        Dataset(name="near", path="./near/"),
    ),
    code=(Code(path="src/"),),
    model=Model(name="m", path="./model.bin", parts=(Part(path="a"), Part(path="b"))),
)


def test_parts_come_in_the_order_of_the_layers() -> None:
    found = [(part.field, part.drawer, part.base, part.clean_path) for part in EVERYTHING.parts()]

    assert found == [
        ("model", "model", "model", "model.bin"),
        ("model.parts[0]", "model", "modelpart", "a"),
        ("model.parts[1]", "model", "modelpart", "b"),
        ("code[0]", "code", "code", "src"),
        ("datasets[1]", "datasets", "dataset", "near"),
        ("docs[0]", "docs", "docs", "."),
        ("prompts[0]", "prompts", "code", "p.txt"),
        ("mcpServers[0]", "mcpservers", "mcpb", "srv.mcpb"),
    ]


def test_a_part_keeps_the_spelling_of_its_path() -> None:
    assert [part.path for part in EVERYTHING.parts()][3:6] == ["src/", "./near/", ""]


def test_prompts_are_told_from_code() -> None:
    assert [part.field for part in EVERYTHING.parts() if part.is_prompt] == ["prompts[0]"]


def test_remote_entries_are_no_parts() -> None:
    kitfile = Kitfile(
        model=Model(path="registry.example.com/base:v1", parts=(Part(path="adapter"),)),
        datasets=(Dataset(name="far", remote_path="s3://bucket/key", remote_hash="etag"),),
    )

    assert [part.field for part in kitfile.parts()] == ["model.parts[0]"]
    assert [(each.field, each.target, each.hash) for each in kitfile.remotes()] == [
        ("model", "registry.example.com/base:v1", ""),
        ("datasets[0]", "s3://bucket/key", "etag"),
    ]


def test_a_model_without_a_path_is_no_part() -> None:
    assert Kitfile(model=Model(name="m")).parts() == ()


def test_digests_are_set_by_field() -> None:
    digests = {part.field: (f"digest {part.field}", "d") for part in EVERYTHING.parts()}

    found = EVERYTHING.with_digests(digests)

    assert {part.field: (part.digest, part.diff_id) for part in found.parts()} == digests
    assert found.datasets[0].digest is None


def test_digests_of_other_entries_stay() -> None:
    once = EVERYTHING.with_digests({"code[0]": ("first", "first")})

    twice = once.with_digests({"docs[0]": ("second", None)})

    assert twice.code[0].digest == "first"
    assert (twice.docs[0].digest, twice.docs[0].diff_id) == ("second", None)


@pytest.mark.parametrize(
    ("path", "cleaned"),
    [
        ("", "."),
        ("./a/", "a"),
        ("d/../a", "a"),
        ("d//c", "d/c"),
        ("..", ".."),
        ("a/../../b", "../b"),
        ("/a/..", "/"),
        ("//a", "/a"),
        ("/..", "/"),
    ],
)
def test_paths_are_cleaned_as_by_go(path: str, cleaned: str) -> None:
    assert clean_path(path) == cleaned


@pytest.mark.parametrize("path", ["base:v1", "r.io/a/b:v1", f"r.io/a@sha256:{'0' * 64}"])
def test_a_reference_has_a_tag_or_a_digest(path: str) -> None:
    assert is_reference(path)


@pytest.mark.parametrize("path", ["", "model", "host:5000/x", "./C:m", "D/r:1", "x@y", "s3://a/b"])
def test_other_paths_are_no_references(path: str) -> None:
    assert not is_reference(path)
