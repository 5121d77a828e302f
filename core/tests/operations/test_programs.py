"""What programs that keep credentials themselves, or ask often, set in code."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import kitline
import pytest
from kitline.errors import AuthenticationFailed, RegistryUnreachable
from kitline.plugin import Digest, Sessions
from kitline.testing import BasicAuth, BearerAuth, Fault, LocalRegistry

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    made.mkdir()
    (made / "weights").write_bytes(b"1234")
    return made


def test_credentials_given_in_code_reach_the_registry_and_nobody_reads_them(folder: Path) -> None:
    with LocalRegistry(auth=BasicAuth(username="ann", password="s3cret")) as registry:
        settings = replace(kitline.Settings.load(), credentials={registry.host: ("ann", "s3cret")})

        packed = kitline.pack(folder, f"{registry.host}/team/iris:v1", settings=settings)

        found = kitline.resolve(f"{registry.host}/team/iris:v1", settings=settings)
        assert found == packed.reference
        with pytest.raises(AuthenticationFailed):
            kitline.resolve(f"{registry.host}/team/iris:v1")
    assert "s3cret" not in repr(settings)
    assert "s3cret" not in str(settings.describe())


def test_credentials_for_one_registry_are_not_sent_to_another(folder: Path) -> None:
    with (
        LocalRegistry() as open_one,
        LocalRegistry(auth=BasicAuth(username="ann", password="s3cret")) as other,
    ):
        settings = replace(kitline.Settings.load(), credentials={other.host: ("ann", "s3cret")})

        kitline.pack(folder, f"{open_one.host}/team/iris:v1", settings=settings)

        assert open_one.authorizations == []


def test_shared_sessions_ask_for_one_token_and_connect_once() -> None:
    with (
        LocalRegistry(auth=BearerAuth(username="ann", password="s3cret")) as registry,
        Sessions() as sessions,
    ):
        settings = replace(
            kitline.Settings.load(),
            credentials={registry.host: ("ann", "s3cret")},
            sessions=sessions,
        )

        found = [
            kitline.resolve(f"{registry.host}/team/iris:v{n}", settings=settings) for n in range(10)
        ]

        assert found == [None] * 10
        assert registry.count("GET", "^/token") == 1
        assert registry.count("HEAD", "/manifests/") == 11  # one was challenged


def test_a_program_that_comes_back_by_itself_tries_once_and_reads_what_pause_is_asked() -> None:
    with LocalRegistry() as registry:
        registry.inject(Fault.too_many_requests(retry_after=77, times=None))
        settings = replace(kitline.Settings.load(), tries=1)

        with pytest.raises(RegistryUnreachable) as caught:
            kitline.resolve(f"{registry.host}/team/iris:v1", settings=settings)

        assert getattr(caught.value, "pause", None) == 77
        assert registry.count() == 1


def test_resolve_finds_tags_and_digests_and_says_when_nothing_is_there(folder: Path) -> None:
    packed = kitline.pack(folder, "iris:v1")

    assert kitline.resolve("iris:v1") == packed.reference
    assert kitline.resolve(packed.reference) == packed.reference
    assert kitline.resolve("iris:v2") is None
    assert kitline.resolve("iris@" + str(Digest.of(b"no manifest"))) is None


def test_check_login_tells_good_credentials_from_bad_ones() -> None:
    with LocalRegistry(auth=BasicAuth(username="ann", password="s3cret")) as registry:
        good = {registry.host: ("ann", "s3cret")}
        bad = {registry.host: ("ann", "wrong")}

        kitline.check_login(
            registry.host, settings=replace(kitline.Settings.load(), credentials=good)
        )

        with pytest.raises(AuthenticationFailed) as caught:
            kitline.check_login(
                registry.host, settings=replace(kitline.Settings.load(), credentials=bad)
            )
    assert "wrong" not in str(caught.value)


def test_a_history_after_a_record_is_one_request_if_there_is_nothing_new(folder: Path) -> None:
    with LocalRegistry() as registry:
        repository = f"{registry.host}/team/iris"
        one = kitline.pack(folder, f"{repository}:v1")
        (folder / "weights").write_bytes(b"56789")
        two = kitline.pack(folder, f"{repository}:v2")
        kitline.promote(one.reference, "production")
        (first,) = kitline.stage_history(repository, "production")
        registry.forget()

        assert kitline.stage_history(repository, "production", after=first.tag) == []
        assert registry.count() == 1

        kitline.promote(two.reference, "production")
        (second,) = kitline.stage_history(repository, "production", after=first.tag)
        assert (second.seq, second.kit, second.lost) == (2, two.digest, False)
        with pytest.raises(kitline.KitlineError, match="not the tag of a record"):
            kitline.stage_history(repository, "staging", after=first.tag)
