"""Real local runs of KFP: steps are processes of this Python, and nothing is installed."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import kitline_kfp
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from kfp import local
from kitline.testing.fixtures import isolated_home, local_registry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["isolated_home", "local_registry"]

# the pipelines of the tests are made when their modules are imported
kitline_kfp.configure(base_image="python:3.11", packages=())


@dataclass(frozen=True, kw_only=True)
class LocalRun:
    """A finished run: what KFP left in its folder."""

    folder: Path
    failed: bool
    log: str

    def output(self, task: str) -> dict[str, Any]:
        """The output parameters of a task."""
        found = json.loads((self.folder / task / "executor_output.json").read_text())
        return dict(found.get("parameterValues", {}))

    def metadata(self, task: str, name: str) -> dict[str, Any]:
        """The metadata of an output artifact."""
        found = json.loads((self.folder / task / "executor_output.json").read_text())
        return dict(found["artifacts"][name]["artifacts"][0]["metadata"])

    def receipt(self, task: str, name: str = "kit") -> dict[str, Any]:
        """The receipt at the path of an output artifact."""
        return dict(json.loads((self.folder / task / name).read_text()))

    @property
    def errors(self) -> list[str]:
        """The lines of the log that tell an error of kitline."""
        return [line.strip() for line in self.log.splitlines() if line.strip()[:7] == "error: "]


@pytest.fixture
def make_keys() -> Callable[[Path], tuple[Path, Path]]:
    """Write a private key without password, and its public key, into a folder."""

    def make(folder: Path) -> tuple[Path, Path]:
        private = ec.generate_private_key(ec.SECP256R1())
        pem = serialization.Encoding.PEM
        (folder / "key.key").write_bytes(
            private.private_bytes(
                pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        (folder / "key.pub").write_bytes(
            private.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
        )
        return folder / "key.key", folder / "key.pub"

    return make


@pytest.fixture
def run_locally(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., LocalRun]:
    """Run a pipeline function with arguments, as `local.init` and a call do."""
    root = tmp_path / "runs"

    def run(
        pipeline: Any, *, caching: bool = False, fails: bool = False, **inputs: Any
    ) -> LocalRun:
        before = set(root.glob("*")) if root.exists() else set()
        local.init(
            local.SubprocessRunner(use_venv=False),
            pipeline_root=str(root),
            raise_on_error=False,
            enable_caching=caching,
        )
        capfd.readouterr()
        pipeline(**inputs)
        log = capfd.readouterr().out
        new = [
            each for each in root.iterdir() if each not in before and not each.name.startswith(".")
        ]
        failed = "finished with status FAILURE" in _plain(log)
        assert failed == fails, log
        return LocalRun(folder=new[0] if new else root / "none", failed=failed, log=_plain(log))

    return run


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
