"""Login, logout and doctor, against registries that ask who one is."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kitline.testing import BasicAuth, BearerAuth, LocalRegistry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kitline.testing.command_line import CommandLine

SECRET = "secret"


@pytest.fixture(params=[BasicAuth, BearerAuth])
def registry(request: pytest.FixtureRequest) -> Iterator[LocalRegistry]:
    with LocalRegistry(auth=request.param(username="ada", password=SECRET)) as registry:
        yield registry


@pytest.fixture
def docker_config(isolated_home: Path) -> Path:
    return isolated_home / "docker/config.json"


def test_login_is_checked_and_stored_where_docker_looks(
    run: CommandLine, folder: Path, registry: LocalRegistry, docker_config: Path
) -> None:
    refused = run("pack", folder, "-t", f"{registry.host}/team/iris:v1")

    result = run("login", registry.host, "-u", "ada", "--password-stdin", stdin=f"{SECRET}\n")

    assert refused.code == 1
    assert f"run 'kitline login {registry.host}'" in refused.error
    assert (result.code, result.stdout) == (0, "")
    assert str(docker_config) in result.stderr
    assert SECRET not in result.stderr
    entry = json.loads(docker_config.read_text())["auths"][registry.host]
    assert base64.b64decode(entry["auth"]) == b"ada:secret"
    assert stat.S_IMODE(docker_config.stat().st_mode) == 0o600
    assert run("pack", folder, "-t", f"{registry.host}/team/iris:v1").pinned


def test_a_wrong_password_stores_nothing(
    run: CommandLine, registry: LocalRegistry, docker_config: Path
) -> None:
    result = run("login", registry.host, "-u", "ada", "--password-stdin", stdin="wr0ng")

    assert result.code == 1
    assert registry.host in result.error
    assert "wr0ng" not in result.stderr
    assert not docker_config.exists()


def test_logout_forgets(run: CommandLine, registry: LocalRegistry, docker_config: Path) -> None:
    run("login", registry.host, "-u", "ada", "--password-stdin", stdin=SECRET)

    first = run("logout", registry.host)
    second = run("logout", registry.host)

    assert first.stderr == f"removed the credentials for {registry.host} from {docker_config}\n"
    assert second.stderr == f"nothing was stored for {registry.host}\n"
    assert registry.host not in docker_config.read_text()
    assert run("list", f"{registry.host}/team/iris").code == 1


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("127.0.0.1:1", "-u", "ada"), "use --password-stdin"),
        (("127.0.0.1:1", "--password-stdin"), "no user name"),
        (("127.0.0.1:1", "-u", "ada", "--password-stdin"), "no password"),
        (("plain", "-u", "ada", "--password-stdin"), "names no registry"),
    ],
)
def test_login_says_what_it_needs(
    run: CommandLine, docker_config: Path, words: tuple[str, ...], part: str
) -> None:
    result = run("login", *words, stdin="" if part == "no password" else SECRET)

    assert result.code == 2
    assert part in result.error
    assert not docker_config.exists()


def test_doctor_names_what_is_missing_and_where_credentials_come_from(
    run: CommandLine, registry: LocalRegistry, docker_config: Path
) -> None:
    before = run("doctor", f"{registry.host}/team/iris", "--json")
    run("login", registry.host, "-u", "ada", "--password-stdin", stdin=SECRET)

    after = run("doctor", f"{registry.host}/team/iris")

    states = {each["name"]: each["state"] for each in before.json["checks"]}
    assert before.code == 1
    assert states["push"] == "bad"
    assert after.code == 0
    assert str(docker_config) in after.stdout
    assert SECRET not in after.stdout
    assert base64.b64encode(b"ada:secret").decode() not in after.stdout
    assert registry.content.names() in ([], ["team/iris"])
    assert all(
        not found.tags and not found.manifests and not found.blobs
        for found in map(registry.content.create, registry.content.names())
    )


def test_doctor_without_a_registry_looks_at_the_local_store(
    run: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    fine = run("doctor")
    monkeypatch.setenv("KITLINE_HOME", "/proc/nowhere")
    broken = run("doctor")

    assert fine.code == 0
    assert fine.stdout.startswith("ok    local store")
    assert broken.code == 1
    assert "set KITLINE_HOME" in broken.stdout


def test_doctor_of_a_registry_that_is_down(run: CommandLine) -> None:
    result = run("doctor", "127.0.0.1:1")

    assert result.code == 1
    assert "BAD   registry" in result.stdout
    assert "127.0.0.1:1" in result.stdout


# policy


def write_policy(text: str) -> None:
    Path("kitline.toml").write_text(text)


def test_a_policy_names_the_registries_that_may_be_used(
    run: CommandLine, folder: Path, local_registry: LocalRegistry
) -> None:
    write_policy('[policy]\nregistries = ["registry.example"]\n')

    results = [
        run("pack", folder, "-t", f"{local_registry.host}/team/iris:v1"),
        run("pull", f"{local_registry.host}/team/iris:v1"),
        run("login", local_registry.host, "-u", "ada", "--password-stdin", stdin="x"),
        run("doctor", local_registry.host),
    ]

    for result in results:
        assert result.code == 2
        assert "is not allowed by policy; allowed: registry.example" in result.error
    assert local_registry.requests == []


def test_a_policy_can_forbid_plain_http_and_unchecked_certificates(
    run: CommandLine, folder: Path
) -> None:
    write_policy("[policy]\nallow_plain_http = false\nallow_insecure = false\n")
    name = "registry.example/team/iris:v1"

    plain = run("pull", name, "--plain-http")
    insecure = run("pull", name, "--insecure")

    assert (plain.code, insecure.code) == (2, 2)
    assert "plain HTTP to 'registry.example' is forbidden by policy" in plain.error
    assert "insecure TLS to 'registry.example' is forbidden by policy" in insecure.error


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("regitsry = 'x'\n", "setting 'regitsry' from file "),
        ("[policy]\nallow = true\n", "setting 'policy.allow' from file "),
        ("concurrency = 0\n", "is not a number from 1 to 64"),
        ("registry = 'plain'\n", "names no registry"),
        ("not toml", "cannot be read"),
    ],
)
def test_settings_that_cannot_be_used_are_named_with_their_file(
    run: CommandLine, folder: Path, text: str, part: str
) -> None:
    write_policy(text)

    result = run("list")

    assert result.code == 2
    assert part in result.error
    assert "kitline.toml" in result.error


def test_a_project_file_names_the_registry(
    run: CommandLine, folder: Path, local_registry: LocalRegistry
) -> None:
    Path("kitline.toml").write_text(f"registry = '{local_registry.host}/team'\nkeep_tag = false\n")
    run("pack", folder, "-t", "iris:v1")

    pushed = run("push", "iris:v1")

    assert pushed.pinned.startswith(f"{local_registry.host}/team/iris@")
    assert set(local_registry.content.create("team/iris").tags) == {"v1"}
