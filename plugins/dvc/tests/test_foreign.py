"""What a repository may not make this machine do, and what a broken file in it does not break."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kitline.errors import SourceError
from kitline_dvc.inside.clone_config import CloneRemotes

if TYPE_CHECKING:
    from conftest import DvcRepository, Importing

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)


@pytest.fixture(name="address")
def _address(repository: DvcRepository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Let git reach the repository under an address of another kind."""
    settings = tmp_path / "gitconfig"
    settings.write_text(
        f'[url "file://{repository.root}"]\n    insteadOf = https://git.example.org/data\n'
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    return "dvc+https://git.example.org/data"


def commit_configuration(repository: DvcRepository, text: str) -> None:
    (repository.root / ".dvc/config").write_text(text)
    repository.commit("hostile")


def remote(settings: str) -> str:
    return f"[core]\n    remote = r\n['remote \"r\"']\n{settings}"


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ("    url = /etc\n", "it is the folder '/etc' of this machine"),
        (
            "    url = s3://b/store\n    endpointurl = http://127.0.0.1:1/\n",
            "it sets 'endpointurl' 'http://127.0.0.1:1/'",
        ),
        ("    url = s3://b/store\n    profile = prod\n", "it sets 'profile'"),
        ("    url = gs://b/store\n    credentialpath = /etc/passwd\n", "it sets 'credentialpath'"),
        (
            "    url = webdav://127.0.0.1:1/d\n    bearer_token_command = touch ran\n",
            "it sets 'bearer_token_command'",
        ),
        ("    url = remote://other/store\n", "it is a part of another remote"),
    ],
)
def test_a_clone_leads_nobody_elsewhere(
    repository: DvcRepository, address: str, importing: Importing, settings: str, reason: str
) -> None:
    commit_configuration(repository, remote(settings))
    with pytest.raises(SourceError, match=f"the remote 'r' .* is not read: {reason}") as caught:
        importing.collect(f"{address}?path=data/train&rev=main")
    assert "'-o remote=r'" in str(caught.value)
    assert not Path("ran").exists()
    assert importing.read(f"{address}?path=notes&rev=main") == {"notes/read.me": b"kept by git\n"}


def test_a_remote_that_the_user_names_may_lead_elsewhere_but_use_no_file_of_this_machine() -> None:
    settings = {
        "url": "s3://b/store", "endpointurl": "https://s3.example.org", "access_key_id": "a",
        "credentialpath": "/etc/passwd", "configpath": "/etc/passwd", "profile": "prod",
        "ssl_verify": "/etc/ca.pem", "acl": "public-read",
    }  # fmt: skip
    found = CloneRemotes("R").narrow({"core": {"remote": "r"}, "remote": {"r": settings}})
    assert found == {
        "core": {"remote": "r"},
        "remote": {
            "r": {
                "url": "s3://b/store",
                "endpointurl": "https://s3.example.org",
                "access_key_id": "a",
            }
        },
    }


@pytest.mark.parametrize("own", [{"url": "s3://mine/store"}, {"password": "mine"}])
def test_credentials_that_a_user_keeps_for_a_remote_go_to_no_address_of_a_clone(
    own: dict[str, Any],
) -> None:
    remotes = CloneRemotes(None)
    remotes.add_own({"r": own})
    assert remotes.narrow({"remote": {"r": {"url": "https://example.org/d"}}})["remote"] == {}
    if "url" in own:
        remotes.require("r")
    else:
        with pytest.raises(SourceError, match="your own configuration of DVC has settings"):
            remotes.require("r")


def test_folders_that_a_clone_names_for_itself_are_not_used(
    repository: DvcRepository, address: str, importing: Importing, tmp_path: Path
) -> None:
    commit_configuration(
        repository,
        f"[core]\n    site_cache_dir = {tmp_path}/site\n"
        f"[cache]\n    dir = {repository.root}/.dvc/cache\n    type = symlink\n",
    )
    with pytest.raises(SourceError, match=r"neither in a cache \(there is none here\) nor in"):
        importing.collect(f"{address}?path=data/train&rev=main")
    assert not (tmp_path / "site").exists()


def test_a_clone_may_not_have_a_file_of_this_machine_read_as_configuration(
    repository: DvcRepository, address: str, importing: Importing, tmp_path: Path
) -> None:
    (tmp_path / "mine").write_text("secret = of this machine\n[")
    repository.write(
        "stolen.dvc",
        b"deps:\n- path: notes\n  repo:\n    url: https://example.org/x\n    config: "
        + os.fsencode(tmp_path / "mine")
        + b"\nouts:\n- {path: stolen, hash: md5}\n",
    )
    repository.commit("hostile")
    with pytest.raises(SourceError, match="names a configuration file of this machine") as caught:
        importing.collect(f"{address}?path=stolen&rev=main")
    assert "'stolen.dvc'" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert importing.read(f"{address}?path=notes&rev=main") == {"notes/read.me": b"kept by git\n"}


@pytest.mark.parametrize("revision", ["", "@HEAD"])
def test_a_small_yaml_file_that_stands_for_very_much_is_not_read(
    repository: DvcRepository, importing: Importing, revision: str
) -> None:
    repository.write("params.yaml", BOMB.encode())
    repository.write("dvc.yaml", b"stages:\n  s:\n    cmd: run\n    outs: [made]\n")
    repository.commit("hostile")
    root = str(repository.root)
    found = importing.read(f"dvc:data/labels.csv{revision}", repo=root)
    assert found["data/labels.csv"] == repository.single + b"1\n"
    with pytest.raises(SourceError, match=r"'params\.yaml' is not read: its aliases stand for"):
        importing.collect(f"dvc:dvc.yaml:s{revision}", repo=root)
    with pytest.raises(SourceError, match="params and metrics hold more than 100000 values"):
        importing.collect(f"dvc:data/train{revision}", repo=root, parameters="true")


def test_params_that_hold_themselves(repository: DvcRepository, importing: Importing) -> None:
    repository.write("params.yaml", b"a: &a [*a]\n")
    repository.commit("hostile")
    with pytest.raises(SourceError, match="params or metrics hold themselves"):
        importing.collect("dvc:data/train@HEAD", repo=str(repository.root), parameters="true")


def test_aliases_that_people_write_are_read(
    repository: DvcRepository, importing: Importing
) -> None:
    repository.write("params.yaml", b"a: &a {lr: 0.1, on: true}\nb: {<<: *a, n: 2}\nc: [*a, *a]\n")
    repository.commit("params")
    source = "dvc:data/labels.csv@HEAD"
    found = importing.collect(source, repo=str(repository.root), parameters="true")
    parameters = found.tree.kitfile.datasets[0].parameters
    assert isinstance(parameters, dict)
    assert parameters["params"]["params.yaml"]["b"] == {"lr": 0.1, "on": True, "n": 2}


BROKEN = {
    "corrupt": (b"outs: [", "YAML file structure is corrupted"),
    "invalid": (b"outs:\n- {path: x, md5: 1, nonsense: 2}\n", r"outs\.0\.\w+: .*"),
    "other bytes": (b"outs: \xff\xfe", "is not valid utf-8"),
    "brackets": (b"outs: " + b"[" * 5000, "it is nested deeper than 100"),
    "dashes": (b"outs:\n" + b"- " * 5000 + b"x\n", "it is nested deeper than 100"),
    "steps": (
        b"".join(b" " * n + b"a:\n" for n in range(2000)),
        "it is nested deeper than 100",
    ),
    "itself": (b"outs: &a [*a]\n", r"'\*a' stands inside of what it names"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_named_and_stops_no_import_of_other_paths(
    repository: DvcRepository, importing: Importing, kind: str
) -> None:
    content, reason = BROKEN[kind]
    repository.write("other/x.dvc", content)
    repository.commit("broken")
    root = str(repository.root)
    assert len(importing.read("dvc:data/train@HEAD", repo=root)) == len(repository.train)
    assert len(importing.read("dvc:data@HEAD", repo=root)) == len(repository.train) + 1
    named = rf"'other/x\.dvc' may say so and cannot be read: .*{reason}"
    with pytest.raises(SourceError, match=named):
        importing.collect("dvc:other/x@HEAD", repo=root)
    whole = rf"cannot tell what is tracked below '\.' .* 'other/x\.dvc' cannot be read: .*{reason}"
    with pytest.raises(SourceError, match=whole):
        importing.collect("dvc:.@HEAD", repo=root)


def test_a_stage_of_a_broken_pipeline_names_the_reason(
    repository: DvcRepository, importing: Importing
) -> None:
    repository.write("dvc.yaml", b"stages:\n  s:\n    cmd: run ${none}\n    outs: [made]\n")
    repository.commit("broken")
    with pytest.raises(SourceError, match=r"cannot read 'dvc\.yaml' at .*Could not find 'none'"):
        importing.collect("dvc:dvc.yaml:s@HEAD", repo=str(repository.root))
