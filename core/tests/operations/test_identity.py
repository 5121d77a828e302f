"""Same content, same digest; what is there is not sent again; tags move in the open."""

from __future__ import annotations

from typing import TYPE_CHECKING

import kitline
import pytest
from kitline.testing import Fault, LocalRegistry, Rules
from kitline.testing.trees import read_tree

if TYPE_CHECKING:
    from pathlib import Path

    from kitline.operations.inspect import Inspection
    from kitline.operations.results import KitResult
    from kitline.operations.unpack import UnpackResult
    from kitline.testing.command_line import CommandLine

READS = {"GET", "HEAD"}


def methods(registry: LocalRegistry) -> set[str]:
    return {request.method for request in registry.requests}


def change(folder: Path) -> None:
    (folder / "README.md").write_text("# other\n")


@pytest.mark.parametrize("rehash", [(), ("--rehash",)])
def test_packing_again_sends_head_requests_only(
    run: CommandLine, folder: Path, local_registry: LocalRegistry, rehash: tuple[str, ...]
) -> None:
    first = run("pack", folder, "-t", f"{local_registry.host}/team/iris:v1")
    local_registry.forget()

    again = run("pack", folder, "-t", f"{local_registry.host}/team/iris:v1", *rehash)

    assert again.pinned == first.pinned
    assert methods(local_registry) == {"HEAD"}
    assert "4 there already" in again.stderr


def test_pushing_again_sends_head_requests_only(
    run: CommandLine, folder: Path, local_registry: LocalRegistry
) -> None:
    run("pack", folder, "-t", "iris:v1")
    run("push", "iris:v1", f"{local_registry.host}/team/iris")
    local_registry.forget()

    run("push", "iris:v1", f"{local_registry.host}/team/iris")

    assert methods(local_registry) == {"HEAD"}


def test_pulling_again_fetches_no_blob(
    run: CommandLine, folder: Path, local_registry: LocalRegistry
) -> None:
    name = f"{local_registry.host}/team/iris:v1"
    run("pack", folder, "-t", name)
    run("pull", name)
    local_registry.forget()

    run("pull", name)

    assert methods(local_registry) <= READS
    assert local_registry.count("GET", r"/blobs/") == 0


def test_only_what_changed_is_sent(
    run: CommandLine, folder: Path, local_registry: LocalRegistry
) -> None:
    run("pack", folder, "-t", f"{local_registry.host}/team/iris:v1")
    change(folder)

    result = run("pack", folder, "-t", f"{local_registry.host}/team/iris:v2")

    assert "1 new, 2.0 KiB; 3 there already" in result.stderr


def test_a_tag_that_moves_says_where_it_pointed(
    run: CommandLine, folder: Path, local_registry: LocalRegistry
) -> None:
    name = f"{local_registry.host}/team/iris:v1"
    first = run("pack", folder, "-t", name)
    change(folder)

    moved = run("pack", folder, "-t", name)
    moved_again = run("pack", folder, "-t", name)

    assert f"tag 'v1' moved here from {first.digest}" in moved.stderr
    assert "moved" not in moved_again.stderr


def test_no_move_refuses_and_leaves_the_tag(
    run: CommandLine, folder: Path, local_registry: LocalRegistry
) -> None:
    name = f"{local_registry.host}/team/iris:v1"
    first = run("pack", folder, "-t", name)
    same = run("pack", folder, "-t", name, "--no-move")
    change(folder)

    refused = run("pack", folder, "-t", name, "--no-move")

    assert same.pinned == first.pinned
    assert refused.code == 1
    assert "tag 'v1'" in refused.error
    assert run("inspect", name).digest == first.digest


@pytest.mark.parametrize("kind", ["ecr", "harbor"])
def test_on_immutable_tags_the_same_content_is_no_error_and_no_write(
    run: CommandLine, folder: Path, kind: str
) -> None:
    rules = Rules(immutable_tags="ecr" if kind == "ecr" else "harbor")
    with LocalRegistry(rules) as registry:
        name = f"{registry.host}/team/iris:v1"
        first = run("pack", folder, "-t", name)
        registry.forget()
        again = run("pack", folder, "-t", name)
        pushed = run("copy", name, name)
        seen = methods(registry)
        change(folder)
        other = run("pack", folder, "-t", name)
        found = run("inspect", name)

    assert first.pinned == again.pinned == pushed.pinned == found.pinned
    assert seen <= READS
    assert other.code == 1
    assert "'v1'" in other.error
    assert "tag immutability is switched on" in other.error


def test_each_push_leaves_a_keep_tag_that_never_moves(
    run: CommandLine, folder: Path, local_registry: LocalRegistry
) -> None:
    name = f"{local_registry.host}/team/iris"
    first = run("pack", folder, "-t", f"{name}:v1")
    change(folder)
    second = run("pack", folder, "-t", f"{name}:v1")
    keep = {f"kit-{each.digest[7:39]}": each.digest for each in (first, second)}

    tags = local_registry.content.create("team/iris").tags

    assert tags == {**keep, "v1": second.digest}


@pytest.mark.parametrize("verb", ["pack", "push", "copy"])
def test_no_keep_tag_is_left_when_told(
    run: CommandLine, folder: Path, local_registry: LocalRegistry, verb: str
) -> None:
    run("pack", folder, "-t", "iris:v1")
    target = f"{local_registry.host}/team/iris:v1"
    words = {"pack": (folder, "-t", target)}.get(verb, ("iris:v1", target))

    run(verb, *words, "--no-keep-tag")

    assert set(local_registry.content.create("team/iris").tags) == {"v1"}


@pytest.mark.parametrize("verb", ["pull", "unpack", "copy", "inspect"])
def test_a_tag_that_moves_meanwhile_does_not_change_what_is_read(
    run: CommandLine, folder: Path, local_registry: LocalRegistry, tmp_path: Path, verb: str
) -> None:
    name = f"{local_registry.host}/team/iris"
    first = run("pack", folder, "-t", f"{name}:v1")
    before = read_tree(folder)["README.md"]
    change(folder)
    second = run("pack", folder, "-t", f"{name}:v2")
    local_registry.inject(Fault.move_tag("v1", second.digest))
    more = {"unpack": ("-d", tmp_path / "out"), "copy": ("oci:disk:v1",)}

    result = run(verb, f"{name}:v1", *more.get(verb, ()))

    assert result.digest == first.digest
    run("unpack", result.pinned, "-d", tmp_path / "out", "-o")
    assert (tmp_path / "out/README.md").read_bytes() == before


def test_a_pushed_kit_without_a_tag_is_kept_by_its_own_tag(
    run: CommandLine, folder: Path, local_registry: LocalRegistry
) -> None:
    packed = run("pack", folder, "-t", f"{local_registry.host}/team/iris")

    assert packed.pinned
    assert list(local_registry.content.create("team/iris").tags) == [f"kit-{packed.digest[7:39]}"]


def test_every_verb_returns_the_digest_and_reads_as_the_pinned_reference(
    folder: Path, local_registry: LocalRegistry, tmp_path: Path
) -> None:
    packed = kitline.pack(folder, "iris:v1")
    pushed = kitline.push(packed.reference, f"{local_registry.host}/team/iris:v1")
    pulled = kitline.pull(pushed.reference, "mine:v1")
    results: list[KitResult | Inspection | UnpackResult] = [
        packed,
        pushed,
        pulled,
        kitline.copy("mine:v1", "oci:disk:v1"),
        kitline.tag("iris:v1", "prod"),
        kitline.inspect("iris:prod"),
        kitline.unpack(pushed.reference, tmp_path / "out"),
    ]

    assert {result.digest for result in results} == {packed.digest}
    assert all(str(result) == str(result.reference) for result in results)
    assert str(pushed) == f"{local_registry.host}/team/iris@{packed.digest}"
    assert [kit.tags for kit in kitline.list_("iris")] == [("prod", "v1")]
    assert kitline.diff("iris:v1", str(pulled)).changes == ()
    assert kitline.remove("iris:prod").tags == ("prod",)


def test_the_public_names_are_those_of_all() -> None:
    assert dir(kitline) == sorted(kitline.__all__)
    assert all(getattr(kitline, name) is not None for name in kitline.__all__)
