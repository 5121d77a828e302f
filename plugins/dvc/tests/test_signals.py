"""An import that is stopped, while it looks or while it packs, leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import DvcRepository

pytestmark = pytest.mark.slow

LATENCY = 400
"""Milliseconds before each answer of the server, so that there is time to be stopped."""
LARGE = os.urandom(1 << 20) * 64
"""More than is read ahead: a second round of answers comes after the first."""


@pytest.fixture(name="s3")
def _s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the address of a slow S3 server in a process of its own."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "moto-secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("slow_s3.py")), str(LATENCY)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as server:  # fmt: skip
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.terminate()


@pytest.fixture(name="address")
def _address(
    repository: DvcRepository, s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """Push a large file to the server; return the address of the repository."""
    import boto3

    boto3.client("s3", endpoint_url=s3).create_bucket(Bucket="room")
    (repository.root / ".dvc/config.local").unlink()
    repository.configure("remote", {"r": {"url": "s3://room/store", "endpointurl": s3}})
    repository.write("big.bin", LARGE)
    repository.add("big.bin")
    repository.commit("large", "large")
    repository.push(all_commits=False)
    settings = tmp_path / "gitconfig"
    settings.write_text(
        f'[url "file://{repository.root}"]\n    insteadOf = https://git.test/data\n'
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    return "dvc+https://git.test/data?path=big.bin&rev=large"


@pytest.fixture(autouse=True)
def _interruptible() -> Iterator[None]:
    """A shell that runs the tests in the background lets them and their children ignore SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("while_it", "sent"), [("looks", signal.SIGTERM), ("packs", signal.SIGINT)]
)
def test_a_stopped_import_leaves_nothing_behind(
    address: str, tmp_path: Path, while_it: str, sent: signal.Signals
) -> None:
    temporary, home = tmp_path / "tmp", tmp_path / "kitline-home"
    temporary.mkdir()
    with subprocess.Popen(
        [sys.executable, "-m", "kitline", "import", address, "-t", "big:v1", "-o", "remote=r"],
        env={**os.environ, "TMPDIR": str(temporary)},
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        if while_it == "looks":
            wait_for(process, lambda: any(temporary.iterdir()))
        else:
            wait_for(process, lambda: largest(home) > 1 << 20)
        process.send_signal(sent)
        output, error = process.communicate(timeout=120)
    assert process.returncode == 130, error
    assert "stopped" in error
    assert output == ""
    assert list(temporary.iterdir()) == []
    assert largest(home) < 1 << 20
    assert [each.name for each in home.rglob("blobs/sha256/*")] == []


def wait_for(process: subprocess.Popen[str], condition: Callable[[], bool]) -> None:
    while not condition():
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        time.sleep(0.02)


def largest(folder: Path) -> int:
    sizes = [0]
    for each in folder.rglob("*"):
        try:
            sizes.append(each.stat().st_size if each.is_file() else 0)
        except FileNotFoundError:
            continue
    return max(sizes)
