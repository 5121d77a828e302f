from __future__ import annotations

import base64
import json
import os
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from kitline.errors import InvalidSetting, TargetError, UsageError
from kitline.store.registry.credential import Credential
from kitline.store.registry.credential_helper import CredentialHelper
from kitline.store.registry.credentials import (
    look_up_credential,
)
from kitline.store.registry.login import erase_credential, store_credential

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

HELPER = """#!{python}
import json, pathlib, sys
kept = pathlib.Path(__file__).with_suffix(".json")
secrets = json.loads(kept.read_text()) if kept.exists() else {{}}
text = sys.stdin.read()
if sys.argv[1] == "store":
    entry = json.loads(text)
    secrets[entry["ServerURL"]] = entry
elif text.strip() not in secrets:
    print("credentials not found in native keychain")
    sys.exit(1)
elif sys.argv[1] == "get":
    print(json.dumps(secrets[text.strip()]))
else:
    del secrets[text.strip()]
kept.write_text(json.dumps(secrets))
"""


class Machine:
    """A home folder, a PATH and an environment of our own."""

    def __init__(self, root: Path) -> None:
        self.home, self.programs = root / "home", root / "bin"
        self.home.mkdir()
        self.programs.mkdir()
        self.environ = {"HOME": str(self.home), "PATH": f"{self.programs}:/usr/bin:/bin"}

    def write(self, path: str, content: Any) -> Path:
        file = self.home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        return file

    def helper(
        self, name: str, secrets: Mapping[str, tuple[str, str]] = {}, script: str = HELPER
    ) -> Path:
        program = self.programs / f"docker-credential-{name}"
        program.write_text(script.format(python=sys.executable))
        program.chmod(0o755)
        entries = {
            server: {"ServerURL": server, "Username": user, "Secret": secret}
            for server, (user, secret) in secrets.items()
        }
        program.with_suffix(".json").write_text(json.dumps(entries))
        return program

    def find(self, registry: str = "reg.example", repository: str | None = None) -> str | None:
        """Return `user:secret` as it was found."""
        found = found_credential(registry, repository, environ=self.environ)
        if found is None:
            return None
        return f"{found.username}:{found.identity_token or found.password}"


def found_credential(
    registry: str, repository: str | None = None, *, environ: Mapping[str, str]
) -> Credential | None:
    return look_up_credential(registry, repository, environ=environ).credential


def described(registry: str, *, environ: Mapping[str, str]) -> tuple[str, str | None]:
    """Where the credential comes from, with all notes on the way, and whose it is."""
    found = look_up_credential(registry, None, environ=environ)
    if found.credential is None:
        return "; ".join(("no credential found", *found.notes)), None
    return found.credential.source, found.credential.username or None


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def auths(**users: str) -> dict[str, Any]:
    return {"auths": {host.replace("_", "."): inline(user) for host, user in users.items()}}


def inline(user: str, password: str = "word") -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def test_nothing_is_found_on_an_empty_machine(machine: Machine) -> None:
    assert machine.find() is None
    assert found_credential("reg.example", environ={}) is None
    assert described("reg.example", environ=machine.environ) == (
        "no credential found",
        None,
    )


def test_each_place_is_looked_at_before_the_next_one(machine: Machine) -> None:
    found = [machine.find()]
    machine.write(".local/share/kitops/credentials.json", auths(reg_example="kit"))
    found.append(machine.find())
    machine.write(".config/containers/auth.json", auths(reg_example="podman"))
    found.append(machine.find())
    machine.environ["XDG_RUNTIME_DIR"] = str(machine.home / "run")
    machine.write("run/containers/auth.json", auths(reg_example="runtime"))
    found.append(machine.find())
    machine.environ["REGISTRY_AUTH_FILE"] = str(machine.write("named", auths(reg_example="named")))
    found.append(machine.find())
    machine.write(".docker/config.json", auths(reg_example="docker"))
    found.append(machine.find())
    machine.environ["DOCKER_CONFIG"] = str(machine.home / "other")
    machine.write("other/config.json", auths(reg_example="configured"))
    found.append(machine.find())
    machine.environ["DOCKER_AUTH_CONFIG"] = json.dumps(auths(reg_example="variable"))
    found.append(machine.find())
    machine.environ |= {"KITLINE_USERNAME": "pair", "KITLINE_PASSWORD": "word"}
    found.append(machine.find())

    assert found == [
        None,
        *(
            f"{user}:word"
            for user in (
                ["kit", "podman", "runtime", "named", "docker", "configured", "variable", "pair"]
            )
        ),
    ]


def test_explicit_arguments_win_and_must_be_a_pair(machine: Machine) -> None:
    machine.environ |= {"KITLINE_USERNAME": "pair", "KITLINE_PASSWORD": "word"}

    found = look_up_credential(
        "reg.example", username="ci", password="x", environ=machine.environ
    ).credential

    assert found == Credential(username="ci", password="x", source="the arguments")
    with pytest.raises(InvalidSetting, match="the password is missing"):
        look_up_credential("reg.example", username="ci", environ=machine.environ)


def test_the_environment_pair_can_be_kept_to_one_registry(machine: Machine) -> None:
    machine.environ |= {"KITLINE_USERNAME": "pair", "KITLINE_PASSWORD": "word"}
    machine.environ["KITLINE_CREDENTIALS_REGISTRY"] = "docker.io"

    assert machine.find("reg.example") is None
    assert machine.find("docker.io") == machine.find("registry-1.docker.io") == "pair:word"


def test_half_of_the_environment_pair_is_an_error_that_names_the_other_half(
    machine: Machine,
) -> None:
    machine.environ["KITLINE_USERNAME"] = "pair"

    with pytest.raises(InvalidSetting, match="'KITLINE_PASSWORD' from the environment: is missing"):
        machine.find()


@pytest.mark.parametrize(
    "entry",
    [
        inline("u", "w:x"),
        inline("u", "w:x\x00\x00"),
        {"username": "u", "password": "w:x"},
        {"username": "u", "identitytoken": "w:x"},
        inline("u", "ignored") | {"identitytoken": "w:x"},
    ],
)
def test_every_form_of_an_entry_is_understood(machine: Machine, entry: dict[str, str]) -> None:
    machine.write(".docker/config.json", {"auths": {"reg.example": entry}})

    assert machine.find() == "u:w:x"


def test_the_user_named_token_holds_an_identity_token(machine: Machine) -> None:
    machine.write(".docker/config.json", {"auths": {"reg.example": inline("<token>", "refresh")}})

    found = found_credential("reg.example", environ=machine.environ)

    assert found is not None
    assert (found.identity_token, found.password) == ("refresh", "")
    assert str(found).startswith("the identity token from ")
    assert str(found).endswith("config.json")


@pytest.mark.parametrize(
    "key",
    ["https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io"],
)
def test_docker_hub_is_found_under_each_of_its_names(machine: Machine, key: str) -> None:
    machine.write(".docker/config.json", {"auths": {key: inline("hub")}})

    assert machine.find("docker.io") == "hub:word"
    assert machine.find("reg.example") is None


def test_an_old_key_with_scheme_and_version_names_its_host(machine: Machine) -> None:
    machine.write(".docker/config.json", {"auths": {"https://reg.example/v1/": inline("old")}})

    assert machine.find() == "old:word"


def test_the_key_with_the_longest_repository_path_wins(machine: Machine) -> None:
    keys = {"reg.example": "host", "reg.example/a": "team", "reg.example/a/b": "project"}
    machine.write(
        ".config/containers/auth.json", {"auths": {key: inline(user) for key, user in keys.items()}}
    )

    assert machine.find(repository="a/b/c") == "project:word"
    assert machine.find(repository="a/bc") == "team:word"
    assert machine.find(repository="ab") == "host:word"
    assert machine.find() == "host:word"


def test_a_key_for_one_repository_is_not_used_for_others(machine: Machine) -> None:
    machine.write(".config/containers/auth.json", {"auths": {"reg.example/a": inline("team")}})

    assert machine.find(repository="b/a") is None
    assert machine.find() is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "is not JSON"),
        ("[]", "is not a JSON object"),
        ({"auths": []}, "'auths' is not an object"),
        ({"auths": {"reg.example": "x"}}, "is not an object"),
        ({"auths": {"reg.example": {"auth": 1}}}, "holds values of no text"),
        ({"auths": {"reg.example": {"auth": "no-base64"}}}, "is not 'user:password' in base64"),
        ({"auths": {"reg.example": {"auth": "bm9jb2xvbg=="}}}, "is not 'user:password' in base64"),
        ({"credsStore": 7}, "names a helper that is no text"),
    ],
)
def test_a_malformed_file_is_named_and_its_content_not_shown(
    machine: Machine, content: Any, reason: str
) -> None:
    file = machine.write(".docker/config.json", content)

    with pytest.raises(InvalidSetting, match=reason) as caught:
        machine.find()

    assert str(file) in str(caught.value)
    assert "bm9jb2xvbg" not in str(caught.value)


def test_malformed_entries_of_other_registries_do_no_harm(machine: Machine) -> None:
    machine.write(
        ".docker/config.json",
        {"auths": {"other.example": {"auth": "!"}, "reg.example": inline("u"), "empty": {}}},
    )

    assert machine.find() == "u:word"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_a_note(machine: Machine) -> None:
    machine.write(".docker/config.json", auths(reg_example="u")).chmod(0)

    assert "cannot be read" in described("reg.example", environ=machine.environ)[0]


def test_a_folder_in_the_place_of_a_file_is_a_note(machine: Machine) -> None:
    (machine.home / ".docker/config.json").mkdir(parents=True)

    assert "cannot be read" in described("reg.example", environ=machine.environ)[0]


def test_no_text_made_from_a_credential_shows_its_secret() -> None:
    found = Credential(username="u", password="hush", identity_token="hush", source="here")

    assert "hush" not in f"{found} {found!r} {[found]}"
    assert str(Credential(username="u", password="hush", source="here")) == "user 'u' from here"


def test_a_helper_for_the_host_is_asked_before_the_general_one(machine: Machine) -> None:
    machine.helper("one", {"reg.example": ("one", "1")})
    machine.helper("all", {"reg.example": ("all", "2"), "other.example": ("<token>", "3")})
    machine.write(
        ".docker/config.json", {"credHelpers": {"reg.example": "one"}, "credsStore": "all"}
    )

    assert machine.find("reg.example") == "one:1"
    assert machine.find("other.example") == "<token>:3"
    source, user = described("reg.example", environ=machine.environ)
    assert source.startswith("docker-credential-one, named in ")
    assert user == "one"


def test_helpers_know_docker_hub_by_its_address(machine: Machine) -> None:
    machine.helper("all", {"https://index.docker.io/v1/": ("hub", "1")})
    machine.write(".docker/config.json", {"credsStore": "all"})

    assert machine.find("docker.io") == "hub:1"


def test_a_helper_that_knows_nothing_leaves_the_word_to_the_file(machine: Machine) -> None:
    machine.helper("all")
    machine.write(".docker/config.json", {"credsStore": "all", **auths(reg_example="inline")})

    assert machine.find() == "inline:word"


def test_a_missing_helper_is_a_note_for_docker_pulls_without_it_as_well(machine: Machine) -> None:
    machine.write(".docker/config.json", {"credsStore": "absent"})

    source, user = described("reg.example", environ=machine.environ)

    assert user is None
    assert "'docker-credential-absent' is not on PATH" in source


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("#!/bin/sh\nexit 3\n", "'get' failed with exit code 3"),
        ("#!/bin/sh\necho secret-text\n", "answered no JSON"),
        ('#!/bin/sh\necho \'{{"Username": 1, "Secret": "hush"}}\'\n', "that is no text"),
        ("#!/no/such/program\n", "cannot be started"),
    ],
)
def test_a_broken_helper_is_a_note_without_its_output(
    machine: Machine, script: str, reason: str
) -> None:
    machine.helper("bad", script=script)
    machine.write(".docker/config.json", {"credsStore": "bad"})

    source = described("reg.example", environ=machine.environ)[0]

    assert reason in source
    assert "secret-text" not in source
    assert "hush" not in source


def test_a_helper_that_hangs_is_ended_with_its_children(machine: Machine) -> None:
    machine.helper("slow", script="#!/bin/sh\nsleep 60\n")
    helper = CredentialHelper(name="slow", named_in="here", environ=machine.environ, timeout=0.2)

    with pytest.raises(InvalidSetting, match=r"gave no answer within 0\.2 s"):
        helper.get("reg.example")


def test_helpers_are_not_run_from_the_working_directory(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.helper("here", {"reg.example": ("evil", "1")})
    machine.write(".docker/config.json", {"credsStore": "here"})
    monkeypatch.chdir(machine.programs)
    machine.environ["PATH"] = ".::/usr/bin"

    assert machine.find() is None


@pytest.mark.parametrize("name", ["../evil", "a/b", "-x", "a b"])
def test_a_helper_name_cannot_lead_elsewhere(machine: Machine, name: str) -> None:
    machine.write(".docker/config.json", {"credsStore": name})

    assert "not a name" in described("reg.example", environ=machine.environ)[0]


def test_login_makes_a_private_file_that_is_found_again(machine: Machine) -> None:
    where = store_credential("reg.example", "ci", "s:ö", environ=machine.environ)

    file = machine.home / ".docker/config.json"
    assert where == str(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert machine.find() == "ci:s:ö"
    assert os.listdir(file.parent) == ["config.json"]


def test_login_keeps_everything_else_in_the_file_and_a_link_to_it(machine: Machine) -> None:
    before = {"HttpHeaders": {"A": "b"}, **auths(other_example="x"), "detachKeys": "ctrl-e"}
    real = machine.write("dotfiles/docker.json", before)
    (machine.home / ".docker").mkdir()
    link = machine.home / ".docker/config.json"
    link.symlink_to(real)

    store_credential("reg.example", "ci", "s", environ=machine.environ)

    after = json.loads(real.read_text())
    assert link.is_symlink()
    assert list(after) == list(before)
    assert after["auths"].pop("reg.example") == inline("ci", "s")
    assert after == before


def test_login_and_logout_use_the_helper_that_is_configured(machine: Machine) -> None:
    program = machine.helper("all")
    file = machine.write(".docker/config.json", {"credsStore": "all"})

    where = store_credential("docker.io", "ci", "s", environ=machine.environ)

    assert where == f"docker-credential-all, named in {file}"
    assert json.loads(file.read_text())["auths"] == {"https://index.docker.io/v1/": {}}
    assert machine.find("docker.io") == "ci:s"
    assert erase_credential("docker.io", environ=machine.environ) == where
    assert json.loads(program.with_suffix(".json").read_text()) == {}
    assert json.loads(file.read_text())["auths"] == {}
    assert machine.find("docker.io") is None


def test_logins_at_the_same_time_lose_nothing(machine: Machine) -> None:
    registries = [f"reg{number}.example" for number in range(16)]

    with ThreadPoolExecutor(8) as threads:
        for name in registries:
            threads.submit(store_credential, name, "ci", "s", environ=machine.environ)

    assert [machine.find(name) for name in registries] == ["ci:s"] * 16


def test_what_a_killed_login_left_goes_with_the_next(machine: Machine) -> None:
    store_credential("reg.example", "ci", "s", environ=machine.environ)
    folder = machine.home / ".docker"
    (folder / ".config.json-left").write_text("{}")

    store_credential("other.example", "ci", "s", environ=machine.environ)

    assert os.listdir(folder) == ["config.json"]


def test_login_with_a_helper_that_is_missing_fails_and_writes_nothing(machine: Machine) -> None:
    file = machine.write(".docker/config.json", {"credsStore": "absent"})

    with pytest.raises(InvalidSetting, match="is not on PATH"):
        store_credential("reg.example", "ci", "s", environ=machine.environ)

    assert json.loads(file.read_text()) == {"credsStore": "absent"}


def test_logout_forgets_every_spelling_of_the_registry_and_nothing_else(machine: Machine) -> None:
    keys = ["reg.example", "https://reg.example/v1/", "reg.example/a", "reg.example:5000"]
    file = machine.write(".docker/config.json", {"auths": {key: inline("u") for key in keys}})

    assert erase_credential("reg.example", environ=machine.environ) == str(file)
    assert list(json.loads(file.read_text())["auths"]) == keys[2:]
    assert erase_credential("reg.example", environ=machine.environ) is None


def test_logout_on_an_empty_machine_makes_no_file(machine: Machine) -> None:
    assert erase_credential("reg.example", environ=machine.environ) is None
    assert list(machine.home.iterdir()) == []


@pytest.mark.parametrize(
    ("user", "password"), [("", "x"), ("x", ""), ("a:b", "x"), ("a", "x\n"), ("a\x00", "x")]
)
def test_login_refuses_what_basic_cannot_send(machine: Machine, user: str, password: str) -> None:
    with pytest.raises(UsageError, match="user name"):
        store_credential("reg.example", user, password, environ=machine.environ)


def test_login_without_a_place_to_write_says_what_to_set(machine: Machine) -> None:
    with pytest.raises(TargetError, match="neither HOME nor DOCKER_CONFIG"):
        store_credential("reg.example", "u", "p", environ={})
    machine.write("file", "")
    with pytest.raises(TargetError, match="set DOCKER_CONFIG"):
        store_credential("reg.example", "u", "p", environ={"HOME": str(machine.home / "file")})
