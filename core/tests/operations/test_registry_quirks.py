"""Pack, unpack and doctor against registries that differ, with a layer that shows how."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from kitline.testing import LocalRegistry, Rules
from kitline.testing.rules import DISTRIBUTION, DOCKER_REGISTRY, ECR, GHCR, HARBOR, OLAREG
from kitline.testing.trees import read_tree, write_tree

if TYPE_CHECKING:
    from pathlib import Path

    from kitline.testing.command_line import CommandLine

WEIGHTS = hashlib.shake_128(b"weights").digest(5 << 20)
"""More than one PATCH may bring to ghcr.io (4 MiB), and than is sent without a session."""
RULES = {
    "distribution": DISTRIBUTION,
    "docker-registry": DOCKER_REGISTRY,
    "ecr": ECR,
    "ghcr": GHCR,
    "harbor": HARBOR,
    "olareg": OLAREG,
}
PATCHED = {"ecr": 201, "ghcr": 416}
"""How a registry answers the large layer's PATCH, where not with 202."""


@pytest.mark.parametrize("kind", RULES)
def test_a_kit_with_a_large_layer_there_and_back(
    run: CommandLine, folder: Path, tmp_path: Path, kind: str
) -> None:
    write_tree(folder, {"model/weights.bin": WEIGHTS})
    here = run("pack", folder, "-t", "iris:v1")
    with LocalRegistry(RULES[kind]) as registry:
        name = f"{registry.host}/team/iris"
        registry.create_repository("team/iris")

        doctor = run("doctor", name, "--json").json
        packed = run("pack", folder, "-t", f"{name}:v1")
        patches = [each.status for each in registry.select("PATCH")]
        registry.forget()
        again = run("pack", folder, "-t", f"{name}:v1")
        sent_again = registry.count("POST") + registry.count("PATCH") + registry.count("PUT")
        unpacked = run("unpack", packed.pinned, "-d", tmp_path / "out")
        repository = registry.content.create("team/iris")

    assert {each["name"]: each["state"] for each in doctor["checks"]}["push"] == "ok"
    assert patches == [PATCHED.get(kind, 202)]
    assert packed.digest == again.digest == here.digest
    assert sent_again == 0
    assert unpacked.pinned == packed.pinned
    written = read_tree(tmp_path / "out")
    assert written == {**read_tree(folder), "Kitfile": written["Kitfile"]}
    assert repository.uploads == {}
    assert sorted(repository.tags) == [f"kit-{packed.digest.partition(':')[2][:32]}", "v1"]


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES.keys())
def test_doctor_leaves_nothing_behind(run: CommandLine, rules: Rules) -> None:
    with LocalRegistry(rules) as registry:
        registry.create_repository("team/iris")

        result = run("doctor", f"{registry.host}/team/iris")
        repository = registry.content.create("team/iris")

    assert result.code == 0
    api = "lists referrers itself" if rules.referrers_api else "no referrers API"
    assert api in result.stdout + result.stderr
    assert not repository.tags
    assert not repository.manifests
    assert not repository.blobs
    assert not repository.uploads
