from __future__ import annotations

import pytest
from kitline.errors import KitfileError
from kitline.kit.kitfile import (
    Code,
    Dataset,
    Docs,
    Kitfile,
    McpServer,
    Model,
    Part,
    Prompt,
)
from kitline.kit.kitfile_check import check_kitfile, require_valid


def problems(kitfile: Kitfile) -> list[str]:
    return [f"{each.field}: {each.reason}" for each in check_kitfile(kitfile).problems]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/a", "is absolute"),
        ("../a", "leads out of the folder of the Kitfile"),
        ("a/../../b", "leads out"),
        ("v1..2/a", "holds '..' inside a name; kit packs it but cannot unpack it"),
        ("r:1/m", "holds ':' or '@', which kit takes for a reference"),
        ("C:m", "holds ':' or '@'"),
        ("x@y", "holds ':' or '@'"),
        ("https://x/y", "looks like an address"),
        ("//host/a", "looks like an address"),
        ("a\0b", "holds the control character '\\x00'"),
        ("a\nb", "holds the control character"),
    ],
)
def test_paths_that_kit_cannot_unpack_are_refused(path: str, reason: str) -> None:
    kitfiles = [
        Kitfile(code=(Code(path=path),)),
        Kitfile(datasets=(Dataset(path=path),)),
        Kitfile(docs=(Docs(path=path),)),
        Kitfile(prompts=(Prompt(path=path),)),
        Kitfile(model=Model(path="m", parts=(Part(path=path),))),
    ]

    for kitfile in kitfiles:
        assert reason in "".join(problems(kitfile))


@pytest.mark.parametrize("path", ["", ".", "a/", "./a", "a/../b", "é/…", "a b", ".a"])
def test_paths_below_the_folder_are_fine(path: str) -> None:
    assert problems(Kitfile(code=(Code(path=path),))) == []


def test_the_same_path_twice_is_refused_in_any_spelling() -> None:
    kitfile = Kitfile(code=(Code(path="src"),), docs=(Docs(path="./src/"),))

    assert problems(kitfile) == ["docs[0].path: 'src' is the path of code[0] too"]


def test_prompts_count_although_kit_does_not_look() -> None:
    kitfile = Kitfile(code=(Code(path="a"),), prompts=(Prompt(path="a"),))

    assert problems(kitfile) == [
        "prompts[0].path: 'a' is the path of code[0] too; kit does not look at prompts,"
        " and then unpacks one file twice"
    ]


def test_a_model_without_a_path_takes_the_whole_folder() -> None:
    assert problems(Kitfile(model=Model(name="m"), docs=(Docs(),))) == [
        "docs[0].path: '.' is the path of model too"
    ]


def test_parts_need_a_model_with_a_path() -> None:
    assert problems(Kitfile(model=Model(parts=(Part(path="a"),)))) == [
        "model.path: is missing; kit crashes when it unpacks parts of a model without a path"
    ]


def test_a_model_may_lie_in_another_kit() -> None:
    model = Model(path="registry.example.com/base:v1", parts=(Part(path="adapter"),))

    assert problems(Kitfile(model=model)) == []


def test_a_model_is_not_taken_from_a_kit_without_tag_and_digest() -> None:
    assert problems(Kitfile(model=Model(path="host:5000/base"))) == [
        "model.path: 'host:5000/base' is neither a path nor a reference to a kit with tag or digest"
    ]


def test_types_of_parts_are_short_words() -> None:
    parts = (
        Part(path="a", type="a b"),
        Part(path="b", type="x" * 65),
        Part(path="c", type="lo-ra"),
    )

    assert problems(Kitfile(model=Model(path="m", parts=parts))) == [
        "model.parts[0].type: 'a b' is not letters, digits, '_', '.' and '-'",
        "model.parts[1].type: is longer than 64 characters",
    ]


def test_remote_datasets_are_s3_objects_or_kits() -> None:
    datasets = (
        Dataset(path="a", remote_path="s3://bucket/key?versionId=1", remote_hash="etag"),
        Dataset(path="b", remote_path="s3://bucket/key"),
        Dataset(path="c", remote_path="https://example.com/x"),
        Dataset(path="d", remote_hash="etag"),
        Dataset(path="e", remote_path="registry.example.com/data"),
        Dataset(path="f", remote_path="s3://bucket", remote_hash="etag"),
    )

    assert problems(Kitfile(datasets=datasets)) == [
        "datasets[1].remoteHash: is missing; an S3 object is named by its ETag too",
        "datasets[2].remotePath: 'https://example.com/x' is neither 's3://BUCKET/KEY'"
        " nor a kit with tag or digest",
        "datasets[3].remoteHash: has no meaning without remotePath",
        "datasets[4].remotePath: 'registry.example.com/data' is neither 's3://BUCKET/KEY'"
        " nor a kit with tag or digest",
        "datasets[5].remotePath: 's3://bucket' is not 's3://BUCKET/KEY',"
        " with '?versionId=ID' if need be",
    ]


def test_nothing_lies_in_a_folder_that_another_kit_fills() -> None:
    kitfile = Kitfile(
        datasets=(Dataset(path="far", remote_path="r.io/d:v1", remote_hash="x"),),
        code=(Code(path="far/src"), Code(path="far-away")),
    )

    checked = check_kitfile(kitfile)

    assert problems(kitfile) == [
        "code[0].path: 'far/src' lies in 'far', which datasets[0] fills from a kit"
    ]
    assert checked.warnings == (
        "datasets[0].remoteHash is ignored; the reference names the content",
    )


def test_mcp_servers_are_named_bundles() -> None:
    servers = (
        McpServer(name="a", path="a.mcpb"),
        McpServer(name="a", path="b.mcpb"),
        McpServer(path="c.zip"),
    )

    assert problems(Kitfile(mcp_servers=servers)) == [
        "mcpServers[1].name: 'a' is that of mcpServers[0] too",
        "mcpServers[2].name: is missing; MCP servers are told apart by it",
        "mcpServers[2].path: 'c.zip' does not end in '.mcpb'",
    ]


def test_paths_that_differ_in_case_are_a_warning() -> None:
    kitfile = Kitfile(code=(Code(path="A"), Code(path="a")))

    assert require_valid(kitfile) == ("'A' and 'a' are one file where case does not count",)


def test_a_kitfile_made_in_python_is_checked_alike() -> None:
    with pytest.raises(KitfileError, match=r"^derived: 1 problem\n  code\[0\]\.path: '/a' is abs"):
        require_valid(Kitfile(code=(Code(path="/a"),)), "derived")
