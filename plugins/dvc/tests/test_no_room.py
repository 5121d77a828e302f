"""Data of an S3 server goes into a registry past a disk that has no room for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kitline.testing.registry import LocalRegistry

    from conftest import DvcRepository, Importing

pytestmark = pytest.mark.slow

MARK = b"these are the bytes of the data"
LARGE, ROOM = 3 << 20, 1 << 20
FILES = {f"{n:03}.txt": MARK + b"%d" % n for n in range(300)}
NO_ROOM = f"""
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, ({ROOM}, {ROOM}))
from kitline.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(name="s3")
def _s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the address of an S3 server in a process of its own."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "moto-secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("slow_s3.py")), "0"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as server:  # fmt: skip
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.terminate()


def to_s3(repository: DvcRepository, s3: str, *, versioned: bool) -> None:
    import boto3

    client = boto3.client("s3", endpoint_url=s3)
    client.create_bucket(Bucket="room")
    if versioned:
        client.put_bucket_versioning(Bucket="room", VersioningConfiguration={"Status": "Enabled"})
    (repository.root / ".dvc/config.local").unlink()
    remote = {"url": "s3://room/store", "endpointurl": s3}
    repository.configure("remote", {"r": {**remote, "version_aware": versioned}})
    repository.commit("remote")
    repository.push(all_commits=False)
    repository.git("add", "-A")
    repository.git("commit", "--allow-empty", "-qm", "what was pushed")
    repository.git("tag", "pushed")


def files_with_data(folder: Path) -> list[str]:
    found = (Path(where) / name for where, _, names in os.walk(folder) for name in names)
    return [str(each) for each in found if each.is_file() and MARK in each.read_bytes()]


@pytest.mark.parametrize("versioned", [False, True], ids=["plain", "version-aware"])
def test_data_passes_a_disk_without_room_for_it(
    repository: DvcRepository,
    importing: Importing,
    local_registry: LocalRegistry,
    s3: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    versioned: bool,
) -> None:
    repository.write("big", {**FILES, "large.bin": MARK * (LARGE // len(MARK))})
    repository.add("big")
    repository.commit("big")
    expected = importing.layer("dvc:big", repo=str(repository.root))
    to_s3(repository, s3, versioned=versioned)
    bare = tmp_path / "bare.git"
    repository.git("clone", "-q", "--bare", str(repository.root), str(bare))
    for each in (repository.root.parent, tmp_path / "dvc-site"):
        subprocess.run(["chmod", "-R", "u+w", str(each)], check=True)
        subprocess.run(["rm", "-rf", str(each)], check=True)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    target = f"{local_registry.host}/team/big:v1"

    done = subprocess.run(
        [
            sys.executable, "-c", NO_ROOM,
            "import", f"dvc+file://{bare}?path=big&rev=pushed", "-t", target,
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    import kitline

    (layer,) = kitline.inspect(target).kit.manifest.layers
    assert str(layer.digest) == expected
    assert files_with_data(tmp_path) == []
    assert list((tmp_path / "tmp").iterdir()) == []
