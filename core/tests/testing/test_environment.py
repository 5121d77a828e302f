from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from kitline.testing import LocalRegistry
from kitline.testing.environment import clean_environment
from kitline.testing.processes import PeerMissing, RunningRegistry, free_port, peer


def test_a_clean_environment_has_no_credentials_and_no_proxies(tmp_path: Path) -> None:
    dirty = {
        "PATH": "/bin",
        "HTTPS_PROXY": "http://proxy",
        "no_proxy": "x",
        "DOCKER_AUTH_CONFIG": "{}",
        "AWS_ACCESS_KEY_ID": "x",
        "KITLINE_REGISTRY": "reg.example",
        "XDG_DATA_HOME": "/elsewhere",
    }
    clean = clean_environment(tmp_path, dirty)
    assert clean["PATH"] == "/bin"
    assert clean["XDG_DATA_HOME"] == str(tmp_path / "data")
    assert set(dirty) & set(clean) == {"PATH", "XDG_DATA_HOME"}


def test_every_test_has_a_home_of_its_own(isolated_home: Path) -> None:
    assert Path.home() == isolated_home
    assert list(isolated_home.iterdir()) == []
    assert "HTTP_PROXY" not in os.environ
    assert Path(os.environ["DOCKER_CONFIG"]).parent == isolated_home


def test_a_peer_comes_from_the_folder_named_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "sh"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PEERS_BIN", str(tmp_path))
    assert peer("sh") == program
    monkeypatch.delenv("PEERS_BIN")
    assert peer("sh") != program


def test_a_missing_peer_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PEERS_BIN", raising=False)
    with pytest.raises(PeerMissing, match=r"'no-such-program' in PEERS_BIN .* 'make interop'"):
        peer("no-such-program")


def test_a_free_port_can_be_listened_on() -> None:
    assert 1024 <= free_port() < 65536


def test_kitline_testing_is_not_loaded_before_it_is_used() -> None:
    code = "import sys, kitline.testing; print('pytest' in sys.modules, 'oras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_only_public_names_are_offered() -> None:
    import kitline.testing

    assert kitline.testing.LocalRegistry is LocalRegistry
    assert all(getattr(kitline.testing, name) for name in kitline.testing.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = kitline.testing.nothing


@pytest.mark.registry
@pytest.mark.peer
def test_real_registries_answer_on_loopback(
    distribution_3: RunningRegistry,
    docker_registry_2: RunningRegistry,
    olareg_registry: RunningRegistry,
) -> None:
    hosts = {each.host for each in (distribution_3, docker_registry_2, olareg_registry)}
    assert len(hosts) == 3
    assert all(host.startswith("127.0.0.1:") for host in hosts)
