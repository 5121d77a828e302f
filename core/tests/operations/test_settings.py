"""Settings: the highest place wins, and everything tells where it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from kitline.errors import InvalidSetting, UsageError
from kitline.operations.settings import Policy, Settings

if TYPE_CHECKING:
    from pathlib import Path


def load(folder: Path, environment: dict[str, str] | None = None, **options: Any) -> Settings:
    return Settings.load(environment=environment or {}, folder=folder, options=options)


def origin_of(settings: Settings, name: str) -> str:
    return str(next(row["origin"] for row in settings.describe() if row["name"] == name))


def test_without_any_setting_a_local_store_is_used(tmp_path: Path) -> None:
    settings = load(tmp_path)

    assert settings.registry is None
    assert settings.store_folder.name == "store"
    assert origin_of(settings, "home") == "default"


def test_options_beat_environment_beats_project_file(tmp_path: Path) -> None:
    (tmp_path / "kitline.toml").write_text('registry = "file.example/a"\nconcurrency = 2\n')
    below = tmp_path / "deep" / "down"
    below.mkdir(parents=True)

    settings = load(below, {"KITLINE_REGISTRY": "env.example/b", "KITLINE_WRITE_BACK": "off"})
    stronger = load(below, {"KITLINE_REGISTRY": "env.example/b"}, registry="option.example/c")

    assert (settings.registry, settings.concurrency) == ("env.example/b", 2)
    assert origin_of(settings, "registry") == "environment KITLINE_REGISTRY"
    assert origin_of(settings, "concurrency") == f"file {tmp_path / 'kitline.toml'}"
    assert stronger.registry == "option.example/c"
    assert origin_of(stronger, "registry") == "option"


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        (
            {"KITLINE_CONCURRENCY": "many"},
            "setting 'concurrency' from environment: 'many' is not a number from 1 to 64",
        ),
        (
            {"KITLINE_KEEP_TAG": "perhaps"},
            "setting 'keep_tag' from environment: 'perhaps' is neither true nor false",
        ),
        (
            {"KITLINE_REGISTRY": "team"},
            "setting 'registry' from environment: 'team' names no registry;"
            " write 'host[:port][/path]'",
        ),
        (
            {"KITLINE_WRITE_BACK": "x"},
            "setting 'write_back' from environment: 'x' is none of warn, require, off",
        ),
        (
            {"SOURCE_DATE_EPOCH": "-1"},
            "setting 'source_date_epoch' from environment SOURCE_DATE_EPOCH:"
            " '-1' is not a number of seconds",
        ),
        (
            {"KITLINE_CONFIG": "/nowhere/x.toml"},
            "setting 'config' from KITLINE_CONFIG: there is no file '/nowhere/x.toml'",
        ),
    ],
)
def test_an_unusable_value_says_where_it_was_read(
    tmp_path: Path, environment: dict[str, str], message: str
) -> None:
    with pytest.raises(InvalidSetting) as refusal:
        load(tmp_path, environment)

    assert str(refusal.value) == message


def test_an_unknown_name_in_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kitline.toml").write_text("registri = 'x.example'\n")

    with pytest.raises(InvalidSetting, match=r"'registri' from file .*kitline.toml: is not one of"):
        load(tmp_path)


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "kitline.toml").write_text("registry = \n")

    with pytest.raises(InvalidSetting, match=r"kitline\.toml: cannot be read"):
        load(tmp_path)


def test_policy_is_tightened_and_never_loosened(tmp_path: Path) -> None:
    above = tmp_path / "user.toml"
    above.write_text("[policy]\nallow_insecure = false\nregistries = ['a.example', 'b.example']\n")
    (tmp_path / "kitline.toml").write_text(
        "insecure = ['a.example']\n"
        "[policy]\nallow_insecure = true\nregistries = ['b.example', 'c.example']\n"
    )

    settings = load(tmp_path, {"KITLINE_CONFIG": str(above)})

    assert settings.policy == Policy(allow_insecure=False, registries=("b.example",))
    with pytest.raises(UsageError, match=r"insecure TLS to 'a\.example' is forbidden by policy"):
        settings.is_insecure("a.example")


def test_two_policies_without_a_common_registry_allow_none() -> None:
    both = Policy(registries=("a.example",)).tighten(Policy(registries=("b.example",)))

    assert both.registries == ("none.invalid",)


def test_a_system_file_that_cannot_be_looked_at_stops_everything(tmp_path: Path) -> None:
    hidden = tmp_path / ("n" * 300)  # no name that long can be looked at, not even by root

    with pytest.raises(InvalidSetting, match="may hold a policy and cannot be looked at"):
        Settings.load(environment={}, folder=tmp_path, system=hidden)


def test_the_policy_of_the_system_holds_whatever_users_say(tmp_path: Path) -> None:
    system = tmp_path / "system.toml"
    system.write_text("[policy]\nallow_plain_http = false\n")
    (tmp_path / "kitline.toml").write_text("[policy]\nallow_plain_http = true\n")

    settings = Settings.load(environment={}, folder=tmp_path, system=system)

    assert not settings.policy.allow_plain_http
