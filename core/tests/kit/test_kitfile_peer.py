"""The real kit reads what kitline writes, and sees what kitline sees."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from kitline.errors import KitfileError
from kitline.kit.kit_config import from_config, to_config
from kitline.kit.kitfile import Kitfile, Model, Package
from kitline.kit.kitfile_write import write_kitfile
from kitline.kit.kitfile_yaml import read_kitfile
from kitline.testing.processes import PeerMissing, peer
from kitline.testing.vectors import find_vectors, vector_cases

pytestmark = pytest.mark.peer

REPOSITORY = Path(__file__).parents[3]
CASES = {case.name: case for case in vector_cases(find_vectors(REPOSITORY))}
TEXTS = [
    *("a\nb", "a\n", "a\n\n", "\na", " a\nb", "a \nb", "a\tb", "\ta", "#a", "a #b", "a: b", "a:"),
    *("- a", "-", "-a", "?", "? a", "[a", "a]", "{", "&a", "*a", "!a", "|", "> x", "'a", '"a', "%"),
    *("@a", "`a", "a,b", "---", "...", "<<", "=", "~", "null", "é", "😀", "\u2028", "\ufeff"),
    *("\x7f", "\x85", "\0", "1_0", "0x", "a\r\nb", "  ", "", "a\n---\nb", "\\", "1:30", "y", "."),
    *("1e400", "0b1", "2024-01-02", "5.", "x" * 2000),
]
SCALARS = [
    *(
        "0b-101",
        "0o-17",
        "+_1",
        "08.5",
        "0777777777777777777777777",
        "1e309",
        "-0",
        "-0.0",
        "0_x1F",
    ),
    *("2024-01-02T03:04:05,12Z", "2024-01-02   3:4:5", "2024-01-02T03:04:05+02:60", "0000-02-29"),
    *("!!float 0x10", "!c ~", "! 5", "!!set x", "18446744073709551616", "1_0.5", ".5e3", "._5"),
]


def pack(folder: Path, kitfile: str) -> subprocess.CompletedProcess[str]:
    """Pack a folder with the file `a` by the real kit, with a home of its own."""
    try:
        program = peer("kit")
    except PeerMissing:
        local = REPOSITORY / ".peers/bin/kit"
        if not local.exists():
            pytest.skip("kit is not there; `make interop` builds it")
        program = local
    context = folder / "context"
    context.mkdir()
    (context / "a").write_text("x")
    (context / "b").write_text("y")
    (context / "Kitfile").write_bytes(kitfile.encode())
    return subprocess.run(
        [program, "pack", context, "-t", "r:1", "--progress", "none"],
        env={**os.environ, "KITOPS_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def packed_config(folder: Path, kitfile: str) -> bytes:
    """Return the config that the real kit makes of a Kitfile."""
    done = pack(folder, kitfile)
    assert done.returncode == 0, done.stderr
    blobs = folder / "home/storage/blobs/sha256"
    digest = done.stdout.partition("Model saved: sha256:")[2].split()[0]
    manifest = json.loads((blobs / digest).read_bytes())
    return (blobs / str(manifest["config"]["digest"]).partition(":")[2]).read_bytes()


def own_config(kitfile: Kitfile, like: bytes) -> bytes:
    """Return kitline's config with the digests of another one."""
    parts = from_config(like).parts()
    return to_config(
        kitfile.with_digests({part.field: (part.digest, part.diff_id) for part in parts})
    )


@pytest.mark.parametrize("name", ["parameters", "strings"])
def test_kit_packs_a_rewritten_kitfile_to_the_same_config(tmp_path: Path, name: str) -> None:
    if name not in CASES:
        pytest.skip("the golden vectors are not there")
    kitfile = read_kitfile(CASES[name].kitfile).kitfile

    config = packed_config(tmp_path, write_kitfile(kitfile))

    assert config == own_config(kitfile, config)


def test_kit_reads_every_text_as_it_was_meant(tmp_path: Path) -> None:
    kitfile = Kitfile(
        package=Package(authors=tuple(TEXTS), description="\n".join(TEXTS)),
        model=Model(path="a", parameters={"k": {text: [text, {text: 1}] for text in TEXTS}}),
    )

    config = packed_config(tmp_path, write_kitfile(kitfile))

    assert config == own_config(kitfile, config)


def test_kit_resolves_odd_scalars_alike(tmp_path: Path) -> None:
    lines = "".join(f"  - {scalar}\n" for scalar in SCALARS)
    text = f"manifestVersion: 1.0.0\nmodel:\n  path: a\n  parameters:\n{lines}"

    config = packed_config(tmp_path, text)

    assert own_config(read_kitfile(text).kitfile, config) == config


@pytest.mark.parametrize(
    "text",
    [
        "model: {path: a, parameters: !!int x}",
        "model: {path: a, parameters: [2024-01-02T03:04:05+24:00]}",
        'model: {path: a, parameters: {"<<": 1, <<: {a: 1}}}',
        "model: {path: a, parameters: {1: a}}",
        "model: {path: a, parts: {}}",
        "Model: {path: a}",
        "code: [{path: a}]\ndocs: [{path: ./a/}]",
        "code: [{path: a, digest: x}]",
    ],
)
def test_kit_refuses_what_kitline_refuses(tmp_path: Path, text: str) -> None:
    whole = "manifestVersion: 1.0.0\n" + text

    with pytest.raises(KitfileError):
        read_kitfile(whole)
    assert pack(tmp_path, whole).returncode == 1
