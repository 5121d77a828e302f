"""Each hostile input of the specification through the command line: its message, and no file."""

from __future__ import annotations

import io
import json
import os
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
from kitline.testing import Fault, LocalRegistry
from kitline.testing.content import digest_of
from kitline.testing.trees import read_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kitline.testing.command_line import CommandLine

CONFIG = "application/vnd.kitops.modelkit.config.v1+json"
LAYER = "application/vnd.kitops.modelkit.model.v1"
FILEPATH = "org.cncf.model.filepath"


@pytest.fixture
def around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: CommandLine) -> Iterator[Path]:
    """A folder to unpack below; at the end nothing is in it and nothing in the local store."""
    around = tmp_path / "around"
    around.mkdir()
    monkeypatch.chdir(tmp_path)
    before = set(os.listdir(tmp_path))
    yield around
    assert read_tree(around) == {}
    assert set(os.listdir(tmp_path)) == before
    assert run("list", "--json").json == {"kits": []}


def put_kit(
    registry: LocalRegistry,
    layer: bytes,
    *,
    path: str = "m",
    media_type: str = f"{LAYER}.tar",
    **claims: Any,
) -> str:
    """Store a kit of one layer, of which descriptor and manifest may claim anything."""
    digest = registry.content.put_blob("team/bad", layer)
    named = {"digest": digest, "diffId": digest}
    fields = {"manifestVersion": "1.0.0", "package": {}, "model": {"path": path, **named}}
    config = claims.pop("config", json.dumps(fields)).encode()
    manifest = {
        "schemaVersion": 2,
        "config": {
            "mediaType": CONFIG,
            "digest": registry.content.put_blob("team/bad", config),
            "size": len(config),
        },
        "layers": [
            {
                "mediaType": media_type,
                "digest": digest,
                "size": len(layer),
                "annotations": {FILEPATH: path},
            }
            | claims.pop("descriptor", {})
        ],
    }
    registry.content.put_manifest("team/bad", json.dumps(manifest | claims).encode(), tag="v1")
    return f"{registry.host}/team/bad:v1"


def tar_of(*members: tuple[tarfile.TarInfo, bytes], **header: Any) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT, **header) as tar:
        for info, content in members:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


TARS = {
    "a path that leads outside": (tar_of((entry("../x"), b"x")), "'../x': the path holds '..'"),
    "an absolute path": (tar_of((entry("/tmp/x"), b"x")), "'/tmp/x': the path is absolute"),
    "a symlink": (tar_of((entry("l", tarfile.SYMTYPE, "/etc"), b"")), "'l': it is a link"),
    "a hard link": (tar_of((entry("h", tarfile.LNKTYPE, "../x"), b"")), "'h': it is a hard link"),
    "a device": (tar_of((entry("d", tarfile.CHRTYPE), b"")), "'d': it is a device"),
    "a global header": (
        tar_of((entry("m"), b""), pax_headers={"path": "../x"}),
        "it is a PAX global header",
    ),
    "names that collide": (tar_of((entry("m"), b"1"), (entry("./m"), b"2")), "holds it twice"),
}


@pytest.mark.parametrize("what", TARS)
def test_hostile_tars(
    run: CommandLine, around: Path, local_registry: LocalRegistry, what: str
) -> None:
    layer, message = TARS[what]
    name = put_kit(local_registry, layer)

    result = run("unpack", name, "-d", around / "out")

    assert result.code == 3
    assert message in result.error
    assert "nothing was kept" in result.error


def test_a_tar_bomb(run: CommandLine, around: Path, local_registry: LocalRegistry) -> None:
    import gzip

    bomb = gzip.compress(tar_of((entry("m"), bytes(32 << 20))), 9)
    name = put_kit(local_registry, bomb, media_type=f"{LAYER}.tar+gzip")

    result = run("unpack", name, "-d", around / "out")

    assert result.code == 3
    assert "when decompressed, which is taken for an attack" in result.error


@pytest.mark.parametrize("path", ["../outside", "/outside", "a/../../outside"])
def test_a_raw_layer_whose_annotation_leads_outside(
    run: CommandLine, around: Path, local_registry: LocalRegistry, path: str
) -> None:
    name = put_kit(local_registry, b"x", path=path, media_type=f"{LAYER}.raw")

    result = run("unpack", name, "-d", around / "out")

    assert result.code == 3
    assert repr(path) in result.error


def test_a_raw_layer_whose_kitfile_leads_outside(
    run: CommandLine, around: Path, local_registry: LocalRegistry
) -> None:
    name = put_kit(
        local_registry,
        b"x",
        path="../outside",
        media_type=f"{LAYER}.raw",
        descriptor={"annotations": {}},
    )

    result = run("unpack", name, "-d", around / "out")

    assert result.code == 3
    assert "'../outside'" in result.error


@pytest.mark.parametrize("digest", ["sha256:../../../../outside", "../x", "sha256:" + "A" * 64])
@pytest.mark.parametrize("verb", ["unpack", "pull", "inspect"])
def test_a_layer_whose_digest_is_a_path(
    run: CommandLine, around: Path, local_registry: LocalRegistry, verb: str, digest: str
) -> None:
    name = put_kit(local_registry, b"x", descriptor={"digest": digest})

    result = run(verb, name, *(("-d", around / "out") if verb == "unpack" else ()))

    assert result.code == 3
    assert "layers[0]" in result.error
    assert "digest" in result.error


def test_a_referrer_whose_digest_is_a_path(
    run: CommandLine, tmp_path: Path, folder: Path, local_registry: LocalRegistry
) -> None:
    name = f"{local_registry.host}/team/iris:v1"
    run("pack", folder, "-t", name)
    local_registry.inject(Fault.traversal_referrers(times=None))

    result = run("pull", name, "iris:v1")

    assert result.code == 0, "what does not hold is dropped, and the kit comes"
    assert "outside" not in run("inspect", "iris:v1", "--json").stdout
    assert not list(tmp_path.rglob("outside"))


def test_tags_that_are_paths(run: CommandLine, folder: Path, local_registry: LocalRegistry) -> None:
    name = f"{local_registry.host}/team/iris:v1"
    run("pack", folder, "-t", name)
    local_registry.inject(Fault.traversal_tags(times=None))

    result = run("list", name.removesuffix(":v1"))

    assert "outside" not in result.stdout
    assert "passwd" not in result.stdout


@pytest.mark.parametrize("name", ["iris:v\x1b1", "ir\x00is:v1", "iris\n:v1", "iris:v1\u202e"])
def test_a_reference_with_control_characters(run: CommandLine, around: Path, name: str) -> None:
    result = run("inspect", name)

    assert result.code == 2
    assert not any(each in result.stderr.rstrip("\n") for each in "\x1b\x00\n\u202e")


@pytest.mark.parametrize(
    ("kitfile", "message"),
    [
        ("model: {path: m}\nmodel: {path: m}\n", "model"),
        ("model: {path: m, parameters: {a: .nan}}\n", ".nan"),
        ("model: {path: m, parameters: {a: .inf}}\n", ".inf"),
        ("model: {path: ../m}\n", "'../m' leads out of the folder"),
        (
            "model:\n  path: m\n  parameters:\n    a: &a [x,x,x,x,x,x,x,x,x]\n"
            + "".join(
                f"    {b}: &{b} [*{a},*{a},*{a},*{a},*{a},*{a},*{a},*{a},*{a}]\n"
                for a, b in zip("abcdefgh", "bcdefghi", strict=True)
            ),
            "alias",
        ),
    ],
)
def test_hostile_kitfiles(
    run: CommandLine, around: Path, tmp_path: Path, kitfile: str, message: str
) -> None:
    result = run(
        "pack", around, "-t", "bad:v1", "-f", "-", stdin=f"manifestVersion: 1.0.0\n{kitfile}"
    )

    assert result.code == 1
    assert message in result.error


@pytest.mark.parametrize(
    ("number", "message"),
    [("NaN", "NaN"), ("-Infinity", "-Infinity"), ("1e400", "a number that is out of range")],
)
def test_a_config_with_a_number_that_json_does_not_know(
    run: CommandLine, around: Path, local_registry: LocalRegistry, number: str, message: str
) -> None:
    text = '{"manifestVersion":"1.0.0","package":{},"model":{"path":"m","parameters":{"a":%s}}}'
    name = put_kit(local_registry, b"x", config=text % number)

    result = run("unpack", name, "-d", around / "out")

    assert result.code == 3
    assert message in result.error


def test_a_number_beyond_all_bounds_in_a_kitfile_is_a_text_as_for_kit(
    run: CommandLine, folder: Path
) -> None:
    kitfile = b"manifestVersion: 1.0.0\nmodel: {path: README.md, parameters: {a: 1e400, b: NaN}}\n"

    name = run("pack", folder, "-t", "odd:v1", "-f", "-", stdin=kitfile).pinned

    found = run("inspect", name, "--json").json["kitfile"]["model"]["parameters"]
    assert found == {"a": "1e400", "b": "NaN"}


def test_a_layer_that_is_larger_than_its_descriptor_says(
    run: CommandLine, around: Path, local_registry: LocalRegistry
) -> None:
    name = put_kit(local_registry, b"x" * 100, descriptor={"size": 50})

    result = run("unpack", name, "-d", around / "out")

    assert result.code == 3
    assert "50" in result.error


def test_a_manifest_under_a_false_digest(
    run: CommandLine, around: Path, local_registry: LocalRegistry
) -> None:
    put_kit(local_registry, b"x")
    wrong = digest_of(b"another")
    local_registry.content.put_manifest("team/bad", b'{"schemaVersion":2}', digest=wrong)

    result = run("unpack", f"{local_registry.host}/team/bad@{wrong}", "-d", around / "out")

    assert result.code == 3
    assert wrong in result.error
