"""The clouds' own libraries, each in a process of its own, against endpoints on loopback."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from kitline.store.registry.credentials import look_up_credential
from kitline.store.registry.identity import cloud_of, find_identity

if TYPE_CHECKING:
    from pathlib import Path

Reply = tuple[int, Mapping[str, str], bytes]
Serve = Callable[..., str]

ECR = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
PROGRAM = """
import dataclasses, importlib, json, sys
cloud, registry, *more = sys.argv[1:]
identity = importlib.import_module(f"kitline.store.registry.identity_{cloud}")
found = identity.get_identity(registry, **dict(word.split("=", 1) for word in more))
assert found.password not in repr(found) or not found.password
print(json.dumps(dataclasses.asdict(found)))
"""


def get_identity(
    home: Path, environ: Mapping[str, str], cloud: str, registry: str, *more: str
) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, cloud, registry, *more],
        env={"HOME": str(home), "PATH": "/usr/bin:/bin", **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize(
    ("registry", "cloud"),
    [
        (ECR, "aws"),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "aws"),
        ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "aws"),
        ("public.ecr.aws", "aws"),
        ("europe-west3-docker.pkg.dev", "gcp"),
        ("gcr.io", "gcp"),
        ("eu.gcr.io", "gcp"),
        ("team.azurecr.io", "azure"),
        ("ghcr.io", None),
        ("evilgcr.io", None),
        ("gcr.io.evil.example", None),
        ("123456789012.dkr.ecr.eu-central-1.amazonaws.com.evil.example", None),
        ("xazurecr.io", None),
        ("gcr.io:5000", None),
    ],
)
def test_each_cloud_is_known_by_the_host_and_by_nothing_like_it(
    registry: str, cloud: str | None
) -> None:
    assert cloud_of(registry) == cloud


@pytest.mark.parametrize(
    ("registry", "library", "extra"),
    [
        (ECR, "boto3", "aws"),
        ("eu.gcr.io", "google.auth", "gcp"),
        ("team.azurecr.io", "azure.identity", "azure"),
    ],
)
def test_a_missing_extra_is_a_note_that_says_what_to_install(
    registry: str, library: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)

    found = look_up_credential(registry, environ={})

    assert found.credential is None
    assert f"pip install 'kitline[{extra}]'" in found.notes[0]


def test_other_registries_have_no_identity() -> None:
    assert find_identity("ghcr.io") == (None, ())


class Aws:
    """STS, the agent of EKS Pod Identity, ECR and public ECR."""

    def __init__(self, serve: Serve) -> None:
        self.expires_at = int(time.time()) + 43200
        self.seen: list[tuple[str, str, dict[str, list[str]]]] = []
        self.base = serve(self.script)
        self.environ = {
            f"AWS_ENDPOINT_URL_{service}": self.base for service in ("STS", "ECR", "ECR_PUBLIC")
        } | {"AWS_EC2_METADATA_DISABLED": "true"}

    def script(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        self.seen.append((path, headers.get("Authorization", ""), parse_qs(body.decode())))
        soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
        token = base64.b64encode(b"AWS:cloud-word").decode()
        data = {"authorizationToken": token, "expiresAt": self.expires_at}
        target = headers.get("X-Amz-Target", "")
        if path == "/pod":
            keys = {"AccessKeyId": "PODKEY", "SecretAccessKey": "s", "Token": "t"}
            return 200, {}, json.dumps(keys | {"Expiration": soon}).encode()
        if target.endswith("SpencerFrontendService.GetAuthorizationToken"):
            return 200, {}, json.dumps({"authorizationData": data}).encode()
        if target.endswith("ContainerRegistry_V20150921.GetAuthorizationToken"):
            return 200, {}, json.dumps({"authorizationData": [data]}).encode()
        answer = (
            '<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
            "<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ROLEKEY</AccessKeyId>"
            "<SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
            f"<Expiration>{soon}</Expiration></Credentials></AssumeRoleWithWebIdentityResult>"
            "</AssumeRoleWithWebIdentityResponse>"
        )
        return 200, {"Content-Type": "text/xml"}, answer.encode()


def test_ecr_takes_the_role_of_a_service_account(serve: Serve, tmp_path: Path) -> None:
    aws = Aws(serve)
    (tmp_path / "token").write_text("projected-token")
    role = "arn:aws:iam::123456789012:role/training"
    environ = {"AWS_ROLE_ARN": role, "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token")}

    found = get_identity(tmp_path, aws.environ | environ, "aws", ECR)

    assert (found["username"], found["password"]) == ("AWS", "cloud-word")
    assert found["expires_at"] == aws.expires_at
    assert found["source"] == "the workload's own identity (AWS)"
    (_, _, asked), (_, signed, _) = aws.seen
    assert (asked["RoleArn"], asked["WebIdentityToken"]) == ([role], ["projected-token"])
    assert "Credential=ROLEKEY/" in signed
    assert "/eu-central-1/ecr/aws4_request" in signed


def test_ecr_takes_the_pod_identity_of_eks(serve: Serve, tmp_path: Path) -> None:
    aws = Aws(serve)
    (tmp_path / "token").write_text("pod-token")
    environ = {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": aws.base + "/pod",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(tmp_path / "token"),
    }

    found = get_identity(tmp_path, aws.environ | environ, "aws", ECR)

    assert found["password"] == "cloud-word"
    assert aws.seen[0][:2] == ("/pod", "pod-token")
    assert "Credential=PODKEY/" in aws.seen[1][1]


def test_public_ecr_is_asked_in_its_only_region(serve: Serve, tmp_path: Path) -> None:
    aws = Aws(serve)
    environ = {"AWS_ACCESS_KEY_ID": "KEY", "AWS_SECRET_ACCESS_KEY": "s"}

    found = get_identity(tmp_path, aws.environ | environ, "aws", "public.ecr.aws")

    assert found["password"] == "cloud-word"
    assert "/us-east-1/ecr-public/aws4_request" in aws.seen[0][1]


def test_a_machine_outside_of_the_cloud_gets_a_note_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_ROLE_ARN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))

    assert find_identity(ECR) == (
        None,
        ("no identity of this workload (aws): Unable to locate credentials",),
    )


def test_artifact_registry_takes_the_token_of_the_metadata_server(
    serve: Serve, tmp_path: Path
) -> None:
    def script(method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        flavor = {"Metadata-Flavor": "Google", "Content-Type": "application/json"}
        where = urlsplit(path).path.removeprefix("/computeMetadata/v1/")
        if where == "instance/service-accounts/default/":
            return 200, flavor, b'{"email": "sa@p.example", "scopes": ["a"], "aliases": []}'
        if where.startswith("instance/service-accounts/") and where.endswith("/token"):
            token = {"access_token": "cloud-word", "expires_in": 3599, "token_type": "Bearer"}
            return 200, flavor, json.dumps(token).encode()
        answers = {"/": b"", "project/project-id": b"p", "universe/universe-domain": b""}
        return (200, flavor | {"Content-Type": "text/plain"}, answers[where])

    place = urlsplit(serve(script)).netloc
    environ = {"GCE_METADATA_HOST": place, "GCE_METADATA_IP": place}

    found = get_identity(tmp_path, environ, "gcp", "eu.gcr.io")

    assert (found["username"], found["password"]) == ("oauth2accesstoken", "cloud-word")
    assert 3000 < found["expires_at"] - time.time() < 3700


class Azure:
    """Entra, the managed identity of App Service, and an ACR that takes their tokens."""

    def __init__(self, serve: Serve, tls: ssl.SSLContext | None = None) -> None:
        self.seen: list[tuple[str, str, dict[str, list[str]]]] = []
        self.base = serve(self.script, tls)

    def script(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        parts = urlsplit(path)
        asked = parse_qs(parts.query or body.decode())
        self.seen.append((method, parts.path, asked))
        if parts.path == "/oauth2/exchange":
            known = asked["access_token"] == ["entra-token"]
            return (200, {}, b'{"refresh_token": "acr-token"}') if known else (401, {}, b"{}")
        token = {"access_token": "entra-token", "token_type": "Bearer", "expires_in": 3600}
        token |= {"expires_on": str(int(time.time()) + 3600), "resource": "r"}
        return 200, {"Content-Type": "application/json"}, json.dumps(token).encode()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "certificate.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return file


def test_acr_takes_the_workload_identity_of_a_pod(
    serve: Serve, tmp_path: Path, certificate: Path
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    azure = Azure(serve, tls)
    (tmp_path / "token").write_text("projected-token")
    environ = {
        "AZURE_AUTHORITY_HOST": azure.base,
        "AZURE_TENANT_ID": "tenant",
        "AZURE_CLIENT_ID": "client",
        "AZURE_FEDERATED_TOKEN_FILE": str(tmp_path / "token"),
        "REQUESTS_CA_BUNDLE": str(certificate),
    }

    found = get_identity(tmp_path, environ, "azure", "team.azurecr.io", f"exchange_at={azure.base}")

    assert (found["identity_token"], found["password"]) == ("acr-token", "")
    assert found["expires_at"] > time.time()
    (_, path, entra), (_, _, exchange) = azure.seen[-2:]
    assert path == "/tenant/oauth2/v2.0/token"
    assert entra["client_assertion"] == ["projected-token"]
    assert entra["scope"] == ["https://containerregistry.azure.net/.default"]
    assert exchange == {
        "grant_type": ["access_token"],
        "service": ["team.azurecr.io"],
        "access_token": ["entra-token"],
    }


def test_acr_takes_a_managed_identity(serve: Serve, tmp_path: Path) -> None:
    azure = Azure(serve)
    environ = {"IDENTITY_ENDPOINT": azure.base + "/msi", "IDENTITY_HEADER": "x"}

    found = get_identity(tmp_path, environ, "azure", "team.azurecr.io", f"exchange_at={azure.base}")

    assert found["identity_token"] == "acr-token"
    assert azure.seen[0][2]["resource"] == ["https://containerregistry.azure.net"]
