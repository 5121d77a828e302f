from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from kitline.errors import AccessDenied, AuthenticationFailed, KitlineError, RegistryUnreachable
from kitline.store.registry.auth import RegistryAuth
from kitline.store.registry.credential import Credential
from kitline.store.registry.credentials import Lookup
from kitline.store.registry.options import RetryPolicy
from kitline.store.registry.scopes import Scope
from kitline.store.registry.tokens import stale_after

Reply = tuple[int, Mapping[str, str], bytes]
Script = Callable[[str, str, Mapping[str, str], bytes], Reply]
Serve = Callable[[Script], str]

PULL, PUSH = Scope.of("a/b", "pull"), Scope.of("a/b", "pull", "push")
USER = Credential(username="ci", password="hush", source="a test")
IDENTITY = Credential(username="<token>", identity_token="hush", source="a test")


class Registry:
    """A registry with its token service: one user `ci` with password or identity token `hush`."""

    def __init__(self, serve: Serve) -> None:
        self.challenge = 'Bearer realm="{base}/token",service="reg",scope="repository:a/b:pull"'
        self.extra: dict[str, Any] = {"expires_in": 300}
        self.anonymous = self.basic = False
        self.status, self.posts = 200, 405
        self.headers: dict[str, str] = {}
        self.requests: list[tuple[str, str, dict[str, list[str]], str | None]] = []
        self.valid: dict[str, str] = {}
        self.base = serve(self.script)

    def script(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        sent, parts = headers.get("Authorization"), urlsplit(path)
        asked = parse_qs(body.decode() if method == "POST" else parts.query)
        self.requests.append((method, parts.path, asked, sent))
        if parts.path == "/token":
            return self.token(method, asked, sent)
        if (self.basic and sent == USER.basic_header()) or (sent or "")[7:] in self.valid:
            return 200, {}, b"content"
        return 401, {"WWW-Authenticate": self.challenge.format(base=self.base)}, b"{}"

    def token(self, method: str, asked: dict[str, list[str]], sent: str | None) -> Reply:
        if method == "POST" and self.posts != 200:
            return self.posts, {}, b""
        known = asked.get("refresh_token") == ["hush"] or sent in (
            USER.basic_header(),
            IDENTITY.basic_header(),
        )
        if self.status != 200 or not (known or (self.anonymous and sent is None)):
            return self.status if self.status != 200 else 401, self.headers, b"no hush here"
        value = f"t{len(self.valid)}"
        self.valid[value] = " ".join(asked.get("scope", []))
        return 200, {}, json.dumps({"token": value} | self.extra).encode()

    def seen(self, path: str) -> list[tuple[str, dict[str, list[str]], str | None]]:
        return [(method, asked, sent) for method, at, asked, sent in self.requests if at == path]


@pytest.fixture
def registry(serve: Serve) -> Registry:
    return Registry(serve)


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.auth = lambda request: request
        yield session


class Client:
    """The smallest transport there can be."""

    def __init__(
        self, base: str, session: requests.Session, *found: Credential | None, origin: str = ""
    ) -> None:
        credentials = list(found)
        self.base, self.session = base, session
        self.lookups = 0

        def find() -> Lookup:
            self.lookups += 1
            return Lookup(credential=credentials.pop(0) if len(credentials) > 1 else credentials[0])

        self.auth = RegistryAuth(
            "reg.example",
            origin=origin or base,
            session=session,
            find=find,
            retry=RetryPolicy(tries=3, least=0, most=0),
        )

    def get(self, *scopes: Scope, path: str = "/v2/a/b/manifests/v1") -> int:
        response = self.send(path, scopes)
        if response.status_code == 401 and self.auth.answer(response, scopes):
            response = self.send(path, scopes)
        return response.status_code

    def send(self, path: str, scopes: tuple[Scope, ...]) -> requests.Response:
        url = self.base + path
        return self.session.get(url, headers=self.auth.headers_for(url, scopes), timeout=10)


def test_nothing_is_sent_or_looked_up_before_a_registry_asks(
    registry: Registry, session: requests.Session
) -> None:
    client = Client(registry.base, session, USER)

    assert client.auth.headers_for(registry.base + "/v2/", [PULL]) == {}
    assert client.lookups == 0


def test_a_token_is_fetched_once_and_then_goes_along(
    registry: Registry, session: requests.Session
) -> None:
    client = Client(registry.base, session, USER)

    assert [client.get(PULL) for _ in range(3)] == [200, 200, 200]

    expected = {"service": ["reg"], "scope": ["repository:a/b:pull"], "account": ["ci"]}
    assert registry.seen("/token") == [("GET", expected, USER.basic_header())]
    sent = [sent for *_, sent in registry.seen("/v2/a/b/manifests/v1")]
    assert sent == [None, "Bearer t0", "Bearer t0", "Bearer t0"]


def test_anonymous_tokens_carry_no_credential(
    registry: Registry, session: requests.Session
) -> None:
    registry.anonymous = True

    assert Client(registry.base, session, None).get(PULL) == 200
    assert [sent for *_, sent in registry.seen("/token")] == [None]


def test_the_scope_asked_for_is_the_challenges_joined_with_what_is_needed(
    registry: Registry, session: requests.Session
) -> None:
    registry.challenge = registry.challenge.replace(":pull", ":push")
    client = Client(registry.base, session, USER)

    client.get(PULL, Scope.of("c/d", "pull"))

    asked = registry.seen("/token")[0][1]["scope"]
    assert asked == ["repository:a/b:pull,push", "repository:c/d:pull"]


def test_a_scope_of_unknown_form_is_passed_on(
    registry: Registry, session: requests.Session
) -> None:
    registry.challenge = 'Bearer realm="{base}/token",scope="aws"'
    client = Client(registry.base, session, USER)

    client.get(PULL)

    assert registry.seen("/token")[0][1]["scope"] == ["aws", "repository:a/b:pull"]


def test_tokens_are_kept_per_scope_and_a_wider_one_serves(
    registry: Registry, session: requests.Session
) -> None:
    client = Client(registry.base, session, USER)

    for scopes in ([PUSH], [PULL], [], [Scope.of("c", "pull")], [Scope.of("c", "pull")], [PUSH]):
        assert client.get(*scopes) == 200

    assert [asked["scope"] for _, asked, _ in registry.seen("/token")] == [
        ["repository:a/b:pull,push"],
        ["repository:c:pull"],
    ]


def test_a_stale_token_is_replaced_before_it_is_sent(
    registry: Registry, session: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client(registry.base, session, USER)
    client.get(PUSH)
    later = time.monotonic() + 280
    monkeypatch.setattr(time, "monotonic", lambda: later)

    client.get(PUSH)

    sent = [sent for *_, sent in registry.seen("/v2/a/b/manifests/v1")]
    assert sent == [None, "Bearer t0", "Bearer t1"]


def test_a_token_that_is_refused_early_is_replaced_once(
    registry: Registry, session: requests.Session
) -> None:
    client = Client(registry.base, session, USER)
    client.get(PUSH)
    registry.valid = {"other": ""}

    assert client.get(PUSH) == 200
    assert len(registry.seen("/token")) == 2


def test_threads_that_are_refused_together_fetch_one_token(
    registry: Registry, session: requests.Session
) -> None:
    client = Client(registry.base, session, USER)
    refused = [client.send("/v2/", (PULL,)) for _ in range(4)]
    threads = [
        threading.Thread(target=client.auth.answer, args=(response, [PULL])) for response in refused
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(registry.seen("/token")) == 1


@pytest.mark.parametrize(
    ("expires_in", "seconds"),
    [
        (300, 270),
        (20, 15),
        (3600, 3570),
        (300_000_000_000, 45),
        (10**400, 45),
        (9, 45),
        (-1, 45),
        (None, 45),
        ("300", 45),
        (True, 45),
        (float("nan"), 45),
        (float("inf"), 45),
    ],
)
def test_expires_in_is_believed_from_ten_seconds_to_an_hour(
    expires_in: object, seconds: float
) -> None:
    assert stale_after(expires_in) == seconds


def test_a_wrong_password_is_tried_once_and_never_shown(
    registry: Registry, session: requests.Session
) -> None:
    wrong = Credential(username="ci", password="pssst", source="a test")
    client = Client(registry.base, session, wrong)

    with pytest.raises(AuthenticationFailed) as caught:
        client.get(PULL)

    assert str(caught.value) == (
        f"the token service '{registry.base}/token' of registry 'reg.example' refused user 'ci'"
        " from a test (status 401); they are wrong, or give no right here; run 'kitline login"
        " reg.example' to replace them"
    )
    assert caught.value.status == 401
    assert len(registry.seen("/token")) == 1
    assert "pssst" not in repr(vars(client.auth)) + repr(caught.value)
    assert base64.b64encode(b"ci:pssst").decode() not in repr(vars(client.auth))


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_refusal_of_the_token_service_is_final(
    registry: Registry, session: requests.Session, status: int
) -> None:
    registry.status = status

    with pytest.raises(AuthenticationFailed, match=f"status {status}"):
        Client(registry.base, session, USER).get(PULL)
    assert len(registry.seen("/token")) == 1


def test_without_credentials_the_error_says_how_to_log_in(
    registry: Registry, session: requests.Session
) -> None:
    with pytest.raises(AuthenticationFailed, match="no credentials were found; run 'kitline login"):
        Client(registry.base, session, None).get(PULL)


def test_credentials_that_were_replaced_meanwhile_are_looked_up_again(
    registry: Registry, session: requests.Session
) -> None:
    old = Credential(username="ci", password="old", source="a test")

    assert Client(registry.base, session, old, USER).get(PULL) == 200
    assert len(registry.seen("/token")) == 2


def test_credentials_that_run_out_are_looked_up_again(
    registry: Registry, session: requests.Session
) -> None:
    short = Credential(username="x", password="y", source="a cloud", expires_at=time.time() + 30)

    assert Client(registry.base, session, short, USER).get(PULL) == 200
    client = Client(registry.base, session, short, USER)
    client.auth.describe()
    assert client.auth.describe() == "user 'ci' from a test"


def test_a_busy_token_service_is_asked_again_and_then_given_up(
    registry: Registry, session: requests.Session
) -> None:
    registry.status = 503

    with pytest.raises(RegistryUnreachable, match="answered 503, 3 times"):
        Client(registry.base, session, USER).get(PULL)
    assert len(registry.seen("/token")) == 3


def test_a_token_service_that_does_not_run_is_named(
    registry: Registry, session: requests.Session
) -> None:
    registry.challenge = 'Bearer realm="http://127.0.0.1:1/token"'

    with pytest.raises(RegistryUnreachable, match=r"get a token for registry 'reg\.example': no"):
        Client(registry.base, session, USER).get(PULL)


def test_an_identity_token_is_posted(registry: Registry, session: requests.Session) -> None:
    registry.posts = 200
    registry.extra = {"access_token": "ignored"}

    assert Client(registry.base, session, IDENTITY).get(PUSH) == 200

    method, asked, sent = registry.seen("/token")[0]
    assert (method, sent) == ("POST", None)
    assert asked == {
        "grant_type": ["refresh_token"],
        "client_id": ["kitline"],
        "service": ["reg"],
        "refresh_token": ["hush"],
        "scope": ["repository:a/b:pull,push"],
    }


def test_an_identity_token_goes_by_get_where_post_is_unknown(
    registry: Registry, session: requests.Session
) -> None:
    assert Client(registry.base, session, IDENTITY).get(PUSH) == 200
    assert [method for method, *_ in registry.seen("/token")] == ["POST", "GET"]


def test_a_refused_identity_token_is_final(registry: Registry, session: requests.Session) -> None:
    registry.posts = 401

    with pytest.raises(AuthenticationFailed, match="refused the identity token from a test"):
        Client(registry.base, session, IDENTITY).get(PUSH)
    assert len(registry.seen("/token")) == 1


def test_basic_is_sent_first_once_it_is_known_to_be_wanted(
    registry: Registry, session: requests.Session
) -> None:
    registry.basic, registry.challenge = True, 'Basic realm="reg"'
    client = Client(registry.base, session, USER)

    assert [client.get(PULL) for _ in range(2)] == [200, 200]

    sent = [sent for *_, sent in registry.seen("/v2/a/b/manifests/v1")]
    assert sent == [None, USER.basic_header(), USER.basic_header()]


def test_basic_with_a_wrong_password_or_none_is_an_error_without_secret(
    registry: Registry, session: requests.Session
) -> None:
    registry.challenge = 'Basic realm="reg"'
    client = Client(registry.base, session, USER)
    assert client.get(PULL) == 401

    error = client.auth.refusal(401, "pull")
    assert isinstance(error, AuthenticationFailed)
    assert "refused to pull (status 401): it does not accept user 'ci' from a test" in str(error)
    with pytest.raises(AuthenticationFailed, match="refused user 'ci' from a test; run") as caught:
        client.get(PULL)
    with pytest.raises(AuthenticationFailed, match="asks for a user and password and no cred"):
        Client(registry.base, session, None).get(PULL)
    assert "hush" not in str(caught.value)


def test_bearer_is_preferred_where_both_are_offered(
    registry: Registry, session: requests.Session
) -> None:
    registry.challenge = 'Basic realm="x", ' + registry.challenge

    assert Client(registry.base, session, USER).get(PULL) == 200
    assert len(registry.seen("/token")) == 1


@pytest.mark.parametrize("challenge", ["", "Negotiate", 'Digest realm="x", nonce="y"'])
def test_an_unknown_way_is_left_to_the_caller(
    registry: Registry, session: requests.Session, challenge: str
) -> None:
    registry.challenge = challenge

    assert Client(registry.base, session, USER).get(PULL) == 401


def test_an_unreadable_challenge_is_an_error_that_shows_where(
    registry: Registry, session: requests.Session
) -> None:
    registry.challenge = 'Bearer realm="open'

    with pytest.raises(AuthenticationFailed, match="cannot be read from 'realm=\"open' on"):
        Client(registry.base, session, USER).get(PULL)


def test_a_relative_realm_belongs_to_the_registry(
    registry: Registry, session: requests.Session
) -> None:
    registry.challenge = 'Bearer realm="/token"'

    assert Client(registry.base, session, USER).get(PULL) == 200


def test_a_foreign_host_gets_no_header_and_its_challenge_no_answer(
    registry: Registry, serve: Serve, session: requests.Session
) -> None:
    foreign = Registry(serve)
    client = Client(registry.base, session, USER)
    client.get(PULL)

    refused = session.get(foreign.base + "/v2/", timeout=10)

    assert client.auth.headers_for(foreign.base + "/v2/", [PULL]) == {}
    assert client.auth.headers_for(registry.base.replace("http", "https"), [PULL]) == {}
    assert client.auth.headers_for("not an address", [PULL]) == {}
    assert not client.auth.answer(refused, [PULL])
    assert foreign.seen("/token") == []


def test_a_registry_with_tls_cannot_name_a_token_service_without(
    registry: Registry, session: requests.Session
) -> None:
    client = Client(registry.base, session, USER, origin="https://reg.example")
    refused = session.get(registry.base + "/v2/", timeout=10)
    refused.url = "https://reg.example/v2/"

    with pytest.raises(AuthenticationFailed, match="is not https; credentials are not sent"):
        client.auth.answer(refused, [PULL])
    assert registry.seen("/token") == []


def test_a_token_service_that_redirects_does_not_get_credentials_sent_on(
    registry: Registry, serve: Serve, session: requests.Session
) -> None:
    foreign = Registry(serve)
    registry.status, registry.headers = 307, {"Location": foreign.base + "/token"}

    with pytest.raises(AuthenticationFailed, match="redirects elsewhere"):
        Client(registry.base, session, USER).get(PULL)
    assert foreign.requests == []


@pytest.mark.parametrize(
    "extra", [{"token": ""}, {"token": None}, {"token": "a\r\nb"}, {"token": 5}, {"token": "é"}]
)
def test_an_answer_without_usable_token_is_refused(
    registry: Registry, session: requests.Session, extra: dict[str, Any]
) -> None:
    registry.extra = extra

    with pytest.raises(RegistryUnreachable, match="without a usable token"):
        Client(registry.base, session, USER).get(PULL)


def test_netrc_does_not_replace_the_credential(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login other password wrong\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))

    with requests.Session() as session:
        client = Client(registry.base, session, USER)
        assert client.auth.answer(client.send("/v2/", (PULL,)), [PULL])

    assert [sent for *_, sent in registry.seen("/token")] == [USER.basic_header()]


def test_a_final_refusal_tells_missing_credentials_from_missing_rights(
    registry: Registry, session: requests.Session
) -> None:
    with_user, without = Client(registry.base, session, USER), Client(registry.base, session, None)
    with_user.auth.describe()

    error: KitlineError = with_user.auth.refusal(403, "push to 'a/b'")
    assert isinstance(error, AccessDenied)
    assert "refused to push to 'a/b' (status 403); user 'ci' from a test is accepted" in str(error)
    error = without.auth.refusal(401, "pull")
    assert isinstance(error, AuthenticationFailed)
    assert "no credentials were found; run 'kitline login reg.example'" in str(error)


def test_oras_own_requests_go_through_the_same_gate(
    registry: Registry, session: requests.Session
) -> None:
    client = Client(registry.base, session, None)
    client.auth.set_basic_auth("ci", "hush")
    refused = session.get(registry.base + "/v2/", timeout=10)

    headers, changed = client.auth.authenticate_request(refused, {"Accept": "x"})

    assert client.auth.get_auth_header() == {}
    assert (headers, changed) == ({"Accept": "x", "Authorization": "Bearer t0"}, True)
    client.auth.logout("reg.example")
    assert client.auth.headers_for(registry.base + "/v2/") == {}
