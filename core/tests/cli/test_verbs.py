"""Each verb once, end to end, and what it prints where."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from kitline.testing.trees import SMALL_KIT, read_tree

if TYPE_CHECKING:
    from pathlib import Path

    from kitline.testing import LocalRegistry
    from kitline.testing.command_line import CommandLine

KITFILE = str(SMALL_KIT["Kitfile"])
FILES = {name for name in SMALL_KIT if name != "Kitfile"}


def files_in(folder: Path) -> set[str]:
    return {name for name, content in read_tree(folder).items() if content is not None}


def content_of(folder: Path) -> dict[str, bytes | None]:
    return {name: data for name, data in read_tree(folder).items() if name != "Kitfile"}


# pack


def test_pack_prints_the_pinned_reference_and_says_the_rest_on_stderr(
    run: CommandLine, folder: Path
) -> None:
    result = run("pack", folder, "-t", "iris:v1")

    assert result.pinned.startswith("iris@sha256:")
    assert result.stderr == f"packed {folder} (4 new, 11.0 KiB)\n"


@pytest.mark.parametrize("place", ["iris:v1", "oci:layout:v1", "oci-archive:iris.tar:v1"])
def test_pack_gives_the_same_digest_wherever_the_kit_goes(
    run: CommandLine, folder: Path, local_registry: LocalRegistry, place: str
) -> None:
    there = run("pack", folder, "-t", f"{local_registry.host}/team/iris:v1")
    here = run("pack", folder, "-t", place)

    assert here.digest == there.digest
    assert run("inspect", place).digest == here.digest
    assert run("inspect", here.pinned).digest == here.digest


def test_pack_quietly_prints_the_reference_alone(run: CommandLine, folder: Path) -> None:
    result = run("pack", folder, "-t", "iris:v1", "-q")

    assert result.pinned
    assert result.stderr == ""


def test_pack_as_json_prints_one_object(run: CommandLine, folder: Path) -> None:
    found = run("pack", folder, "-t", "iris:v1", "--json").json

    assert found["reference"] == f"iris@{found['digest']}"
    assert found["tag"] == "v1"
    assert found["previous"] is None
    assert found["receipt"]["digest"] == found["digest"]
    assert [layer["path"] for layer in found["receipt"]["layers"]] == [
        "model", "src", "data/train.csv", "README.md",
    ]  # fmt: skip


def test_pack_reads_a_kitfile_from_standard_input(run: CommandLine, folder: Path) -> None:
    (folder / "Kitfile").unlink()
    with_file = run("pack", folder, "-t", "iris:v1", "-f", "-", stdin=KITFILE)
    derived = run("pack", folder, "-t", "iris:v2")
    (folder / "Kitfile").write_text(KITFILE)

    assert with_file.digest == run("pack", folder, "-t", "iris:v3").digest
    assert derived.digest != with_file.digest


def test_pack_writes_annotations_and_leaves_the_recipe_out_on_request(
    run: CommandLine, folder: Path
) -> None:
    words = ("pack", folder, "-t", "iris:v1", "--no-recipe", "--annotation", "team=a=b")

    run(*words)

    annotations = run("inspect", "iris:v1", "--json").json["manifest"]["annotations"]
    assert annotations["team"] == "a=b"
    assert not any(key.startswith("io.kitline") for key in annotations)
    assert run(*words, "--annotation", "none").error == "--annotation 'none' is not KEY=VALUE"


# push, pull, copy


def test_push_and_pull_of_a_bare_name_mean_the_same_place(
    run: CommandLine, folder: Path, local_registry: LocalRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KITLINE_REGISTRY", f"{local_registry.host}/team")
    packed = run("pack", folder, "-t", "iris:v1")

    pushed = run("push", "iris:v1")
    run("remove", packed.pinned)
    pulled = run("pull", "iris:v1")

    assert pushed.pinned == f"{local_registry.host}/team/iris@{packed.digest}"
    assert pulled.digest == packed.digest
    assert run("inspect", "iris:v1").digest == packed.digest


def test_push_without_a_registry_says_what_to_write(run: CommandLine, folder: Path) -> None:
    run("pack", folder, "-t", "iris:v1")

    result = run("push", "iris:v1")

    assert result.code == 2
    assert "'iris:v1' names no registry" in result.error
    assert "KITLINE_REGISTRY" in result.error


def test_push_to_a_bare_name_goes_below_the_registry_too(
    run: CommandLine, folder: Path, local_registry: LocalRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("pack", folder, "-t", "iris:v1")
    refused = run("push", "iris:v1", "other:v2")
    monkeypatch.setenv("KITLINE_REGISTRY", f"{local_registry.host}/team")

    pushed = run("push", "iris:v1", "other:v2")

    assert refused.code == 2
    assert "'other:v2' names no registry" in refused.error
    assert pushed.pinned.startswith(f"{local_registry.host}/team/other@")


def test_pull_from_a_folder_needs_a_name(run: CommandLine, folder: Path) -> None:
    packed = run("pack", folder, "-t", "oci:disk:v1")

    refused = run("pull", "oci:disk:v1")
    pulled = run("pull", "oci:disk:v1", "mine:v1")

    assert refused.code == 2
    assert "'oci:disk:v1' is not a name of the local store" in refused.error
    assert pulled.digest == packed.digest


def test_push_takes_the_tag_of_the_source_where_the_target_has_none(
    run: CommandLine, folder: Path, local_registry: LocalRegistry
) -> None:
    run("pack", folder, "-t", "iris:v1")

    pushed = run("push", "iris:v1", f"{local_registry.host}/team/iris")

    assert run("inspect", f"{local_registry.host}/team/iris:v1").digest == pushed.digest


def test_pull_stores_under_another_name(
    run: CommandLine, folder: Path, local_registry: LocalRegistry
) -> None:
    packed = run("pack", folder, "-t", f"{local_registry.host}/team/iris:v1")

    run("pull", packed.pinned, "mine:latest")

    assert run("inspect", "mine:latest").digest == packed.digest


def test_a_pulled_kit_is_found_by_its_pinned_reference_without_asking_the_registry(
    run: CommandLine, folder: Path, local_registry: LocalRegistry, tmp_path: Path
) -> None:
    run("pack", folder, "-t", f"{local_registry.host}/team/iris:v1")
    pinned = run("pull", f"{local_registry.host}/team/iris:v1").pinned
    local_registry.forget()

    unpacked = run("unpack", pinned, "-d", tmp_path / "out")
    inspected = run("inspect", pinned)

    assert unpacked.pinned == inspected.pinned == pinned
    assert local_registry.requests == []


def test_copy_goes_through_a_folder_and_an_archive_and_back(
    run: CommandLine, folder: Path, local_registry: LocalRegistry
) -> None:
    packed = run("pack", folder, "-t", f"{local_registry.host}/team/iris:v1")

    stops = [
        run("copy", packed.pinned, "oci:disk:v1"),
        run("copy", "oci:disk:v1", "oci-archive:iris.tar:v1"),
        run("copy", "oci-archive:iris.tar:v1", f"{local_registry.host}/other/iris:v2"),
        run("copy", f"{local_registry.host}/other/iris:v2", "iris:v1"),
    ]

    assert [stop.digest for stop in stops] == [packed.digest] * 4


# unpack


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ((), FILES | {"Kitfile"}),
        (("model",), {"model/model.bin", "model/labels.txt"}),
        (("datasets:train",), {"data/train.csv"}),
        (("code,docs",), {"src/train.py", "README.md"}),
        (("kitfile",), {"Kitfile"}),
        (("datasets:test",), set()),
    ],
)
def test_unpack_writes_what_the_filters_choose(
    run: CommandLine, folder: Path, tmp_path: Path, filters: tuple[str, ...], expected: set[str]
) -> None:
    run("pack", folder, "-t", "iris:v1")
    out = tmp_path / "out"
    out.mkdir()

    result = run("unpack", "iris:v1", "-d", out, *(f"--filter={each}" for each in filters))

    assert result.pinned
    assert files_in(out) == expected


def test_unpack_after_pack_gives_the_same_files(
    run: CommandLine, folder: Path, tmp_path: Path
) -> None:
    run("pack", folder, "-t", "iris:v1")

    run("unpack", "iris:v1", "-d", tmp_path / "out", "--no-sync")

    assert content_of(tmp_path / "out") == content_of(folder)


def test_unpack_leaves_or_replaces_existing_files_when_told(
    run: CommandLine, folder: Path, tmp_path: Path
) -> None:
    run("pack", folder, "-t", "iris:v1")
    out = tmp_path / "out"
    out.mkdir()
    (out / "README.md").write_text("mine")

    refused = run("unpack", "iris:v1", "-d", out)
    alone = files_in(out)
    kept = run("unpack", "iris:v1", "-d", out, "-i")
    mine = (out / "README.md").read_text()
    replaced = run("unpack", "iris:v1", "-d", out, "-o")

    assert refused.code == 1
    assert "'README.md' exists" in refused.error
    assert alone == {"README.md"}
    assert (kept.pinned, mine) == (replaced.pinned, "mine")
    assert (out / "README.md").read_text() == "# iris\n"


def test_unpack_refuses_both_overwrite_and_ignore(run: CommandLine) -> None:
    result = run("unpack", "iris:v1", "-o", "-i")

    assert result.code == 2
    assert "exclude each other" in result.error


# inspect, list, diff


def test_inspect_shows_everything_as_json(run: CommandLine, folder: Path) -> None:
    packed = run("pack", folder, "-t", "iris:v1")

    found = run("inspect", "iris:v1", "--json").json

    assert set(found) == {
        "reference", "digest", "manifest", "kitfile", "layers", "parents", "referrers",
        "statements", "warnings",
    }  # fmt: skip
    assert found["digest"] == packed.digest
    assert found["kitfile"]["package"]["name"] == "iris"
    assert [layer["type"] for layer in found["layers"]] == ["model", "code", "datasets", "docs"]


def test_inspect_shows_the_kit_to_people_on_stderr(run: CommandLine, folder: Path) -> None:
    run("pack", folder, "-t", "iris:v1")

    result = run("inspect", "iris:v1")

    assert result.pinned
    assert "classifies irises" in result.stderr
    assert "data/train.csv" in result.stderr


def test_list_shows_the_local_store_and_a_registry(
    run: CommandLine, folder: Path, local_registry: LocalRegistry
) -> None:
    empty = run("list")
    packed = run("pack", folder, "-t", "iris:v1")
    run("push", "iris:v1", f"{local_registry.host}/team/iris:v2")

    local = run("list", "--json").json["kits"]
    remote = run("list", f"{local_registry.host}/team/iris", "--json").json["kits"]
    whole = run("list", f"{local_registry.host}/team/iris", "--all", "--json").json["kits"]

    assert (empty.code, empty.stdout) == (0, "")
    assert "the local store is empty" in empty.stderr
    assert [(kit["repository"], kit["tags"]) for kit in local] == [("iris", ["v1"])]
    assert [kit["tags"] for kit in remote] == [["v2"]]
    assert {len(kit["tags"]) for kit in whole} == {2}
    assert {kit["digest"] for kit in (*local, *remote)} == {packed.digest}
    assert packed.digest.removeprefix("sha256:")[:12] in run("list").stdout


def test_list_of_a_repository_that_is_not_there_says_so(
    run: CommandLine, local_registry: LocalRegistry
) -> None:
    assert "there is no repository 'nothing'" in run("list", "nothing").error
    remote = f"{local_registry.host}/team/nothing"
    assert f"there is no repository {remote!r}" in run("list", remote).error


def test_list_of_a_tag_that_is_not_there_says_so(run: CommandLine, folder: Path) -> None:
    run("pack", folder, "-t", "iris:v1")

    assert run("list", "iris:v2").stderr == "no kit is listed under 'iris:v2'\n"
    assert "v1" in run("list", "iris:v1").stdout


def test_list_says_what_is_damaged_and_shows_the_rest(
    run: CommandLine, folder: Path, isolated_home: Path
) -> None:
    packed = run("pack", folder, "-t", "iris:v1")
    run("pack", folder, "-t", "other:v1")
    run("pack", folder, "-t", "third:v1")
    store = isolated_home / "kitline/store"
    (store / "other/index.json").write_text("{")
    (store / "third/blobs/sha256" / packed.digest[7:]).unlink()

    result = run("list")
    kits = {kit["repository"]: kit for kit in run("list", "--json").json["kits"]}

    assert result.code == 0
    assert packed.digest[7:19] in result.stdout
    assert "warning: other: cannot be read: index" in result.stderr
    assert f"warning: third: {packed.digest[7:19]} cannot be read: " in result.stderr
    assert kits["iris"]["problem"] == ""
    assert kits["other"]["digest"] is None
    assert kits["third"]["digest"] == packed.digest


def change(folder: Path) -> None:
    (folder / "Kitfile").write_text(
        KITFILE.replace("depth: 3", "depth: 4\n    metrics:\n      accuracy: 0.9")
    )
    (folder / "model/labels.txt").write_text("x\n")
    (folder / "model/new.txt").write_text("n")
    (folder / "data/train.csv").unlink()
    (folder / "data/train.csv").write_text("length,width,kind\n5.1,3.5,setosa\n")


def test_diff_goes_down_to_files_parameters_and_metrics(run: CommandLine, folder: Path) -> None:
    run("pack", folder, "-t", "iris:v1")
    change(folder)
    run("pack", folder, "-t", "iris:v2")

    result = run("diff", "iris:v1", "iris:v2")

    assert (result.code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "~ parameter model.depth: 3 -> 4",
        "+ metric model.metrics.accuracy: 0.9",
        "~ file model/labels.txt: 28 B b117329546c3 -> 2 B 73cb3858a687",
        "+ file model/new.txt: 1 B 1b16b1df538b",
    ]


def test_diff_compares_layers_by_digest_when_files_are_not_wanted(
    run: CommandLine, folder: Path
) -> None:
    run("pack", folder, "-t", "iris:v1")
    change(folder)
    run("pack", folder, "-t", "iris:v2")

    lines = run("diff", "iris:v1", "iris:v2", "--no-files").stdout.splitlines()

    assert [line for line in lines if " layer " in line] == [
        "~ layer model:model: 4.0 KiB 4b06e48d02c0 -> 5.0 KiB 11ed532dcef6"
    ]


def test_diff_keeps_whole_digests_in_json(run: CommandLine, folder: Path) -> None:
    run("pack", folder, "-t", "iris:v1")
    change(folder)
    run("pack", folder, "-t", "iris:v2")

    changes = run("diff", "iris:v1", "iris:v2", "--json").json["changes"]

    labels = next(each for each in changes if each["name"] == "model/labels.txt")
    assert labels["before"] == {
        "digest": "sha256:b117329546c307bfa3c18aa7998d75ed198740310f0a24a8abfb07d6c4c79e92",
        "size": 28,
        "mode": "0644",
    }


def test_diff_tells_by_its_exit_code_when_asked(run: CommandLine, folder: Path) -> None:
    run("pack", folder, "-t", "iris:v1")
    (folder / "README.md").write_text("# other\n")
    run("pack", folder, "-t", "iris:v2")

    assert run("diff", "iris:v1", "iris:v2").code == 0
    assert run("diff", "iris:v1", "iris:v2", "--exit-code").code == 1
    same = run("diff", "iris:v1", "iris:v1", "--exit-code")
    assert (same.code, same.stdout, same.stderr) == (0, "", "no difference\n")


def test_diff_says_nothing_of_empty_maps(run: CommandLine, folder: Path) -> None:
    run("pack", folder, "-t", "iris:v1")
    (folder / "Kitfile").write_text(KITFILE.partition("package:")[0] + "model:\n  path: model\n")
    run("pack", folder, "-t", "iris:v2")

    assert "{}" not in run("diff", "iris:v1", "iris:v2").stdout


# tag, remove


def test_tag_says_where_a_moved_tag_pointed(run: CommandLine, folder: Path) -> None:
    first = run("pack", folder, "-t", "iris:v1")
    run("tag", "iris:v1", "prod")
    (folder / "README.md").write_text("# other\n")
    second = run("pack", folder, "-t", "iris:v2")

    moved = run("tag", "iris:v2", "iris:prod")
    again = run("tag", "iris:v2", "prod")
    refused = run("tag", "iris:v1", "prod", "--no-move")

    assert moved.pinned == second.pinned
    assert f"tag 'prod' moved here from {first.digest}" in moved.stderr
    assert "moved" not in again.stderr
    assert refused.code == 1
    assert "tag 'prod' of 'iris'" in refused.error
    assert run("inspect", "iris:prod").digest == second.digest


def test_tag_stays_in_its_repository(run: CommandLine, folder: Path) -> None:
    run("pack", folder, "-t", "iris:v1")

    assert "use 'kitline copy'" in run("tag", "iris:v1", "other:v1").error
    assert run("tag", "iris:v1", "no/tag").code == 2


def test_remove_takes_a_tag_or_the_whole_kit(run: CommandLine, folder: Path) -> None:
    packed = run("pack", folder, "-t", "iris:v1")
    run("tag", "iris:v1", "prod")

    tag = run("remove", "iris:prod")
    kept = run("inspect", packed.pinned)
    whole = run("remove", packed.pinned, "--json").json

    assert tag.pinned == kept.pinned == packed.pinned
    assert "the kit is still there" in tag.stderr
    assert whole["removedTags"] == ["v1"]
    assert whole["contentRemoved"] is True
    assert "has no manifest" in run("inspect", packed.pinned).error
    assert run("list", "--json").json == {"kits": []}


def test_list_and_remove_quietly_print_the_result_alone(run: CommandLine, folder: Path) -> None:
    empty = run("list", "-q")
    run("pack", folder, "-t", "iris:v1")
    listed = run("list", "-q")
    removed = run("remove", "iris:v1", "-q")

    assert (empty.code, empty.stdout, empty.stderr) == (0, "", "")
    assert "v1" in listed.stdout
    assert removed.pinned
    assert (listed.stderr, removed.stderr) == ("", "")


def test_remove_of_a_bare_repository_is_refused(run: CommandLine) -> None:
    assert run("remove", "iris").code == 2


# config, completion


def test_config_shows_every_setting_with_its_origin(
    run: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KITLINE_REGISTRY", "registry.example/team")

    rows = {row["name"]: row for row in run("config", "--json").json["settings"]}

    assert rows["registry"]["value"] == "registry.example/team"
    assert rows["registry"]["origin"] == "environment KITLINE_REGISTRY"
    assert "registry = registry.example/team" in run("config").stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(
    run: CommandLine, shell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run("completion", shell)

    assert result.code == 0
    assert "_KITLINE_COMPLETE" in result.stdout


def test_completion_knows_verbs_and_options(
    run: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_KITLINE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "kitline unp")
    monkeypatch.setenv("COMP_CWORD", "1")

    assert "unpack" in run().stdout


def test_json_output_is_one_object_for_every_verb_that_offers_it(
    run: CommandLine, folder: Path
) -> None:
    packed = run("pack", folder, "-t", "iris:v1", "--json").json
    outputs = [
        run("inspect", "iris:v1", "--json"),
        run("list", "--json"),
        run("diff", "iris:v1", "iris:v1", "--json"),
        run("tag", "iris:v1", "prod", "--json"),
        run("copy", "iris:v1", "oci:disk:v1", "--json"),
        run("unpack", "iris:v1", "-d", "out", "--json"),
        run("plugins", "--json"),
        run("doctor", "--json"),
        run("config", "--json"),
        run("remove", packed["reference"], "--json"),
    ]

    assert [json.loads(output.stdout) and output.stderr for output in outputs] == [""] * 10
