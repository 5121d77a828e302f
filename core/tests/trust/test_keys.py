"""Keys: cosign's, OpenSSL's, from files and the environment; what cannot be used is refused."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from kitline.errors import UnusableKey
from kitline.trust import encrypted_key
from kitline.trust.key_files import read_private_key, read_public_key, write_pem
from kitline.trust.key_source import find_password, load_public_key, load_signer

if TYPE_CHECKING:
    from kitline.testing.command_line import CommandLine

KEYS = Path(__file__).parent.parent / "data/keys"


def nobody() -> bytes:
    raise AssertionError("a password was asked for")


def p256() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def pem(key: Any, shape: PrivateFormat, password: bytes = b"") -> bytes:
    how = BestAvailableEncryption(password) if password else NoEncryption()
    found: bytes = key.private_bytes(Encoding.PEM, shape, how)
    return found


def public_pem(key: Any) -> bytes:
    found: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return found


@pytest.mark.parametrize("name", ["cosign", "ed25519"])
def test_a_private_key_that_cosign_encrypted_belongs_to_its_public_key(name: str) -> None:
    private = read_private_key((KEYS / f"{name}.key").read_bytes(), name, lambda: b"geheim")
    public = read_public_key((KEYS / f"{name}.pub").read_bytes(), name)

    signature = private.sign(b"bytes")

    assert private.public.pem == (KEYS / f"{name}.pub").read_bytes()
    assert public.is_signed(b"bytes", signature)
    assert not public.is_signed(b"other bytes", signature)
    assert not public.is_signed(b"bytes", b"")
    assert private.sign(b"bytes") == signature  # RFC 6979 and Ed25519: no chance in it


def test_a_wrong_password_is_said_to_be_wrong() -> None:
    with pytest.raises(UnusableKey, match=r"cannot decrypt key 'k': the password is wrong"):
        read_private_key((KEYS / "cosign.key").read_bytes(), "k", lambda: b"falsch")


@pytest.mark.parametrize("shape", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("password", [b"", b"geheim"])
def test_keys_of_openssl_are_read_with_and_without_password(
    shape: PrivateFormat, password: bytes
) -> None:
    key = p256()

    read = read_private_key(pem(key, shape, password), "k", lambda: password or nobody())

    assert read.public.pem == public_pem(key)


def test_a_wrong_password_of_an_openssl_key_is_refused() -> None:
    text = pem(p256(), PrivateFormat.PKCS8, b"geheim")

    with pytest.raises(UnusableKey, match="damaged, or the password is wrong"):
        read_private_key(text, "k", lambda: b"falsch")


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        (rsa.generate_private_key(65537, 2048), "RSA"),
        (ec.generate_private_key(ec.SECP521R1()), "ECDSA over secp521r1"),
        (ec.generate_private_key(ec.SECP256K1()), "ECDSA over secp256k1"),
    ],
)
def test_kinds_of_keys_that_cosign_does_not_share_are_refused(key: Any, kind: str) -> None:
    with pytest.raises(UnusableKey, match=f"cannot use key 'k': it is {kind}"):
        read_private_key(pem(key, PrivateFormat.PKCS8), "k", nobody)
    with pytest.raises(UnusableKey, match=f"cannot use key 'k': it is {kind}"):
        read_public_key(public_pem(key), "k")


def test_private_and_public_keys_are_not_mistaken_for_each_other() -> None:
    key = p256()

    with pytest.raises(UnusableKey, match="holds a public key, not a private key"):
        read_private_key(public_pem(key), "k", nobody)
    with pytest.raises(UnusableKey, match=r"name the public key, such as cosign\.pub"):
        read_public_key(pem(key, PrivateFormat.PKCS8), "k")
    with pytest.raises(UnusableKey, match="holds an encrypted sigstore private key"):
        read_public_key((KEYS / "cosign.key").read_bytes(), "k")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"nothing",
        b"\xff\x00" * 100,
        b"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n",
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        b"-----BEGIN PUBLIC KEY-----\nA\n-----END PUBLIC KEY-----\n",
        b"-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQ",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        write_pem(encrypted_key.LABEL, b""),
        b"x" * (1 << 20),
    ],
)  # fmt: skip
def test_what_is_no_key_is_refused_without_a_crash(text: bytes) -> None:
    with pytest.raises(UnusableKey):
        read_public_key(text, "k")
    with pytest.raises(UnusableKey):
        read_private_key(text, "k", lambda: b"geheim")


def hostile(**changes: object) -> bytes:
    fields: dict[str, Any] = {
        "kdf": {
            "name": "scrypt",
            "params": {"N": 16, "r": 1, "p": 1},
            "salt": base64.b64encode(bytes(32)).decode(),
        },
        "cipher": {"name": "nacl/secretbox", "nonce": base64.b64encode(bytes(24)).decode()},
        "ciphertext": base64.b64encode(bytes(64)).decode(),
    }
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = fields
        for each in parents:
            place = place[each]
        place[last] = value
    return write_pem(encrypted_key.LABEL, json.dumps(fields).encode())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, "the password is wrong"),
        ({"kdf__params__N": 1 << 40}, "ask for too much"),
        ({"kdf__params__p": 1 << 30}, "ask for too much"),
        ({"kdf__params__N": 15}, "scrypt cannot work with it"),
        ({"kdf__params__N": -1}, "malformed"),
        ({"kdf__params__N": "65536"}, "malformed"),
        ({"kdf__params__N": True}, "malformed"),
        ({"kdf__params": None}, "malformed"),
        ({"kdf": []}, "malformed"),
        ({"kdf__salt": "%%%"}, "malformed"),
        ({"cipher__nonce": "AAAA"}, "the password is wrong"),
        ({"cipher__name": "rot13"}, "'scrypt' and 'rot13'"),
        ({"kdf__name": "md5"}, "'md5' and 'nacl/secretbox'"),
        ({"ciphertext": ""}, "the password is wrong"),
    ],
)
def test_hostile_key_files_are_refused_before_they_cost_anything(
    changes: dict[str, object], reason: str
) -> None:
    with pytest.raises(UnusableKey, match=reason):
        read_private_key(hostile(**changes), "k", lambda: b"geheim")


def test_a_key_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    monkeypatch.setenv("SIGNING_KEY", pem(key, PrivateFormat.PKCS8).decode())
    monkeypatch.setenv("VERIFYING_KEY", public_pem(key).decode())

    signature = load_signer("env://SIGNING_KEY").sign(b"bytes")

    assert load_public_key("env://VERIFYING_KEY").is_signed(b"bytes", signature)
    with pytest.raises(UnusableKey, match="'NONE' is not set"):
        load_signer("env://NONE")


def test_a_password_comes_from_the_environment_else_from_a_person_else_not_at_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("COSIGN_PASSWORD")
    with pytest.raises(UnusableKey, match="set KITLINE_KEY_PASSWORD or COSIGN_PASSWORD"):
        load_signer(str(KEYS / "cosign.key"))
    assert (
        find_password("k", lambda prompt: f"typed after {prompt}") == b"typed after Password of k"
    )
    monkeypatch.setenv("COSIGN_PASSWORD", "")
    assert find_password("k", None) == b""
    monkeypatch.setenv("KITLINE_KEY_PASSWORD", "first")
    assert find_password("k", None) == b"first"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("missing.key", "No such file"),
        (".", "Is a directory"),
        ("k8s://team/key", "nothing reads 'k8s'; keys are files, env://VARIABLE, or URIs"),
        ("pkcs11://x", "nothing reads 'pkcs11'"),
    ],
)
def test_keys_from_nowhere_are_refused_with_the_way_out(source: str, reason: str) -> None:
    with pytest.raises(UnusableKey, match=reason):
        load_signer(source)
    with pytest.raises(UnusableKey, match=reason):
        load_public_key(source)


@pytest.mark.parametrize(
    ("missing", "action", "extra"),
    [
        ("nacl", f"load_signer({str(KEYS / 'cosign.key')!r})", "kitline[signing]"),
        ("securesystemslib", "load_signer('awskms:///alias/x')", "kitline[kms]"),
        ("securesystemslib", "load_public_key('gcpkms://x')", "kitline[kms]"),
    ],
    ids=["PyNaCl", "to sign", "to verify"],
)
def test_a_missing_library_is_named_with_the_extra_that_brings_it(
    missing: str, action: str, extra: str
) -> None:
    script = f"""
import os, sys
from importlib.abc import MetaPathFinder
class Hidden(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == {missing!r}:
            raise ImportError(name)
sys.meta_path.insert(0, Hidden())
os.environ["COSIGN_PASSWORD"] = "geheim"
from kitline.errors import UnusableKey
from kitline.trust.key_source import load_public_key, load_signer
try:
    {action}
except UnusableKey as problem:
    print(problem)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert extra in done.stdout


def test_a_new_key_pair_is_cosigns_and_never_replaces_another(
    run: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COSIGN_PASSWORD")
    nobody_there = run("keygen", "team").error
    monkeypatch.setenv("KITLINE_KEY_PASSWORD", "geheim")

    made = run("keygen", "team")
    again = run("keygen", "team")

    assert "there is nobody to ask for the password of key 'team.key'" in nobody_there
    assert made.stdout == "team.pub\n"
    assert "'team.key' is there already" in again.error
    assert (tmp_path / "team.key").stat().st_mode & 0o777 == 0o600
    signer = load_signer("team.key")
    assert signer.public.pem == (tmp_path / "team.pub").read_bytes()
    first = (tmp_path / "team.key").read_text().splitlines()[0]
    assert first == "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----"


def test_a_key_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSIGN_PASSWORD", "geheim")
    signer = load_signer(str(KEYS / "cosign.key"))

    assert "geheim" not in repr(signer)
    assert repr(signer) == f"PrivateKey(name={str(KEYS / 'cosign.key')!r})"
