"""Keys in a service: AWS KMS, played by a small server on loopback, through securesystemslib."""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kitline.testing.command_line import CommandLine

pytestmark = pytest.mark.slow  # boto3 takes seconds to load


class Service(HTTPServer):
    """Answers GetPublicKey and Sign as the API reference says, for one key by its alias."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.algorithms = ["ECDSA_SHA_256"]
        self.is_broken = False

    def answer(self, action: str, asked: dict[str, Any]) -> dict[str, object] | None:
        if asked["KeyId"] != "alias/kits":
            return None
        if action == "GetPublicKey":
            public = self.key.public_key().public_bytes(
                Encoding.DER, PublicFormat.SubjectPublicKeyInfo
            )
            return {
                "KeyId": "alias/kits",
                "PublicKey": base64.b64encode(public).decode(),
                "SigningAlgorithms": self.algorithms,
            }
        assert asked["MessageType"] == "DIGEST"
        digest = bytes(32) if self.is_broken else base64.b64decode(asked["Message"])
        signature = self.key.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
        return {"KeyId": "alias/kits", "Signature": base64.b64encode(signature).decode()}


class Handler(BaseHTTPRequestHandler):
    """Speaks the JSON protocol of AWS."""

    server: Service

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        found = self.server.answer(self.headers["X-Amz-Target"].rpartition(".")[2], asked)
        missing = {"__type": "NotFoundException", "message": "no such key"}
        body = json.dumps(missing if found is None else found).encode()
        self.send_response(400 if found is None else 200)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with Service() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "eu-central-1",
        }.items():
            monkeypatch.setenv(name, value)
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.usefixtures("service")
def test_a_kit_is_signed_with_a_key_that_never_leaves_its_service(
    run: CommandLine, folder: Path
) -> None:
    from kitline.trust.key_source import load_public_key

    run("pack", folder, "-t", "iris:v1")
    key = ("--key", "awskms:///alias/kits")

    signed = run("sign", "iris:v1", *key, "--legacy", "--json")
    again = run("sign", "iris:v1", *key, "--legacy", "--json")
    (folder.parent / "kms.pub").write_bytes(load_public_key("awskms:///alias/kits").pem)

    assert signed.json["written"] is True
    assert again.json["written"] is False
    assert run("verify", "iris:v1", *key).stderr == (
        "signed by key 'awskms:///alias/kits' (bundle)\n"
    )
    assert run("verify", "iris:v1", "--key", "kms.pub").code == 0


def test_what_a_service_does_not_have_or_do_is_said(
    run: CommandLine, folder: Path, service: Service
) -> None:
    run("pack", folder, "-t", "iris:v1")

    missing = run("sign", "iris:v1", "--key", "awskms:///alias/none")
    no_client = run("sign", "iris:v1", "--key", "hashivault://kits")
    service.is_broken = True
    wrong = run("sign", "iris:v1", "--key", "awskms:///alias/kits")
    service.algorithms = ["ECDSA_SHA_384"]
    other = run("sign", "iris:v1", "--key", "awskms:///alias/kits")

    assert "cannot use key 'awskms:///alias/none': " in missing.error
    assert "no such key" in missing.error
    assert "pip install 'kitline[kms]' 'securesystemslib[vault]'" in no_client.error
    assert "what it signs does not verify with its public key; nothing was attached" in wrong.error
    assert "cannot use key 'awskms:///alias/kits': it is for ecdsa-sha2-nistp384" in other.error
    assert run("attestations", "iris:v1").stderr == "nothing is said of iris:v1\n"
