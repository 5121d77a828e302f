"""Signatures, policies and real registries: what travels, and what many writers leave behind."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from harness.cosign import FORMS, PASSWORD, Cosign
from harness.registries import serve

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.programs import Kitline
    from harness.registries import Registry

pytestmark = [pytest.mark.peer, pytest.mark.registry]

SLSA = "https://slsa.dev/provenance/v1"
WRITERS = 16
POLICY = """
[policy]
keys = ["cosign/ours.pub"]
attestations = ["evaluation"]
[policy.revocation]
keys = ["cosign/ours.pub"]
"""


@pytest.fixture
def cosign(tmp_path: Path) -> Cosign:
    """cosign with two pairs of keys."""
    folder = tmp_path / "cosign"
    folder.mkdir()
    found = Cosign(folder=folder)
    for name in ("ours", "theirs"):
        found.make_keys(name)
    return found


@pytest.fixture
def signer(kitline: Kitline) -> Kitline:
    """kitline with the password of cosign's keys."""
    return replace(kitline, settings={"COSIGN_PASSWORD": PASSWORD})


def test_a_policy_answers_as_before_after_a_stop_on_disk_with_the_first_registry_off(
    signer: Kitline, other_kitline: Kitline, cosign: Cosign, tree: Path, tmp_path: Path,
    start_registry: Callable[[str], Registry], repository: str,
) -> None:  # fmt: skip
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY)
    key = ("--key", cosign.folder / "ours.key")
    elsewhere = replace(other_kitline, settings={"COSIGN_PASSWORD": PASSWORD})
    with serve("distribution", tmp_path / "first") as first:
        name = first.reference(f"{repository}:v1")
        data = signer.pinned("pack", tree / "data", "-t", first.reference("data/train:v1"))
        kit = signer.pinned("pack", tree, "-t", name, "--parent", f"data={data}")
        unsigned = signer.run("verify", name, "--policy", policy, check=False)
        signer.run("sign", kit, *key, "--legacy")
        signer.run("attest", kit, "--type", "evaluation", "--metric", "accuracy=0.9", *key)
        there = signer.run("verify", name, "--policy", policy)
        signer.run("copy", "--with-parents", name, f"oci:{tmp_path / 'disk'}:v1")

    target = start_registry("olareg").reference(f"{repository}:v1")
    on_disk = elsewhere.run("verify", f"oci:{tmp_path / 'disk'}:v1", "--policy", policy)
    copied = elsewhere.pinned("copy", "--with-parents", f"oci:{tmp_path / 'disk'}:v1", target)
    here = elsewhere.run("verify", copied, "--policy", policy)
    used = elsewhere.run("unpack", copied, "-d", tmp_path / "out", "--policy", policy)
    parent = f"{copied.partition('@')[0]}@{data.partition('@')[2]}"
    elsewhere.run("attest", parent, "--type", "revocation", "--reason", "consent", *key)
    stopped = elsewhere.run("unpack", copied, "-d", tmp_path / "two", "--policy", policy,
                            check=False)  # fmt: skip

    assert unsigned.returncode == 3
    assert [each.returncode for each in (there, on_disk, here, used)] == [0, 0, 0, 0]
    assert copied.partition("@")[2] == kit.partition("@")[2]
    for form in FORMS:
        assert cosign.complaint(copied, "ours.pub", form) == ""
    assert stopped.returncode == 3
    assert "(data) is revoked by key" in stopped.stderr


def test_a_policy_believes_what_cosign_signed_and_nobody_else(
    signer: Kitline, cosign: Cosign, registry: Registry, repository: str, tree: Path,
    tmp_path: Path,
) -> None:  # fmt: skip
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY.replace("evaluation", SLSA))
    (cosign.folder / "said.json").write_text("{}")
    predicate = {"buildDefinition": {"buildType": "https://example.com/x"}, "runDetails": {}}
    (cosign.folder / "said.json").write_text(json.dumps(predicate))
    kit = signer.pinned("pack", tree, "-t", registry.reference(f"{repository}:v1"))
    verdicts = []
    for key, form in (("theirs.key", "bundle"), ("ours.key", "tag"), ("ours.key", "bundle")):
        cosign.attest(kit, key, SLSA, "said.json", form)
        verdicts.append(signer.run("verify", kit, "--policy", policy, check=False).returncode)
        cosign.sign(kit, key, form)
        verdicts.append(signer.run("verify", kit, "--policy", policy, check=False).returncode)

    assert verdicts == [3, 3, 3, 0, 0, 0]


@pytest.mark.slow
@pytest.mark.parametrize("is_signed", [True, False], ids=["signed", "unsigned"])
def test_sixteen_writers_at_once_lose_no_statement(
    is_signed: bool, signer: Kitline, registry: Registry, repository: str, tree: Path
) -> None:
    """Each has a process' worth of state of its own: connections, settings and store."""
    import kitline
    from kitline.trust.keys import private_key

    kit = signer.pinned("pack", tree, "-t", registry.reference(f"{repository}:v1"))
    key = private_key(ec.generate_private_key(ec.SECP256R1()), "writer") if is_signed else None

    def write(number: int) -> None:
        said = {"buildDefinition": {}, "runDetails": {"metadata": {"invocationId": str(number)}}}
        if key is None:
            from kitline.operations.sign import attest_unsigned

            attest_unsigned(kit, SLSA, said)
        else:
            kitline.attest_signed(kit, SLSA, said, key=key)

    with ThreadPoolExecutor(WRITERS) as writers:
        list(writers.map(write, range(WRITERS)))

    found = kitline.list_attestations(kit, "provenance")
    said = [
        *(each.predicate for each in found.signed),
        *(each.predicate for each in found.unsigned),
    ]
    runs = sorted(int(each["runDetails"]["metadata"]["invocationId"]) for each in said if each)
    assert runs == list(range(WRITERS))


@pytest.mark.slow
def test_many_signers_of_the_older_form_lose_no_signature(
    signer: Kitline, registry: Registry, repository: str, tree: Path
) -> None:
    import kitline
    from kitline.operations.settings import Settings
    from kitline.operations.stores import Stores, read_reference
    from kitline.trust.authority import KeyAuthority
    from kitline.trust.evidence import cosign_tag
    from kitline.trust.keys import private_key
    from kitline.trust.predicate_types import SIGNATURE
    from kitline.trust.verify import examine

    kit = signer.pinned("pack", tree, "-t", registry.reference(f"{repository}:v1"))
    keys = [private_key(ec.generate_private_key(ec.SECP256R1()), str(n)) for n in range(8)]

    with ThreadPoolExecutor(len(keys)) as writers:
        list(writers.map(lambda key: kitline.sign(kit, key=key, legacy=True), keys))

    with Stores(Settings.load()) as stores:
        store = stores.open(read_reference(kit))
        subject = read_reference(kit).digest
        assert subject is not None
        for key in keys:
            found = examine(store, subject, KeyAuthority(key=key.public), SIGNATURE)
            assert sorted(each.form for each in found.passed) == ["bundle", "tag"], key.name
        assert store.find_tag(cosign_tag(subject, "sig")) is not None
