"""When something is wrong: one clear sentence, the right exit code, and nothing left behind."""

from __future__ import annotations

import json
import os
import re
import socket
from typing import TYPE_CHECKING, Any

import pytest
from kitline.store.registry import limits
from kitline.store.registry.retry import Patience
from kitline.testing import Fault, LocalRegistry, Rules
from kitline.testing.content import IMAGE_INDEX, digest_of
from kitline.testing.trees import Link, read_tree, write_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from kitline.testing.command_line import CommandLine, Outcome

    Edit = Callable[[dict[str, Any]], None]

pytestmark = pytest.mark.usefixtures("quick_retries")


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries wait no time here."""
    defaults = Patience.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "sleep", lambda _seconds: None)


@pytest.fixture
def name(run: CommandLine, folder: Path, local_registry: LocalRegistry) -> str:
    """A kit in a registry."""
    name = f"{local_registry.host}/team/iris:v1"
    assert run("pack", folder, "-t", name).pinned
    local_registry.forget()
    return name


@pytest.fixture
def untouched(run: CommandLine, tmp_path: Path, folder: Path) -> Iterator[Path]:
    """A target folder; at the end nothing is there or beside it, and the local store is empty."""
    around = tmp_path / "around"
    around.mkdir()
    yield around / "out"
    assert read_tree(around) == {}
    assert run("list", "--json").json == {"kits": []}


def failed(result: Outcome, code: int, *parts: str) -> None:
    """Assert one error, with an exit code and with words in it."""
    assert result.code == code, result
    assert result.stdout == ""
    for part in parts:
        assert part in result.error


# content that is damaged here


@pytest.mark.parametrize("at", [0, 512, -1], ids=["header", "file", "end"])
@pytest.mark.parametrize("place", ["iris:v1", "oci:layout:v1"])
def test_a_damaged_layer_of_this_disk_is_named_with_its_file(
    run: CommandLine, folder: Path, tmp_path: Path, isolated_home: Path, place: str, at: int
) -> None:
    run("pack", folder, "-t", place)
    layer = run("inspect", place, "--json").json["layers"][0]["digest"].removeprefix("sha256:")
    (blob,) = [*tmp_path.rglob(layer), *isolated_home.rglob(layer)]
    damaged = bytearray(blob.read_bytes())
    damaged[at] ^= 1
    blob.write_bytes(damaged)

    result = run("unpack", place, "-d", "out")

    advice = "(damaged: remove that file and get it again)"
    failed(result, 3, "layer 'model' in ", f"/blobs/sha256/{layer}' {advice}")
    assert not (tmp_path / "out").exists()


# registries that fail


def closed_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@pytest.mark.parametrize("verb", ["pull", "unpack", "inspect", "list"])
def test_a_registry_that_is_down(run: CommandLine, untouched: Path, verb: str) -> None:
    host = closed_port()

    result = run(verb, f"{host}/team/iris:v1")

    failed(result, 1, host)


def test_packing_into_a_registry_that_is_down(run: CommandLine, folder: Path) -> None:
    host = closed_port()

    failed(run("pack", folder, "-t", f"{host}/team/iris:v1"), 1, host)


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_registry_that_only_answers_with_errors(
    run: CommandLine, untouched: Path, name: str, local_registry: LocalRegistry, status: int
) -> None:
    local_registry.inject(Fault.answer(status, times=None))

    failed(run("unpack", name, "-d", untouched), 1, str(status))
    failed(run("pull", name), 1, str(status))


def test_a_registry_that_refuses_to_take_more(run: CommandLine, folder: Path) -> None:
    with LocalRegistry(Rules(quota=1000)) as registry:
        result = run("pack", folder, "-t", f"{registry.host}/team/iris:v1")
        tags = registry.content.create("team/iris").tags

    failed(result, 1, "upper limit", "make room or ask for a larger quota")
    assert "kitline login" not in result.error
    assert tags == {}


@pytest.mark.parametrize("verb", ["pack", "push"])
def test_one_layer_over_a_registry_s_limit_stops_all_before_the_first_byte(
    run: CommandLine,
    folder: Path,
    local_registry: LocalRegistry,
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
) -> None:
    here = re.compile(r"127\.0\.0\.1\Z")
    monkeypatch.setattr(limits, "_KNOWN", ((here, limits.Limits(layer=3000)),))
    write_tree(folder, {"src/large.py": b"#" * 4000})
    run("pack", folder, "-t", "iris:v1")
    name = f"{local_registry.host}/team/iris:v1"

    result = run("pack", folder, "-t", name) if verb == "pack" else run("push", "iris:v1", name)

    failed(result, 1, "more than the 3000 that 127.0.0.1", "one layer each")
    assert local_registry.count("POST") == 0


def test_a_repository_that_must_exist_first(run: CommandLine, folder: Path) -> None:
    with LocalRegistry(Rules(must_exist=True)) as registry:
        result = run("pack", folder, "-t", f"{registry.host}/team/iris:v1")

    failed(result, 1, "team/iris")


@pytest.mark.parametrize(
    "fault",
    [Fault.wrong_bytes(times=None), Fault.truncated(times=None), Fault.over_long(times=None)],
)
@pytest.mark.parametrize("verb", ["pull", "unpack"])
def test_content_that_is_not_what_its_digest_promises(
    run: CommandLine,
    untouched: Path,
    name: str,
    local_registry: LocalRegistry,
    verb: str,
    fault: Fault,
) -> None:
    local_registry.inject(fault)
    words = ("-d", untouched) if verb == "unpack" else ()

    result = run(verb, name, *words)

    failed(result, 3, "sha256:")


def test_a_layer_that_is_wrong_in_the_middle_leaves_no_file(
    run: CommandLine, untouched: Path, name: str, local_registry: LocalRegistry
) -> None:
    layer = run("inspect", name, "--json").json["layers"][0]["digest"]
    local_registry.inject(Fault.wrong_bytes(path=layer, after=2000, times=None))

    failed(run("unpack", name, "-d", untouched), 3, "layer 'model'")


def test_a_redirect_that_asks_for_credentials_gets_none(
    run: CommandLine, untouched: Path, name: str, local_registry: LocalRegistry
) -> None:
    with LocalRegistry() as other:
        other.inject(
            Fault.answer(401, headers={"WWW-Authenticate": 'Basic realm="give me"'}, times=None)
        )
        local_registry.inject(Fault.redirect(other.host))

        result = run("unpack", name, "-d", untouched)
        sent = list(other.authorizations)

    assert result.code == 1
    assert "401" in result.error
    assert "X-Signature" not in result.error
    assert sent == []


# what is asked for is not there or is no kit


@pytest.mark.parametrize(
    ("reference", "code", "part"),
    [
        ("iris", 2, "names no tag and no digest"),
        ("iris:v1", 1, "no tag 'v1'"),
        ("ir\x07is:v1", 2, "control character"),
        ("iris:v1\n", 2, "control character"),
        ("http://registry.example/iris:v1", 2, "http://"),
        ("oci:nothing:v1", 1, "nothing"),
        ("oci-archive:nothing.tar:v1", 1, "nothing.tar"),
        (f"iris@sha256:{'0' * 64}", 1, "has no manifest"),
        ("iris@sha256:00", 2, "digest"),
        ("Iris:v1", 2, "lower"),
        ("", 2, "empty"),
    ],
)
@pytest.mark.parametrize("verb", ["inspect", "unpack"])
def test_references_to_nothing(
    run: CommandLine, untouched: Path, verb: str, reference: str, code: int, part: str
) -> None:
    words = ("-d", untouched) if verb == "unpack" else ()

    failed(run(verb, reference, *words), code, part)


def test_a_repository_with_no_tag_but_those_that_kits_keep(
    run: CommandLine, name: str, local_registry: LocalRegistry
) -> None:
    assert run("remove", name).code == 0
    repository = name.removesuffix(":v1")
    why = "it has only tags that kits keep for themselves"

    failed(run("inspect", name), 1, f"{why}; 'kitline list --all {repository}' shows them")
    listed = run("list", repository)
    assert listed.stderr == f"no kit is listed under {repository!r}: {why}; '--all' shows them\n"
    assert len(run("list", "--all", repository, "--json").json["kits"]) == 1

    local_registry.content.create("team/iris").tags.clear()
    failed(run("inspect", name), 1, "it has no tags")


def edited(registry: LocalRegistry, name: str, edit: Edit) -> str:
    """Store a changed copy of a kit's manifest under the tag `bad`; return its name."""
    content = registry.content
    repository = content.create("team/iris")
    manifest = repository.manifests[repository.tags["v1"]].fields
    edit(manifest)
    content.put_manifest("team/iris", json.dumps(manifest).encode(), tag="bad")
    return name.replace(":v1", ":bad")


def with_config(registry: LocalRegistry, manifest: dict[str, Any], config: object) -> None:
    data = json.dumps(config).encode()
    registry.content.put_blob("team/iris", data)
    manifest["config"] |= {"digest": digest_of(data), "size": len(data)}


def test_an_artifact_of_another_kind(
    run: CommandLine, untouched: Path, name: str, local_registry: LocalRegistry
) -> None:
    def edit(manifest: dict[str, Any]) -> None:
        manifest["artifactType"] = "application/vnd.example.chart"
        manifest["config"]["mediaType"] = "application/vnd.example.config.v1+json"

    bad = edited(local_registry, name, edit)

    failed(run("unpack", bad, "-d", untouched), 1, "application/vnd.example.c")
    failed(run("inspect", bad), 1, "application/vnd.example.c")


def test_a_digest_of_something_that_is_no_manifest(
    run: CommandLine, untouched: Path, name: str
) -> None:
    config = run("inspect", name, "--json").json["manifest"]["config"]["digest"]

    failed(run("unpack", name.replace(":v1", f"@{config}"), "-d", untouched), 1, config)


def test_an_index_of_two_kits_says_what_it_holds(
    run: CommandLine, untouched: Path, folder: Path, name: str, local_registry: LocalRegistry
) -> None:
    (folder / "README.md").write_text("# two\n")
    run("pack", folder, "-t", name.replace(":v1", ":v2"))
    repository = local_registry.content.create("team/iris")
    digests = [repository.tags["v1"], repository.tags["v2"]]
    entries = [
        {
            "mediaType": repository.manifests[each].media_type,
            "digest": each,
            "size": len(repository.manifests[each].raw),
        }
        for each in digests
    ]
    index = {"schemaVersion": 2, "mediaType": IMAGE_INDEX, "manifests": entries}
    local_registry.content.put_manifest(
        "team/iris", json.dumps(index).encode(), media_type=IMAGE_INDEX, tag="both"
    )

    result = run("unpack", name.replace(":v1", ":both"), "-d", untouched)

    failed(result, 1, *digests)


@pytest.mark.parametrize("lie", [{"size": 10}, {"size": 5000}, {"digest": digest_of(b"other")}])
def test_a_config_whose_size_or_digest_lies(
    run: CommandLine, untouched: Path, name: str, local_registry: LocalRegistry, lie: dict[str, Any]
) -> None:
    if "digest" in lie:
        local_registry.content.put_blob("team/iris", b"{}", digest=lie["digest"])
    bad = edited(local_registry, name, lambda manifest: manifest["config"].update(lie))

    failed(run("unpack", bad, "-d", untouched), 3, "expected", "found")
    failed(run("inspect", bad), 3, "expected", "found")


@pytest.mark.parametrize("config", [{"model": 3}, [], {"manifestVersion": None, "code": {}}, "x"])
def test_a_config_that_is_no_kitfile(
    run: CommandLine, untouched: Path, name: str, local_registry: LocalRegistry, config: object
) -> None:
    bad = edited(
        local_registry, name, lambda manifest: with_config(local_registry, manifest, config)
    )

    failed(run("unpack", bad, "-d", untouched), 3)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("../outside", "the path holds '..'; nothing was kept"),
        ("/etc/outside", "the path is absolute; nothing was kept"),
        ("a/../../outside", "the path holds '..'; nothing was kept"),
        ("a\0b", "the path holds a NUL; nothing was kept"),
        ("C:\\x", "the kit holds it twice"),  # here a name as any other, which three layers have
    ],
)
def test_a_filepath_annotation_that_leads_outside(
    run: CommandLine,
    untouched: Path,
    name: str,
    local_registry: LocalRegistry,
    path: str,
    reason: str,
) -> None:
    def edit(manifest: dict[str, Any]) -> None:
        for layer in manifest["layers"]:
            layer["mediaType"] = layer["mediaType"].replace(".tar", ".raw")
            for key in layer["annotations"]:
                if key.endswith("filepath"):
                    layer["annotations"][key] = path
        config = {
            "manifestVersion": "1.0.0",
            "package": {},
            "model": {"path": path},
            "code": [{"path": path}],
            "datasets": [{"path": path}],
            "docs": [{"path": path}],
        }
        with_config(local_registry, manifest, config)

    bad = edited(local_registry, name, edit)

    failed(run("unpack", bad, "-d", untouched), 3, reason)
    assert not any("outside" in each for each in os.listdir(untouched.parent.parent))


def test_a_manifest_of_five_mebibytes(
    run: CommandLine, untouched: Path, name: str, local_registry: LocalRegistry
) -> None:
    def edit(manifest: dict[str, Any]) -> None:
        manifest["annotations"]["padding"] = "x" * (5 << 20)

    bad = edited(local_registry, name, edit)

    result = run("unpack", bad, "-d", untouched)

    failed(result, 3)
    assert len(result.error) < 500


def test_a_manifest_that_is_no_json(
    run: CommandLine, untouched: Path, name: str, local_registry: LocalRegistry
) -> None:
    local_registry.content.put_manifest("team/iris", b"<html>", tag="bad")

    failed(run("unpack", name.replace(":v1", ":bad"), "-d", untouched), 3)


# what is to be packed


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (("nothing",), 1, "cannot pack 'nothing': it is not there"),
        (("iris/README.md",), 1, "it is not a folder"),
        (("iris", "-f", "nothing"), 1, "cannot read the Kitfile 'nothing'"),
        (("iris", "-f", "iris"), 1, "cannot read the Kitfile 'iris'"),
    ],
)
def test_what_cannot_be_packed(
    run: CommandLine, untouched: Path, words: tuple[str, ...], code: int, part: str
) -> None:
    failed(run("pack", *words, "-t", "bad:v1"), code, part)


def test_an_empty_folder(run: CommandLine, untouched: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    failed(run("pack", tmp_path / "empty", "-t", "bad:v1"), 1)


def test_a_link_that_leaves_the_folder(
    run: CommandLine, untouched: Path, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("x")
    write_tree(folder, {"model/link": Link(target="../../secret")})

    failed(run("pack", folder, "-t", "bad:v1"), 1, "model/link", "--symlinks skip")


def test_a_pipe_among_the_files_is_left_out_with_a_warning(run: CommandLine, folder: Path) -> None:
    plain = run("pack", folder, "-t", "iris:v1")
    os.mkfifo(folder / "model/pipe")

    result = run("pack", folder, "-t", "iris:v2")

    assert result.digest == plain.digest
    assert "model/pipe" in result.stderr


def test_all_problems_of_a_kitfile_are_listed_at_once(run: CommandLine, untouched: Path) -> None:
    kitfile = """
manifestVersion: 2.0.0
package: {name: [], unknown: 1}
model: {path: ../up, framework: {}}
datasets:
  - {path: /abs}
  - {name: x}
  - 3
code: {path: src}
docs: [{path: gone.md}]
prompts: 7
"""

    result = run("pack", "iris", "-t", "bad:v1", "-f", "-", stdin=kitfile)

    failed(
        result, 1, "problems", "package.name", "package.unknown", "datasets[2]", "code", "prompts"
    )


def test_a_digest_as_target_is_refused(run: CommandLine, untouched: Path) -> None:
    result = run("pack", "iris", "-t", f"iris@sha256:{'0' * 64}")

    failed(result, 2, "known only afterwards")


# where to write to


def test_unpacking_into_a_file(run: CommandLine, folder: Path, tmp_path: Path) -> None:
    run("pack", folder, "-t", "iris:v1")
    (tmp_path / "file").write_text("x")

    failed(run("unpack", "iris:v1", "-d", tmp_path / "file"), 1, "file")
    failed(run("unpack", "iris:v1", "-d", tmp_path / "file/below"), 1, "file")
    assert sorted(os.listdir(tmp_path)) == ["file", "iris"]


@pytest.mark.parametrize("place", ["/proc/kitline/out", "/proc/out"])
def test_unpacking_where_nothing_can_be_written(run: CommandLine, folder: Path, place: str) -> None:
    run("pack", folder, "-t", "iris:v1")

    failed(run("unpack", "iris:v1", "-d", place), 1, "/proc")


@pytest.mark.parametrize("place", ["oci:/proc/disk:v1", "oci-archive:/proc/iris.tar:v1"])
def test_packing_where_nothing_can_be_written(run: CommandLine, folder: Path, place: str) -> None:
    failed(run("pack", folder, "-t", place), 1, "/proc")


@pytest.mark.parametrize("home", ["file", "/proc/nowhere"])
def test_a_local_store_that_cannot_be_written(
    run: CommandLine,
    folder: Path,
    local_registry: LocalRegistry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    home: str,
) -> None:
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("KITLINE_HOME", str(tmp_path / home))
    advice = "; set KITLINE_HOME to a folder that can be written"
    name = run("pack", folder, "-t", f"{local_registry.host}/team/iris:v1").pinned

    failed(run("pack", folder, "-t", "iris:v1"), 1, str(tmp_path / home), advice)
    failed(run("pull", name), 1, str(tmp_path / home), advice)
    failed(run("pack", folder, "-t", "oci:/proc/disk:v1"), 1, "/proc/disk")


def test_a_home_that_cannot_be_written_does_not_stop_a_push(
    run: CommandLine, folder: Path, local_registry: LocalRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KITLINE_HOME", "/proc/nowhere")
    write_tree(folder, {"model/large": b"l" * (5 << 20)})  # large enough for a journal

    result = run("pack", folder, "-t", f"{local_registry.host}/team/iris:v1")

    assert result.pinned
    assert run("unpack", result.pinned, "-d", "out").pinned == result.pinned
