"""Kills at random moments, many processes at once, clean-ups, and users who may do little."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from harness.programs import run
from harness.registries import collect_garbage, serve
from kitline.testing.trees import SMALL_KIT, write_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.programs import Kitline
    from harness.registries import Registry

USER = 54321
# May read everything (Python may lie in root's home), and write nothing that is not its own.
AS_USER = [
    "setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups",
    "--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search",
]  # fmt: skip
# Mounts everything read-only for one command, but for the folder $1.
READ_ONLY = """
mount --make-rprivate / && mount --bind "$1" "$1" && mount -o remount,bind,ro / || exit 99
for place in /dev/shm /tmp /var/tmp /run; do
  if mountpoint -q "$place"; then mount -o remount,bind,ro "$place" || exit 99; fi
done
shift
exec "$@"
"""


LAYOUT = {".index.lock", "blobs", "index.json", "ingest", "oci-layout"}


def check_layout(layout: Path) -> list[dict[str, Any]]:
    """Verify all that a layout lists, and all blobs under a final name; return what it lists."""
    blobs = layout / "blobs/sha256"
    for blob in blobs.iterdir():
        assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name, f"{blob} is torn"
    listed: list[dict[str, Any]] = json.loads((layout / "index.json").read_text())["manifests"]
    for descriptor in listed:
        manifest = json.loads((blobs / descriptor["digest"].split(":")[1]).read_bytes())
        for part in [manifest["config"], *manifest["layers"]]:
            size = (blobs / part["digest"].split(":")[1]).stat().st_size
            assert size == part["size"]
    return listed


def killed_after(kitline: Kitline, delay: float, *args: str | Path) -> None:
    """Start a command and kill it, with all its threads, after `delay` seconds."""
    with subprocess.Popen(
        [*kitline.command, *map(str, args)],
        env=kitline.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_hundred_kills_leave_nothing_but_partials(
    kitline: Kitline,
    distribution: Registry,
    repository: str,
    tmp_path: Path,
    tree: Path,
    tree_files: dict[str, bytes],
    read_files: Callable[[Path], dict[str, bytes]],
) -> None:
    rng = random.Random(3)
    remote = distribution.reference(f"{repository}:v1")
    (tree / "model/model.bin").write_bytes(rng.randbytes(24 << 20))
    kitline.run("pack", tree, "-t", remote)
    kitline.run("pack", tree, "-t", "iris:v0")
    commands = {
        "pack": ["pack", str(tree), "-t", "iris:v1"],
        "pull": ["pull", remote, "pulled:v1"],
        "tag": ["tag", "iris:v0", "iris:moved"],
    }
    took = {}
    for name, command in commands.items():
        began = time.monotonic()
        kitline.run(*command)
        took[name] = time.monotonic() - began

    for turn in range(102):
        name = ("pack", "pull", "tag")[turn % 3]
        if name == "pack":  # something new each time, else the store has it all
            (tree / "README.md").write_text(f"turn {turn}")
            with (tree / "model/model.bin").open("r+b") as weights:
                weights.write(rng.randbytes(16))
        if name == "pull":
            shutil.rmtree(kitline.layout("pulled"), ignore_errors=True)
        killed_after(kitline, rng.uniform(0.2, 1.1) * took[name], *commands[name])
        for layout in filter(Path.exists, map(kitline.layout, ("iris", "pulled"))):
            if (layout / "index.json").exists():
                check_layout(layout)

    for command in commands.values():
        kitline.run(*command)
    kitline.run("unpack", "iris:v1", "-d", tmp_path / "out")
    for layout in map(kitline.layout, ("iris", "pulled")):
        check_layout(layout)
        assert {each.name for each in layout.iterdir()} <= LAYOUT
        for partial in (layout / "ingest").iterdir():
            os.utime(partial, (0, 0))
    for command in commands.values():  # whoever takes blobs in removes what is old
        kitline.run(*command)
    assert not list(kitline.layout("iris").glob("ingest/*"))
    assert not list(kitline.layout("pulled").glob("ingest/*"))
    assert read_files(tmp_path / "out").keys() == tree_files.keys()


@pytest.mark.slow
def test_eight_processes_lose_nothing(kitline: Kitline, tmp_path: Path) -> None:
    folders = []
    for number in range(8):
        folder = tmp_path / f"tree-{number}"
        folder.mkdir()
        (folder / "shared.bin").write_bytes(b"the same in all" * 1000)
        (folder / "own.txt").write_text(str(number))
        (folder / "Kitfile").write_text(
            "manifestVersion: 1.0.0\ncode: [{path: own.txt}]\nmodel: {path: shared.bin}\n"
        )
        folders.append(folder)

    script = " && ".join(
        f'"$0" pack "$1" -t many:$2-{turn} && "$0" tag many:$2-{turn} many:$2-{turn}-again'
        for turn in range(3)
    )
    running = [
        subprocess.Popen(
            ["sh", "-c", script, *kitline.command, str(folder), str(number)],
            env=kitline.env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number, folder in enumerate(folders)
    ]
    said = [process.communicate()[1] for process in running]

    assert [process.returncode for process in running] == [0] * 8, said
    tags = {
        descriptor.get("annotations", {}).get("org.opencontainers.image.ref.name")
        for descriptor in check_layout(kitline.layout("many"))
    }
    assert tags >= {
        f"{number}-{turn}{again}"
        for number in range(8)
        for turn in range(3)
        for again in ("", "-again")
    }


@pytest.mark.peer
@pytest.mark.registry
def test_every_pinned_reference_outlives_the_registrys_garbage_collector(
    kitline: Kitline, other_kitline: Kitline, tree: Path, tmp_path: Path
) -> None:
    pinned = []
    with serve("distribution", tmp_path / "registry") as registry:
        for turn in range(3):  # the tag moves twice
            (tree / "README.md").write_text(f"turn {turn}")
            pinned.append(kitline.pinned("pack", tree, "-t", registry.reference("t/iris:v1")))

        said = collect_garbage(tmp_path / "registry")

        assert len(set(pinned)) == 3, said
        for turn, reference in enumerate(pinned):
            other_kitline.run("unpack", reference, "-d", tmp_path / f"out-{turn}")
            assert (tmp_path / f"out-{turn}/README.md").read_text() == f"turn {turn}"


@pytest.mark.peer
@pytest.mark.registry
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user, and mount")
def test_a_random_user_with_nothing_but_a_temporary_folder_can_work(
    kitline: Kitline,
    distribution: Registry,
    repository: str,
    tree_files: dict[str, bytes],
    read_files: Callable[[Path], dict[str, bytes]],
    open_folder: Path,
) -> None:
    tree = write_tree(open_folder / "tree", SMALL_KIT)
    scratch = open_folder / "scratch"
    scratch.mkdir(mode=0o700)
    os.chown(scratch, USER, USER)
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "TMPDIR": str(scratch)}

    shut = ["unshare", "--mount", "sh", "-c", READ_ONLY, "sh", str(scratch)]

    def run_as_user(*args: str | Path) -> str:
        command = [*shut, *AS_USER, *kitline.command, *args]
        return run(*command, env=env, cwd=Path("/")).stdout.splitlines()[-1]

    beside = str(scratch.parent / "beside")
    assert run(*shut, "sh", "-c", f"touch {beside} 2>&1 || echo shut", env=env).stdout.endswith(
        "shut\n"  # even for root
    )
    pinned = run_as_user("pack", tree, "-t", distribution.reference(f"{repository}:v1"))
    run_as_user("unpack", pinned, "-d", scratch / "out")
    env["KITLINE_HOME"] = str(scratch / "kitline")
    run_as_user("pull", pinned, "mine:v1")
    run_as_user("unpack", "mine:v1", "-d", scratch / "local")

    assert read_files(scratch / "out") == tree_files
    assert read_files(scratch / "local") == tree_files


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A temporary folder that every user may enter, other than pytest's own."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)
