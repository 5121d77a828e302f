"""What cosign signed and attested, cosign verifies after kitline has carried it elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from harness.programs import need_program, run
from kitline.testing.environment import clean_environment

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from harness.programs import Kitline
    from harness.registries import Registry

pytestmark = [pytest.mark.peer, pytest.mark.registry]

NO_LOG = ("--use-signing-config=false", "--tlog-upload=false", "-y")
UNLOGGED = ("--insecure-ignore-tlog=true",)
FORMS = {"bundle": (), "tag": ("--new-bundle-format=false",)}


@pytest.fixture
def cosign(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs cosign beside a pair of keys."""
    program = need_program("cosign")
    folder = tmp_path / "cosign"
    folder.mkdir()
    env = clean_environment(folder) | {"COSIGN_PASSWORD": ""}

    def run_cosign(*args: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        return run(program, *args, env=env, cwd=folder, check=check)

    run_cosign("generate-key-pair")
    (folder / "predicate.txt").write_text("as planned")
    return run_cosign


@pytest.mark.parametrize("form", FORMS)
def test_signature_and_attestation_are_valid_after_copy_and_after_pull_and_push(
    form: str,
    kitline: Kitline,
    registry: Registry,
    repository: str,
    tree: Path,
    cosign: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    first, *targets = [registry.reference(f"{repository}-{n}:v1") for n in ("a", "b", "c", "bare")]
    pinned = kitline.pinned("pack", tree, "-t", first)
    by_key = ("--key", "cosign.key", *NO_LOG, *FORMS[form])
    cosign("sign", *by_key, pinned)
    cosign("attest", *by_key, "--type", "custom", "--predicate", "predicate.txt", pinned)

    copied = kitline.pinned("copy", first, targets[0])
    kitline.run("pull", first, "iris:v1")
    pushed = kitline.pinned("push", "iris:v1", targets[1])
    bare = kitline.pinned("copy", "--no-referrers", first, targets[2])

    for reference in (copied, pushed):
        cosign("verify", "--key", "cosign.pub", *UNLOGGED, reference)
        cosign(
            "verify-attestation", "--key", "cosign.pub", *UNLOGGED, "--type", "custom", reference
        )
    refused = cosign("verify", "--key", "cosign.pub", *UNLOGGED, bare, check=False)
    assert refused.returncode != 0
    assert "no signatures found" in refused.stderr
