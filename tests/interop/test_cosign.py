"""kitline and the real cosign accept each other's signatures, and refuse the same things."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from harness.cosign import FORMS, PASSWORD, Cosign
from harness.programs import need_program, run

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from harness.programs import Kitline
    from harness.registries import Registry

    Peer = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = [pytest.mark.peer, pytest.mark.registry]

SLSA = "https://slsa.dev/provenance/v1"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
LEGACY: dict[str, tuple[str, ...]] = {"bundle": (), "tag": ("--legacy",)}
DOCUMENT = Path(__file__).parents[2] / "docs/trust.md"
PROVENANCE = {
    "buildDefinition": {
        "buildType": "https://example.com/training/v1",
        "externalParameters": {"pipeline": "churn"},
        "resolvedDependencies": [
            {
                "uri": "oci://registry.example/data/churn",
                "digest": {"sha256": "00" * 32},
                "annotations": {"role": "dataset"},
            }
        ],
    },
    "runDetails": {"builder": {"id": "https://example.com/builder/mlflow"}},
}


@pytest.fixture
def cosign(tmp_path: Path) -> Cosign:
    """cosign with two pairs of keys, ours and theirs, and a predicate."""
    folder = tmp_path / "cosign"
    folder.mkdir()
    found = Cosign(folder=folder)
    for name in ("ours", "theirs"):
        found.make_keys(name)
    (folder / "provenance.json").write_text(json.dumps(PROVENANCE))
    return found


@pytest.fixture
def signer(kitline: Kitline, cosign: Cosign) -> Kitline:
    """kitline with the password of cosign's keys."""
    return replace(kitline, settings={"COSIGN_PASSWORD": PASSWORD})


@pytest.fixture
def name(registry: Registry, repository: str) -> str:
    """A tagged name in each of the three registries."""
    return registry.reference(f"{repository}:v1")


@pytest.mark.parametrize("form", FORMS)
def test_cosign_accepts_what_kitline_signed_and_attested(
    form: str, signer: Kitline, cosign: Cosign, name: str, tree: Path, peer: Peer
) -> None:
    kit = signer.pinned("pack", tree, "-t", name)
    key: list[str | Path] = ["--key", cosign.folder / "ours.key", *LEGACY[form]]
    said = ("--type", SLSA, "--predicate", cosign.folder / "provenance.json")

    signed = signer.pinned("sign", name, *key)
    attested = signer.pinned("attest", name, *said, *key)

    assert kit == signed == attested
    assert cosign.complaint(kit, "ours.pub", form) == ""
    assert cosign.attestation_complaint(kit, "ours.pub", SLSA, form) == ""
    assert "no matching" in cosign.complaint(kit, "theirs.pub", form)
    assert "no matching" in cosign.attestation_complaint(kit, "theirs.pub", SLSA, form)
    assert cosign.attestation_complaint(kit, "ours.pub", "cyclonedx", form) != ""
    found = json.loads(peer("oras", "discover", "--plain-http", "--format", "json", kit).stdout)
    assert sorted(
        each["annotations"]["dev.sigstore.bundle.predicateType"] for each in found["referrers"]
    ) == ["https://sigstore.dev/cosign/sign/v1", SLSA]
    assert {each["artifactType"] for each in found["referrers"]} == {BUNDLE}


@pytest.mark.parametrize("form", FORMS)
def test_kitline_accepts_what_cosign_signed_and_attested(
    form: str, signer: Kitline, cosign: Cosign, name: str, tree: Path
) -> None:
    kit = signer.pinned("pack", tree, "-t", name)
    ours, theirs = cosign.folder / "ours.pub", cosign.folder / "theirs.pub"
    cosign.attest(kit, "ours.key", SLSA, "provenance.json", form)
    only_attested = signer.run("verify", name, "--key", ours, check=False)
    cosign.sign(kit, "ours.key", form)

    verified = signer.run("verify", name, "--key", ours, "--attestation", SLSA, "--json")
    refused = signer.run("verify", name, "--key", theirs, check=False)

    assert only_attested.returncode == 3
    assert f"predicateType: is '{SLSA}'" in only_attested.stderr
    found = json.loads(verified.stdout)
    assert found["reference"] == kit
    assert found["signature"]["form"] == form
    assert [each["form"] for each in found["attestations"]] == [form]
    assert found["attestations"][0]["predicate"]["buildDefinition"]["buildType"] == (
        "https://example.com/training/v1"
    )
    assert refused.returncode == 3
    assert "signature: was not made with key" in refused.stderr


@pytest.mark.parametrize("form", FORMS)
def test_signatures_of_both_stand_side_by_side(
    form: str, signer: Kitline, cosign: Cosign, name: str, tree: Path
) -> None:
    kit = signer.pinned("pack", tree, "-t", name)
    signer.run("sign", name, "--key", cosign.folder / "ours.key", *LEGACY[form])
    cosign.sign(kit, "theirs.key", form)
    cosign.make_keys("third")
    signer.run("sign", name, "--key", cosign.folder / "third.key", *LEGACY[form])

    for key in ("ours.pub", "theirs.pub", "third.pub"):
        assert cosign.complaint(kit, key, form) == ""
        signer.run("verify", name, "--key", cosign.folder / key)


def test_both_refuse_a_changed_kit_and_a_signature_moved_from_another(
    signer: Kitline, cosign: Cosign, name: str, tree: Path, peer: Peer, tmp_path: Path
) -> None:
    key, public = cosign.folder / "ours.key", cosign.folder / "ours.pub"
    signed = signer.pinned("pack", tree, "-t", name)
    done = json.loads(signer.run("sign", name, "--key", key, "--json").stdout)
    (tree / "model/model.bin").write_bytes(b"changed")
    changed = signer.pinned("pack", tree, "-t", name)
    unsigned = signer.run("verify", name, "--key", public, check=False)
    assert cosign.complaint(changed, "ours.pub") != ""

    repository = signed.partition("@")[0]
    referrer = f"{repository}@{done['referrer']}"
    fetched = json.loads(peer("oras", "manifest", "fetch", "--plain-http", referrer).stdout)
    raw = peer("oras", "manifest", "fetch", "--plain-http", changed).stdout
    fetched["subject"] |= {"digest": changed.partition("@")[2], "size": len(raw.encode())}
    moved = tmp_path / "moved.json"
    moved.write_text(json.dumps(fetched))
    peer("oras", "manifest", "push", "--plain-http", f"{repository}:moved", moved)
    hex_digits = changed.partition("@sha256:")[2]
    found = peer("oras", "discover", "--plain-http", changed).stdout
    if "dev.sigstore" not in found:  # no referrers API: list it as oras does
        put_fallback_index(peer, repository, hex_digits, tmp_path)
    refused = signer.run("verify", name, "--key", public, check=False)

    assert unsigned.returncode == refused.returncode == 3
    assert "nothing that is attached to it is a signature" in unsigned.stderr
    assert "statement: its subject is another digest than that of the kit" in refused.stderr
    assert cosign.complaint(changed, "ours.pub") != ""
    assert cosign.complaint(signed, "ours.pub") == ""


def put_fallback_index(peer: Peer, repository: str, hex_digits: str, folder: Path) -> None:
    """List the manifest with the tag `moved` in a fallback index."""
    described = peer(
        "oras", "manifest", "fetch", "--descriptor", "--plain-http", f"{repository}:moved"
    )
    entry = json.loads(described.stdout) | {"artifactType": BUNDLE}
    index = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [entry],
    }
    (folder / "index.json").write_text(json.dumps(index))
    tag = f"{repository}:sha256-{hex_digits}"
    peer("oras", "manifest", "push", "--plain-http", tag, folder / "index.json")


def test_signatures_are_valid_after_a_stop_in_a_layout(
    signer: Kitline,
    cosign: Cosign,
    distribution: Registry,
    start_registry: Callable[[str], Registry],
    repository: str,
    tree: Path,
    tmp_path: Path,
) -> None:
    first, stop = distribution.reference(f"{repository}:v1"), f"oci:{tmp_path / 'disk'}:v1"
    target = start_registry("olareg").reference(f"{repository}:v1")
    signer.run("pack", tree, "-t", first)
    key = ("--key", cosign.folder / "ours.key", "--legacy")
    signer.run("sign", first, *key)
    said = ("--type", SLSA, "--predicate", cosign.folder / "provenance.json")
    signer.run("attest", first, *said, *key)

    signer.run("copy", first, stop)
    signer.run("verify", stop, "--key", cosign.folder / "ours.pub", "--attestation", SLSA)
    kit = signer.pinned("copy", stop, target)

    for form in FORMS:
        assert cosign.complaint(kit, "ours.pub", form) == ""
        assert cosign.attestation_complaint(kit, "ours.pub", SLSA, form) == ""


def test_keys_of_every_origin_work_in_both(
    signer: Kitline, cosign: Cosign, distribution: Registry, repository: str, tree: Path
) -> None:
    name = distribution.reference(f"{repository}:v1")
    kit = signer.pinned("pack", tree, "-t", name)
    folder = cosign.folder
    openssl = need_program("openssl")
    for kind, words in {
        "ed25519": ("-algorithm", "ed25519"),
        "p384": ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"),
    }.items():
        run(openssl, "genpkey", *words, "-out", folder / f"{kind}.pem", env=cosign.env)
        cosign.run("import-key-pair", "--key", f"{kind}.pem", "--output-key-prefix", kind, "-y")
    signer.run("keygen", folder / "made")

    for key in ("ed25519.key", "ed25519.pem", "p384.pem", "made.key"):
        signer.run("sign", name, "--key", folder / key, "--legacy")
    for key in ("ed25519.pub", "p384.pub", "made.pub"):
        for form in FORMS:
            assert cosign.complaint(kit, key, form) == ""
        signer.run("verify", name, "--key", folder / key)

    other = signer.pinned("pack", tree, "-t", distribution.reference(f"{repository}-2:v1"))
    for key in ("ed25519", "p384", "made"):
        cosign.sign(other, f"{key}.key")
    signer.run("verify", other, "--key", folder / "made.pub")
    for key in ("ed25519.pub", "p384.pub"):
        # cosign 3.1 signs with Ed25519ph and SHA-384, and refuses what it signed so itself
        assert cosign.complaint(other, key) != ""
        refused = signer.run("verify", other, "--key", folder / key, check=False)
        assert refused.returncode == 3


def test_an_auditor_needs_no_kitline(
    signer: Kitline, cosign: Cosign, start_registry: Callable[[str], Registry], repository: str,
    tree: Path, tmp_path: Path,
) -> None:  # fmt: skip
    commands = "\n".join(re.findall(r"```sh auditor\n(.*?)```", DOCUMENT.read_text("utf-8"), re.S))
    for kind in ("distribution", "olareg"):
        name = start_registry(kind).reference(f"{repository}:v1")
        signer.run("pack", tree, "-t", name, "--parent", f"data=sha256:{'00' * 32}")
        key = ("--key", cosign.folder / "ours.key")
        signer.run("sign", name, *key)
        signer.run("sbom", name)
        said = ("--type", SLSA, "--predicate", cosign.folder / "provenance.json")
        signer.run("attest", name, *said, *key)
        desk = tmp_path / kind
        desk.mkdir()
        (desk / "cosign.pub").write_bytes((cosign.folder / "ours.pub").read_bytes())

        done = audit(commands, name, desk, cosign)
        (desk / "cosign.pub").write_bytes((cosign.folder / "theirs.pub").read_bytes())
        refused = audit(commands, name, desk, cosign)
        (desk / "cosign.pub").write_bytes((cosign.folder / "ours.pub").read_bytes())
        signer.run("attest", name, "--type", "revocation", "--reason", "recalled", *key)
        revoked = audit(commands, name, desk, cosign)

        assert done.returncode == 0, done.stderr
        assert "Verified OK" in done.stdout
        assert "\nmachine-learning-model\tiris\t" in done.stdout
        assert f"\ndata\tsha256:{'00' * 32}\n" in done.stdout
        assert done.stdout.endswith(
            "dataset\toci://registry.example/data/churn\t" + "00" * 32 + "\n"
        )
        assert refused.returncode != 0
        assert "Verified OK" not in refused.stdout
        assert revoked.returncode == 1
        assert revoked.stdout.endswith('"recalled"\n')


def audit(commands: str, name: str, desk: Path, cosign: Cosign) -> subprocess.CompletedProcess[str]:
    """Run the auditor's commands; oras and cosign speak plain HTTP to `localhost` by themselves."""
    folders = {str(Path(need_program(each)).parent) for each in ("oras", "cosign", "jq", "openssl")}
    env = cosign.env | {
        "PATH": ":".join([*sorted(folders), cosign.env.get("PATH", "")]),
        "REF": name.replace("127.0.0.1", "localhost"),
    }
    return run("/bin/bash", "-euo", "pipefail", "-c", commands, env=env, cwd=desk, check=False)
