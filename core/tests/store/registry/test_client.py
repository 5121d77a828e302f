"""The client: retries, timeouts, TLS, proxies, redirects and where credentials go."""

from __future__ import annotations

import hashlib
import ssl
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from typing import TYPE_CHECKING

import pytest
import requests
from kitline.errors import (
    AuthenticationFailed,
    InvalidSetting,
    RegistryError,
    RegistryUnreachable,
)
from kitline.oci.digest import Digest
from kitline.oci.reference import Reference
from kitline.store.registry import RegistryOptions, RetryPolicy, open_registry
from kitline.store.registry.faults import clean
from kitline.store.registry.origin import Origin, follow
from kitline.store.registry.retry import Patience, retry_after
from kitline.store.source import BytesSource
from kitline.testing import BearerAuth, Fault, LocalRegistry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from kitline.store.registry import RegistryStore

    Script = Callable[[str, str, Mapping[str, str], bytes], tuple[int, Mapping[str, str], bytes]]

QUICK = RetryPolicy(least=0.0, most=0.01)
NEVER = RetryPolicy(tries=1)
DATA = hashlib.shake_128(b"client").digest(6 << 20)
ABSENT = Digest("sha256:" + "0" * 64)


def connect(host: str, **options: object) -> RegistryStore:
    settings = RegistryOptions(**{"retry": QUICK, **options})  # type: ignore[arg-type]  # any
    return open_registry(Reference.parse(f"{host}/team/model"), settings)


def answer(status: int, **headers: str) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response.headers.update({name.replace("_", "-"): text for name, text in headers.items()})
    return response


def test_pauses_grow_with_full_jitter_and_end_after_five_tries() -> None:
    pauses: list[float] = []
    patience = Patience(RetryPolicy(), sleep=pauses.append)
    assert [patience.wait() for _ in range(5)] == [True, True, True, True, False]
    assert all(0.2 <= pause <= 3.0 for pause in pauses)
    patience.progress()
    assert patience.wait(7.5)
    assert pauses[-1] == 7.5
    assert not patience.wait(3600)


def test_retry_after_is_seconds_or_a_date() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert retry_after(answer(429, Retry_After="12")) == 12
    assert 25 < (retry_after(answer(503, Retry_After=later)) or 0) <= 30
    assert retry_after(answer(500, Retry_After="12")) is None
    assert retry_after(answer(429, Retry_After="soon")) is None
    assert retry_after(answer(429)) is None


def test_a_registry_that_asks_for_an_hour_is_given_up_at_once(
    local_registry: LocalRegistry,
) -> None:
    local_registry.inject(Fault.too_many_requests(retry_after=3600, times=None))
    with (
        connect(local_registry.host) as store,
        pytest.raises(RegistryUnreachable, match="asks to wait 3600 s"),
    ):
        store.has_blob(ABSENT)
    assert local_registry.count() == 1


def test_what_will_not_pass_is_not_tried_again(local_registry: LocalRegistry) -> None:
    with connect(local_registry.host) as store:
        for status in (400, 403, 405, 409):
            local_registry.forget()
            local_registry.inject(Fault.answer(status, times=1))
            with pytest.raises(RegistryError):
                store.has_blob(ABSENT)
            assert local_registry.count() == 1


def test_a_silent_registry_is_told_after_its_timeout(local_registry: LocalRegistry) -> None:
    local_registry.inject(Fault.stall(seconds=5, times=None))
    policy = RetryPolicy(tries=2, least=0, most=0.01)
    with (
        connect(local_registry.host, read_timeout=0.1, retry=policy) as store,
        pytest.raises(RegistryUnreachable, match="did not answer in time"),
    ):
        store.has_blob(ABSENT)


def test_tokens_that_end_in_the_middle_are_replaced() -> None:
    with LocalRegistry(auth=BearerAuth()) as registry:
        registry.inject(Fault.expire_tokens(methods=("PATCH",)))
        registry.inject(Fault.expire_tokens(methods=("PUT",)))
        with connect(registry.host, username="ci", password="secret") as store:
            assert store.push_blob(BytesSource(DATA)).size == len(DATA)


def test_wrong_credentials_never_show_in_the_message() -> None:
    with (
        LocalRegistry(auth=BearerAuth()) as registry,
        connect(registry.host, username="ci", password="not-the-secret") as store,
        pytest.raises(AuthenticationFailed) as caught,
    ):
        store.push_blob(BytesSource(b"{}"))
    assert "not-the-secret" not in str(caught.value)
    assert "not-the-secret" not in repr(RegistryOptions(password="not-the-secret"))


def test_secrets_in_a_registrys_words_are_left_out() -> None:
    told = clean("no: Bearer abcdefghij at https://u:p@x/y?X-Signature=12345678\n\x1b[31m", 300)
    assert "abcdefghij" not in told
    assert "u:p" not in told
    assert "12345678" not in told
    assert "\x1b" not in told
    assert len(clean("x" * 1000, 300)) == 301


@pytest.mark.parametrize(
    ("registry", "plain_http", "origin"),
    [
        ("reg.example", None, "https://reg.example"),
        ("reg.example:5000", None, "https://reg.example:5000"),
        ("reg.example", True, "http://reg.example"),
        ("localhost:5000", None, "http://localhost:5000"),
        ("127.0.0.1:5000", None, "http://127.0.0.1:5000"),
        ("[::1]:5000", None, "http://[::1]:5000"),
        ("127.0.0.1:5000", False, "https://127.0.0.1:5000"),
        ("localhost.example", None, "https://localhost.example"),
        ("docker.io", None, "https://registry-1.docker.io"),
    ],
)
def test_loopback_is_plain_and_others_only_when_told(
    registry: str, plain_http: bool | None, origin: str
) -> None:
    assert str(Origin.of_registry(registry, plain_http=plain_http)) == origin


def test_a_step_out_of_encryption_is_refused() -> None:
    here = "https://reg.example/v2/x/blobs/uploads/"
    assert follow(here, "/v2/y?state=1%2F2&b=") == "https://reg.example/v2/y?state=1%2F2&b="
    assert follow(here, "http://reg.example/v2/y?s=1") == "https://reg.example/v2/y?s=1"
    assert follow(here, "https://store.example/y") == "https://store.example/y"
    for bad in ("http://store.example/y", "file:///etc/passwd", "https://u:p@x/y", "https://x:y/"):
        with pytest.raises(RegistryError):
            follow(here, bad)


def test_a_certificate_must_be_known_named_or_waived(tmp_path: Path) -> None:
    certificate, context = _certificate(tmp_path)
    with LocalRegistry(tls=context) as registry:
        with connect(registry.host, plain_http=False, ca_file=certificate) as store:
            assert store.push_blob(BytesSource(DATA)).size == len(DATA)
            assert store.probe().is_verified
        with connect(registry.host, plain_http=False, insecure=True) as store:
            assert not store.has_blob(ABSENT)
            assert not store.probe().is_verified
        with (
            connect(registry.host, plain_http=False) as store,
            pytest.raises(RegistryUnreachable, match="is not trusted; name its CA file"),
        ):
            store.has_blob(ABSENT)
    with pytest.raises(InvalidSetting, match="ca_file"):
        connect("reg.example", ca_file=tmp_path / "absent")


def test_a_registry_without_tls_is_not_spoken_to_in_plain(local_registry: LocalRegistry) -> None:
    with (
        connect(local_registry.host, plain_http=False) as store,
        pytest.raises(RegistryUnreachable, match="does not speak TLS"),
    ):
        store.has_blob(ABSENT)
    assert local_registry.requests == []


def test_loopback_never_goes_through_a_proxy(
    local_registry: LocalRegistry, serve: Callable[[Script], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def proxy(
        method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        asked.append(path)
        return 404, {}, b""

    address = serve(proxy)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, address)
    with connect(local_registry.host) as store:
        assert not store.has_blob(ABSENT)
        assert store.probe().proxy == ""
    assert asked == []
    with connect("registry.invalid", plain_http=True) as store:
        assert not store.has_blob(ABSENT)
        assert store.probe().proxy == address
    assert asked[0] == f"http://registry.invalid/v2/team/model/blobs/{ABSENT}"


def test_ports_in_no_proxy_are_those_of_the_address(
    serve: Callable[[Script], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def proxy(
        method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        return 404, {}, b""

    monkeypatch.setenv("http_proxy", serve(proxy))
    monkeypatch.setenv("no_proxy", "registry.invalid:80")
    with connect("registry.invalid", plain_http=True, retry=NEVER) as store:
        look = partial(store.client.send, "GET", what="look", expect={404}, scopes=())
        look("http://registry.invalid")
        with pytest.raises(RegistryUnreachable):
            look("http://registry.invalid:80")


def test_the_environment_is_asked_for_the_way_to_an_origin_only_once(
    local_registry: LocalRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = requests.sessions.get_environ_proxies

    def get_environ_proxies(url: str, no_proxy: str | None = None) -> dict[str, str]:
        asked.append(url)
        return real(url, no_proxy)

    monkeypatch.setattr(requests.sessions, "get_environ_proxies", get_environ_proxies)
    with connect(local_registry.host) as store:
        for _ in range(3):
            assert not store.has_blob(ABSENT)
    assert asked == [f"http://{local_registry.host}/v2/team/model/blobs/{ABSENT}"]


def test_netrc_does_not_replace_credentials(
    local_registry: LocalRegistry, isolated_home: Path
) -> None:
    netrc = isolated_home / ".netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    netrc.chmod(0o600)
    with connect(local_registry.host) as store:
        store.has_blob(ABSENT)
    assert local_registry.authorizations == []


def test_many_threads_share_one_store(local_registry: LocalRegistry) -> None:
    with connect(local_registry.host) as store:
        threads = [
            threading.Thread(target=store.push_blob, args=(BytesSource(DATA[n:]),))
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    repository = local_registry.content.find("team/model")
    assert repository is not None
    assert len(repository.blobs) == 8


def _certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """Make a certificate for 127.0.0.1."""
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = folder / "key.pem"
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, private)
    return path, context
