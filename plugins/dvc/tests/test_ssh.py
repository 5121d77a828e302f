"""Repositories by SSH: git and ssh against a server on loopback, with keys of the test."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import asyncssh
import pytest
from kitline.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import DvcRepository, Importing

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("ssh") is None, reason="git speaks SSH by the program ssh"),
]


@pytest.fixture(name="host")
def _host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve the repositories of this machine by SSH to whoever has the key in `~/.ssh`."""
    keys = tmp_path / "keys"
    keys.mkdir()
    host_key = asyncssh.generate_private_key("ssh-ed25519")
    host_key.write_private_key(keys / "host_key")
    key = asyncssh.generate_private_key("ssh-ed25519")
    key.write_public_key(keys / "authorized_keys")
    key.write_private_key(keys / "mine")
    (keys / "mine").chmod(0o600)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    server = Path(__file__).with_name("ssh_server.py")
    with subprocess.Popen(
        [sys.executable, str(server), str(keys)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        host = f"127.0.0.1:{int(process.stdout.readline())}"
        known = host_key.export_public_key().decode().split()[:2]
        (keys / "known_hosts").write_text(f"[{host.replace(':', ']:')} {' '.join(known)}\n")
        options = {
            "IdentityFile": keys / "mine", "UserKnownHostsFile": keys / "known_hosts",
            "StrictHostKeyChecking": "yes", "BatchMode": "yes", "IdentityAgent": "none",
        }  # fmt: skip
        said = " ".join(f"-o{name}={value}" for name, value in options.items())
        monkeypatch.setenv("GIT_SSH_COMMAND", f"ssh -F none {said}")
        yield f"someone@{host}"
        process.terminate()


def test_a_repository_by_ssh_gives_the_digest_of_the_folder(
    repository: DvcRepository, host: str, importing: Importing, tmp_path: Path
) -> None:
    expected = importing.digest("dvc:data/train@v1", repo=str(repository.root))
    source = f"dvc+ssh://{host}{repository.root}?path=data/train&rev=v1"
    assert importing.digest(source, remote="r") == expected
    origin = importing.collect(source, remote="r").origin
    assert origin.server == f"ssh://{host.partition('@')[2]}{repository.root}"
    assert os.listdir(tmp_path / "tmp") == []


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("key", "Permission denied"),
        ("repository", "correct access rights and the repository exists"),
        ("host key", "Host key verification failed"),
    ],
)
def test_what_fails_is_told(
    repository: DvcRepository,
    host: str,
    importing: Importing,
    tmp_path: Path,
    what: str,
    reason: str,
) -> None:
    place = str(repository.root)
    if what == "key":
        (tmp_path / "keys/mine").unlink()
    elif what == "host key":
        (tmp_path / "keys/known_hosts").write_text("")
    else:
        place += "/none"
    with pytest.raises(SourceError, match=f"cannot clone 'ssh://.*': .*{reason}"):
        importing.collect(f"dvc+ssh://{host}{place}?path=data/train&rev=v1")
    assert os.listdir(tmp_path / "tmp") == []
