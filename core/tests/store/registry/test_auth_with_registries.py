"""Authorization against real registries: olareg gives tokens, distribution wants Basic."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from kitline.errors import AuthenticationFailed
from kitline.store.registry.auth import RegistryAuth
from kitline.store.registry.scopes import Scope

pytestmark = pytest.mark.registry

Start = Callable[..., str]
# htpasswd -Bbn ci secret
SECRET = "$2y$05$Ddl2tqZMt.fEW4JO/1SJa.3NMZmA1z1f.p6CI7fp2h4Q8TwQLgiJK"
PUSH = Scope.of("team/kit", "pull", "push")


def program(*names: str) -> str:
    """Return the path of a peer program: from PEERS_BIN, the workspace's .peers/bin, or PATH."""
    workspace = Path(__file__).parents[4] / ".peers" / "bin"
    folders = [os.environ.get("PEERS_BIN", ""), str(workspace), os.environ.get("PATH", "")]
    path = os.pathsep.join(filter(None, folders))
    found = next(filter(None, (shutil.which(name, path=path) for name in names)), None)
    if found is None:
        pytest.skip(f"{' or '.join(names)} is not installed; run 'make interop'")
    return found


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a registry on a free port; `{port}` in its arguments and files is replaced."""
    processes: list[subprocess.Popen[bytes]] = []

    def begin(*command: str, config: str = "") -> str:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        (tmp_path / "config.yml").write_text(config.replace("{port}", port))
        process = subprocess.Popen(
            [word.replace("{port}", port) for word in command],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "OTEL_TRACES_EXPORTER": "none"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        processes.append(process)
        base = f"http://127.0.0.1:{port}"
        for _ in range(100):
            try:
                requests.get(base + "/v2/", timeout=5).close()
                return base
            except requests.exceptions.ConnectionError:
                time.sleep(0.05)
        raise AssertionError(f"{command[0]} did not start")

    yield begin
    for process in processes:
        process.terminate()
        process.wait()


@pytest.fixture
def tokens(start: Start) -> Start:
    """Start olareg with its own token service."""
    acl = (
        f'users: {{ci: {{cred: "{SECRET}"}}}}\n'
        "groups: {writers: {members: [ci]}}\n"
        "acls:\n"
        '  - {repo: "", members: [writers], access: [read]}\n'
        '  - {repo: "*", members: [writers], access: ["*"]}\n'
        '  - {repo: "public/*", anonymous: true, access: [read, write]}\n'
    )
    olareg = program("olareg")

    def begin(*more: str) -> str:
        serve = (olareg, "serve", "--addr", "127.0.0.1", "--port", "{port}", "--store-type", "mem")
        return start(*serve, "--auth-token-opaque", "config.yml", *more, config=acl)

    return begin


class Client:
    """The smallest transport there can be; remembers what it sent."""

    def __init__(self, base: str, session: requests.Session, *user: str) -> None:
        self.base, self.session = base, session
        self.sent: list[str] = []
        username, password = user or (None, None)
        registry = base.removeprefix("http://")
        self.auth = RegistryAuth(
            registry, origin=base, session=session, username=username, password=password
        )

    def send(self, method: str, path: str, *scopes: Scope) -> int:
        response = self._once(method, path, scopes)
        if response.status_code == 401 and self.auth.answer(response, scopes):
            response = self._once(method, path, scopes)
        return response.status_code

    def _once(self, method: str, path: str, scopes: tuple[Scope, ...]) -> requests.Response:
        headers = self.auth.headers_for(self.base + path, scopes)
        self.sent.append(f"{method} {headers.get('Authorization', '-').split()[0]}")
        return self.session.request(method, self.base + path, headers=headers, timeout=10)


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[requests.Session]:
    for name in ("DOCKER_AUTH_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "KITLINE_USERNAME"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "DOCKER_CONFIG", "KITOPS_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    with requests.Session() as session:
        session.auth = lambda request: request
        yield session


@pytest.mark.parametrize("external", [True, False], ids=["absolute-realm", "relative-realm"])
def test_olareg_takes_the_token_that_its_service_gave(
    tokens: Start, session: requests.Session, external: bool
) -> None:
    base = tokens(*(("--external-url", "http://127.0.0.1:{port}") if external else ()))
    client = Client(base, session, "ci", "secret")

    answers = [
        client.send("GET", "/v2/"),
        client.send("POST", "/v2/team/kit/blobs/uploads/", PUSH),
        client.send("POST", "/v2/team/kit/blobs/uploads/", PUSH),
    ]

    assert answers == [200, 202, 202]
    assert client.sent[:2] == ["GET -", "GET Bearer"]
    assert client.sent[-1] == "POST Bearer"


def test_olareg_gives_anonymous_tokens_for_public_repositories(
    tokens: Start, session: requests.Session
) -> None:
    client = Client(tokens(), session)

    status = client.send("GET", "/v2/public/kit/tags/list", Scope.of("public/kit", "pull"))

    assert status == 200
    assert client.sent == ["GET -", "GET Bearer"]


def test_olareg_refuses_a_wrong_password_once(tokens: Start, session: requests.Session) -> None:
    client = Client(tokens(), session, "ci", "wrong")

    with pytest.raises(AuthenticationFailed, match=r"refused user 'ci' .* \(status 403\)"):
        client.send("POST", "/v2/team/kit/blobs/uploads/", PUSH)
    assert client.sent == ["POST -"]


@pytest.fixture(params=["registry", "docker-registry"])
def basic(request: pytest.FixtureRequest, start: Start, tmp_path: Path) -> str:
    """Start distribution with htpasswd; returns its address."""
    (tmp_path / "htpasswd").write_text(f"ci:{SECRET}\n")
    config = (
        "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
        "storage: {inmemory: {}}\nhttp: {addr: '127.0.0.1:{port}', secret: x}\n"
        "auth: {htpasswd: {realm: 'a, \"test\"', path: htpasswd}}\n"
    )
    return start(program(request.param), "serve", "config.yml", config=config)


def test_distribution_gets_basic_first_once_it_asked_for_it(
    basic: str, session: requests.Session
) -> None:
    client = Client(basic, session, "ci", "secret")

    answers = [client.send("POST", "/v2/team/kit/blobs/uploads/", PUSH) for _ in range(2)]

    assert answers == [202, 202]
    assert client.sent == ["POST -", "POST Basic", "POST Basic"]


def test_distribution_without_credentials_leads_to_login(
    basic: str, session: requests.Session
) -> None:
    with pytest.raises(AuthenticationFailed, match="asks for a user and password and no cred"):
        Client(basic, session).send("GET", "/v2/")
