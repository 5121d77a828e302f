"""What kitline and the real cosign both refuse: malformed and expired bundles, moved tags."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from harness.cosign import FORMS, PASSWORD, UNLOGGED, Cosign

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from harness.programs import Kitline
    from harness.registries import Registry

    Peer = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = [pytest.mark.peer, pytest.mark.registry]

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SIGNATURE = "https://sigstore.dev/cosign/sign/v1"
IDENTITY, ISSUER = "dev@example.com", "https://issuer.example.com"
MALFORMED = {
    "no JSON": b"{",
    "another version": b'{"mediaType":"application/vnd.dev.sigstore.bundle+json;version=9.9"}',
    "no envelope": json.dumps(
        {"mediaType": BUNDLE, "verificationMaterial": {"publicKey": {"hint": ""}}}
    ).encode(),
    "a signature that is none": json.dumps(
        {
            "mediaType": BUNDLE,
            "verificationMaterial": {"publicKey": {"hint": ""}},
            "dsseEnvelope": {
                "payload": base64.b64encode(b"{}").decode(),
                "payloadType": "application/vnd.in-toto+json",
                "signatures": [{"sig": "AAAA"}],
            },
        }
    ).encode(),
}


@pytest.fixture
def cosign(tmp_path: Path) -> Cosign:
    """cosign with a pair of keys."""
    folder = tmp_path / "cosign"
    folder.mkdir()
    found = Cosign(folder=folder)
    found.make_keys("ours")
    return found


@pytest.fixture
def signer(kitline: Kitline) -> Kitline:
    """kitline with the password of cosign's keys."""
    return replace(kitline, settings={"COSIGN_PASSWORD": PASSWORD})


def attach_bundle(peer: Peer, kit: str, content: bytes, folder: Path) -> None:
    """Attach any bytes as a bundle, with oras."""
    (folder / "bundle.json").write_bytes(content)
    peer(
        "oras", "attach", "--plain-http", "--disable-path-validation", "--artifact-type", BUNDLE,
        "--annotation", f"dev.sigstore.bundle.predicateType={SIGNATURE}",
        "--annotation", "dev.sigstore.bundle.content=dsse-envelope",
        kit, f"{folder / 'bundle.json'}:{BUNDLE}",
    )  # fmt: skip


@pytest.mark.parametrize("kind", MALFORMED)
@pytest.mark.parametrize("registry_kind", ["distribution", "olareg"])
def test_both_refuse_a_malformed_bundle_and_it_hides_no_good_one(
    kind: str, registry_kind: str, signer: Kitline, cosign: Cosign, tree: Path, peer: Peer,
    start_registry: Callable[[str], Registry], repository: str, tmp_path: Path,
) -> None:  # fmt: skip
    name = start_registry(registry_kind).reference(f"{repository}:v1")
    public = cosign.folder / "ours.pub"
    kit = signer.pinned("pack", tree, "-t", name)
    attach_bundle(peer, kit, MALFORMED[kind], tmp_path)

    refused = signer.run("verify", kit, "--key", public, check=False)
    complaint = cosign.complaint(kit, "ours.pub")
    signer.run("sign", kit, "--key", cosign.folder / "ours.key")

    assert refused.returncode == 3
    assert "(bundle): " in refused.stderr
    assert "Traceback" not in refused.stderr
    assert complaint != ""
    assert signer.pinned("verify", kit, "--key", public) == kit


@pytest.mark.parametrize(("suffix", "verb"), [("sig", "sign"), ("att", "attest")])
def test_both_refuse_a_tag_moved_from_another_kit(
    suffix: str, verb: str, signer: Kitline, cosign: Cosign, registry: Registry, repository: str,
    tree: Path, peer: Peer, tmp_path: Path,
) -> None:  # fmt: skip
    name = registry.reference(f"{repository}:v1")
    signed = signer.pinned("pack", tree, "-t", name)
    cosign.sign(signed, "ours.key", "tag")
    (tmp_path / "said.json").write_text("{}")
    (cosign.folder / "said.json").write_text('{"a": "b"}')
    cosign.attest(signed, "ours.key", "custom", "said.json", "tag")
    (tree / "model/model.bin").write_bytes(b"changed")
    changed = signer.pinned("pack", tree, "-t", name)
    place = registry.reference(repository)
    old, new = (each.partition("@sha256:")[2] for each in (signed, changed))
    peer("oras", "tag", "--plain-http", f"{place}:sha256-{old}.{suffix}", f"sha256-{new}.{suffix}")
    words = ("--attestation", "custom", "--no-signature") if verb == "attest" else ()

    accepted = signer.run("verify", signed, "--key", cosign.folder / "ours.pub", *words)
    refused = signer.run("verify", changed, "--key", cosign.folder / "ours.pub", *words,
                         check=False)  # fmt: skip

    assert accepted.returncode == 0
    assert refused.returncode == 3
    about = "payload critical.image" if verb == "sign" else "statement: its subject is another"
    assert about in refused.stderr
    if verb == "sign":
        assert cosign.complaint(changed, "ours.pub", "tag") != ""
    else:
        assert cosign.attestation_complaint(changed, "ours.pub", "custom", "tag") != ""


def test_a_kit_that_is_only_attested_to_is_not_signed_in_either_form(
    signer: Kitline, cosign: Cosign, registry: Registry, repository: str, tree: Path
) -> None:
    name = registry.reference(f"{repository}:v1")
    kit = signer.pinned("pack", tree, "-t", name)
    (cosign.folder / "said.json").write_text('{"a": "b"}')
    for form in FORMS:
        cosign.attest(kit, "ours.key", "custom", "said.json", form)

    refused = signer.run("verify", kit, "--key", cosign.folder / "ours.pub", check=False)

    assert refused.returncode == 3
    assert "is not signed by key" in refused.stderr
    assert cosign.complaint(kit, "ours.pub") == "", (
        "cosign tells them apart now; say so in the docs"
    )


def certificate(folder: Path, start: datetime, end: datetime) -> tuple[bytes, object]:
    """Return the certificate of an identity, valid from `start` to `end`, and its key."""
    authority, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "example"),
            x509.NameAttribute(NameOID.COMMON_NAME, "our own"),
        ]
    )
    begin = datetime(2020, 1, 1, tzinfo=UTC)
    top = (
        x509.CertificateBuilder(name, name, authority.public_key(), x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=36500))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(sign=False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(authority.public_key()), False)
        .sign(authority, SHA256())
    )
    issuer = x509.UnrecognizedExtension(
        x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1"), ISSUER.encode()
    )
    leaf = (
        x509.CertificateBuilder(name, x509.Name([]), key.public_key(), x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName([x509.RFC822Name(IDENTITY)]), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), False)
        .add_extension(_usage(sign=True), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), False
        )
        .add_extension(issuer, critical=False)
        .sign(authority, SHA256())
    )
    (folder / "ca.pem").write_bytes(top.public_bytes(Encoding.PEM))
    return leaf.public_bytes(Encoding.DER), key


def _usage(*, sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=sign, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=not sign, crl_sign=not sign,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip


def make_root(cosign: Cosign) -> None:
    """Write `root.json`: our own authority, and a log that nobody wrote to."""
    log = "url=https://log.example.com,public-key=ours.pub,start-time=2020-01-01T00:00:00Z"
    authority = "url=https://ca.example.com,certificate-chain=ca.pem"
    cosign.run(
        "trusted-root", "create", "--no-default-rekor", "--no-default-ctfe", "--no-default-tsa",
        "--no-default-fulcio", f"--fulcio={authority},start-time=2020-01-01T00:00:00Z",
        f"--rekor={log}", f"--ctfe={log}", "--out", "root.json",
    )  # fmt: skip


def test_both_refuse_an_expired_certificate(
    signer: Kitline, cosign: Cosign, distribution: Registry, repository: str, tree: Path,
    peer: Peer, tmp_path: Path,
) -> None:  # fmt: skip
    """While its certificate is valid cosign accepts the same bundle, so that is what it minds.

    kitline takes no certificate whose time no log vouches for, be it valid now or not.
    """
    from kitline.oci.digest import Digest
    from kitline.trust.dsse import seal
    from kitline.trust.keys import private_key
    from kitline.trust.statement import statement_bytes

    now = datetime.now(UTC).replace(microsecond=0)
    hour, day = timedelta(hours=1), timedelta(days=1)
    complaints = {}
    for name, start in {"valid": now - hour, "expired": now - 30 * day}.items():
        target = distribution.reference(f"{repository}-{name}:v1")
        kit = signer.pinned("pack", tree, "-t", target)
        leaf, key = certificate(cosign.folder, start, start + day)
        make_root(cosign)
        payload = statement_bytes(Digest(kit.partition("@")[2]), SIGNATURE, {})
        envelope = seal(payload, private_key(key, "certified"))
        material = {"certificate": {"rawBytes": base64.b64encode(leaf).decode()}}
        bundle = {"mediaType": BUNDLE, "verificationMaterial": material,
                  "dsseEnvelope": envelope.to_json()}  # fmt: skip
        attach_bundle(peer, kit, json.dumps(bundle).encode(), tmp_path)
        words = ("--certificate-identity", IDENTITY, "--certificate-oidc-issuer", ISSUER,
                 "--trusted-root", "root.json")  # fmt: skip

        verified = cosign.run("verify", *words, *UNLOGGED, "--insecure-ignore-sct=true", kit,
                              check=False)  # fmt: skip
        refused = signer.run("verify", kit, *words[:-1], cosign.folder / "root.json", check=False)

        complaints[name] = verified.stderr if verified.returncode else ""
        assert refused.returncode == 3, refused.stderr
        assert "signature: is not by identity" in refused.stderr
    assert complaints["valid"] == ""
    assert "leaf certificate verification failed" in complaints["expired"]
