"""Plugins are loaded one by one, and one tool's failure hides no other's."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest
from kitline.errors import PluginError, SourceError, UsageError
from kitline.oci.digest import Digest
from kitline.oci.manifest import EMPTY_CONFIG, ImageManifest
from kitline.oci.reference import PinnedReference
from kitline.plugin import (
    Collected,
    ImportContext,
    Importer,
    Plugins,
    PushedEvent,
    WriteBack,
    hookimpl,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    InstallPlugin = Callable[[str, str, str], None]

MANIFEST = ImageManifest.build(config=EMPTY_CONFIG, layers=[])
EVENT = PushedEvent(
    reference=PinnedReference(repository="iris", digest=MANIFEST.digest), manifest=MANIFEST
)


@pytest.fixture(name="install")
def _install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InstallPlugin]:
    """Install a one-module plugin: name of the entry point, distribution, source text."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("KITLINE_DISABLE_PLUGINS", "airflow,dvc,kfp,mlflow")
    modules = []

    def install(name: str, distribution: str, source: str) -> None:
        module = distribution.replace("-", "_")
        modules.append(module)
        monkeypatch.delitem(sys.modules, module, raising=False)  # another test's of that name
        (tmp_path / f"{module}.py").write_text(source)
        folder = tmp_path / f"{module}-2.1.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 2.1\n"
        )
        (folder / "entry_points.txt").write_text(f"[kitline]\n{name} = {module}\n")

    yield install
    for module in modules:
        sys.modules.pop(module, None)


def offering(scheme: str) -> str:
    return (
        "from kitline.plugin import Importer, hookimpl\n"
        "@hookimpl\n"
        "def kitline_importers():\n"
        f"    return [Importer(name='x', schemes=({scheme!r},), summary='', collect=print)]\n"
    )


def collect_nothing(source: str, options: Mapping[str, str], context: ImportContext) -> Collected:
    raise NotImplementedError


class Reading:
    """A plugin with one importer."""

    def __init__(self, scheme: str, collect: Callable[..., Collected] = collect_nothing) -> None:
        self.importer = Importer(name=scheme, schemes=(scheme,), summary="reads", collect=collect)

    @hookimpl
    def kitline_importers(self) -> list[Importer]:
        return [self.importer]


def test_an_installed_plugin_is_found_by_its_entry_point(install: InstallPlugin) -> None:
    install("example", "kitline-example", offering("example"))
    plugins = Plugins.load()
    (status,) = [each for each in plugins.list() if each.name == "example"]
    assert (status.state, status.distribution, status.version) == (
        "loaded",
        "kitline-example",
        "2.1",
    )
    assert status.hooks == ("kitline_importers",)
    assert plugins.importer_for("example:x").name == "x"
    assert plugins.importer_for("EXAMPLE://host/x").name == "x"


def test_a_plugin_that_fails_to_load_is_reported_and_skipped(install: InstallPlugin) -> None:
    install("broken", "kitline-broken", "import there_is_no_such_module\n")
    install("example", "kitline-example", offering("example"))
    plugins = Plugins.load()
    broken = next(each for each in plugins.list() if each.name == "broken")
    assert broken.state == "failed"
    assert broken.problem == (
        f"plugin 'broken' (kitline-broken 2.1) does not load into kitline {version('kitline')}:"
        " ModuleNotFoundError: No module named 'there_is_no_such_module';"
        " try 'pip install --upgrade kitline-broken', or set KITLINE_DISABLE_PLUGINS=broken"
    )
    assert plugins.importer_for("example:x").name == "x"


def test_a_hook_that_does_not_exist_fails_its_plugin_only(install: InstallPlugin) -> None:
    install(
        "typo",
        "kitline-typo",
        "from kitline.plugin import hookimpl\n@hookimpl\ndef kitline_importer(): return []\n",
    )
    install("example", "kitline-example", offering("example"))
    plugins = Plugins.load()
    typo = next(each for each in plugins.list() if each.name == "typo")
    assert typo.state == "failed"
    assert "unknown hook 'kitline_importer'" in typo.problem
    assert plugins.importer_for("example:x").name == "x"


def test_a_hook_with_an_unknown_argument_fails_its_plugin_only(install: InstallPlugin) -> None:
    install(
        "typo",
        "kitline-typo",
        "from kitline.plugin import hookimpl\n@hookimpl\ndef kitline_pushed(evnt): ...\n",
    )
    plugins = Plugins.load()
    typo = next(each for each in plugins.list() if each.name == "typo")
    assert typo.state == "failed"
    assert "evnt" in typo.problem
    assert plugins.pushed(EVENT) == ()


@pytest.mark.parametrize(
    "disabled",
    ["example,airflow,dvc,kfp,mlflow", "kitline-example , airflow,dvc,kfp,mlflow", "all"],
)
def test_the_environment_disables_plugins(
    install: InstallPlugin, monkeypatch: pytest.MonkeyPatch, disabled: str
) -> None:
    install("example", "kitline-example", "raise SystemError('was loaded')\n")
    monkeypatch.setenv("KITLINE_DISABLE_PLUGINS", disabled)
    plugins = Plugins.load()
    assert {each.state for each in plugins.list()} == {"disabled"}
    with pytest.raises(PluginError, match="plugin 'mlflow' is disabled by KITLINE_DISABLE_PLUGINS"):
        plugins.importer_for("mlflow://runs/1")


def test_two_offers_for_one_scheme_are_refused_with_both_distributions_named() -> None:
    plugins = Plugins()
    plugins.register(Reading("dvc-a"), name="dvc", distribution="one", version="1")
    plugins.register(Reading("dvc-a"), name="dvc-a", distribution="two", version="2")
    expected = (
        "one 1 and two 2 both read 'dvc-a'; uninstall one, or name it in KITLINE_DISABLE_PLUGINS"
    )
    assert [each.problem for each in plugins.list()] == [expected, expected]
    with pytest.raises(PluginError) as caught:
        plugins.importer_for("dvc-a:x")
    assert str(caught.value) == expected


def test_two_plugins_of_one_name_are_refused() -> None:
    plugins = Plugins()
    plugins.register(Reading("dvc"), name="dvc", distribution="one", version="1")
    with pytest.raises(PluginError, match="the name 'dvc' is taken by one 1"):
        plugins.register(Reading("dvc"), name="dvc", distribution="two", version="2")


def test_an_unknown_tool_gets_a_hint() -> None:
    plugins = Plugins()
    with pytest.raises(PluginError) as known:
        plugins.importer_for("mlflow-run:x")
    assert str(known.value) == "no plugin reads 'mlflow-run' sources; install kitline-mlflow"
    with pytest.raises(PluginError) as other:
        plugins.importer_for("elsewhere:x")
    assert str(other.value) == (
        "no plugin reads 'elsewhere' sources; known are: none, as no plugin is installed"
    )
    with pytest.raises(PluginError, match="no plugin exports to 'dvc'; install kitline-dvc"):
        plugins.exporter("dvc")


def test_an_installed_plugin_that_offers_something_else_is_said_to_be_there() -> None:
    plugins = Plugins()
    plugins.register(Reading("dvc"), name="dvc", distribution="kitline-dvc", version="1")

    with pytest.raises(PluginError) as refusal:
        plugins.exporter("dvc")

    assert str(refusal.value) == (
        "no plugin exports to 'dvc'; kitline-dvc 1 is installed and offers no such thing;"
        " see 'kitline plugins'"
    )


def test_a_failed_plugin_is_the_hint_for_its_schemes(
    install: InstallPlugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("kfp", "kitline-kfp", "raise RuntimeError('too old')\n")  # in front of the real one
    monkeypatch.setenv("KITLINE_DISABLE_PLUGINS", "airflow,dvc,mlflow")
    with pytest.raises(PluginError, match=r"no plugin reads 'kfp' .*RuntimeError: too old"):
        Plugins.load().importer_for("kfp:data")


@pytest.mark.parametrize("source", ["data/train", "", ":x", "1a:x", "a b:c"])
def test_a_source_without_a_tool_is_a_wrong_request(source: str) -> None:
    with pytest.raises(UsageError, match="names no tool"):
        Plugins().importer_for(source)


def test_a_plugin_claims_only_schemes_of_its_tool() -> None:
    plugins = Plugins()
    plugins.register(Reading("runs"), name="mlflow")
    plugins.register(Reading("dvc+https"), name="dvc")
    with pytest.raises(PluginError, match="claims the scheme 'models'"):
        plugins.register(Reading("models"), name="example")
    with pytest.raises(PluginError, match="claims the scheme 'examples'"):
        plugins.register(Reading("examples"), name="example")
    with pytest.raises(PluginError, match="claims 'Example', which is no scheme"):
        plugins.register(Reading("Example"), name="example")
    assert [each.name for each in plugins.list()] == ["mlflow", "dvc"]


def test_an_error_of_the_tool_becomes_one_that_names_the_plugin() -> None:
    def collect(source: str, options: Mapping[str, str], context: ImportContext) -> Collected:
        raise ConnectionError("server is\n down")

    plugins = Plugins()
    plugins.register(Reading("example", collect), name="example")
    with pytest.raises(PluginError) as caught:
        plugins.importer_for("example:a").collect("example:a", {}, ImportContext())
    assert str(caught.value) == (
        "plugin 'example' failed to import 'example:a': ConnectionError: server is down"
    )


def test_a_deliberate_error_of_an_importer_stays_as_it_is() -> None:
    def collect(source: str, options: Mapping[str, str], context: ImportContext) -> Collected:
        raise SourceError("run 'x' has no model")

    plugins = Plugins()
    plugins.register(Reading("example", collect), name="example")
    with pytest.raises(SourceError, match="run 'x' has no model"):
        plugins.importer_for("example:a").collect("example:a", {}, ImportContext())


def test_one_write_back_that_fails_hides_no_other() -> None:
    class Failing:
        @hookimpl
        def kitline_pushed(self, event: PushedEvent) -> WriteBack:
            raise PermissionError("403")

    class Telling:
        @hookimpl
        def kitline_pushed(self, event: PushedEvent) -> WriteBack:
            return WriteBack(plugin="whoever", target=str(event.digest))

    class Wrong:
        @hookimpl
        def kitline_pushed(self) -> str:
            return "done"

    class Silent:
        @hookimpl
        def kitline_pushed(self) -> None:
            return None

    plugins = Plugins()
    for plugin in (Failing(), Telling(), Wrong(), Silent()):
        plugins.register(plugin, name=type(plugin).__name__.lower())
    assert plugins.pushed(EVENT) == (
        WriteBack(plugin="failing", warning="PermissionError: 403"),
        WriteBack(plugin="telling", target=str(MANIFEST.digest)),
        WriteBack(plugin="wrong", warning="kitline_pushed returned str, not a WriteBack"),
    )
    assert [each.ok for each in plugins.pushed(EVENT)] == [False, True, False]


def test_the_digest_of_an_event_is_that_of_the_manifest() -> None:
    assert EVENT.digest == Digest.of(MANIFEST.raw)


def test_no_password_of_a_source_reaches_a_message() -> None:
    def collect(source: str, options: Mapping[str, str], context: ImportContext) -> Collected:
        raise ConnectionError(f"cannot reach {source}")

    plugins = Plugins()
    plugins.register(Reading("example", collect), name="example")
    source = "example://me:p@ss:word@host/x"
    with pytest.raises(PluginError) as caught:
        plugins.importer_for(source).collect(source, {}, ImportContext())
    assert str(caught.value) == (
        "plugin 'example' failed to import 'example://host/x':"
        " ConnectionError: cannot reach example://host/x"
    )
