"""Every hook has a section in the documentation and a test named after it."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kitline.oci.manifest import EMPTY_CONFIG, ImageManifest
from kitline.oci.reference import PinnedReference
from kitline.plugin import (
    Exporter,
    ExportResult,
    Importer,
    Plugins,
    PromotedEvent,
    PushedEvent,
    WriteBack,
    hookimpl,
    hookspecs,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
HOOKS = {
    name: found
    for name, found in inspect.getmembers(hookspecs, inspect.isfunction)
    if name.startswith("kitline_")
}
MANIFEST = ImageManifest.build(config=EMPTY_CONFIG, layers=[])
REFERENCE = PinnedReference(repository="iris", digest=MANIFEST.digest)


def refuse(*arguments: object) -> ExportResult:
    raise NotImplementedError


class Example:
    """Implements every hook."""

    @hookimpl
    def kitline_importers(self) -> Iterator[Importer]:
        yield Importer(name="example", schemes=("example",), summary="", collect=refuse)  # type: ignore[arg-type] # never called

    @hookimpl
    def kitline_exporters(self) -> list[Exporter]:
        return [Exporter(name="example", summary="", export=refuse)]

    @hookimpl
    def kitline_pushed(self, event: PushedEvent) -> WriteBack:
        return WriteBack(plugin="example", target=f"{event.reference}")

    @hookimpl
    def kitline_promoted(self, event: PromotedEvent) -> WriteBack:
        return WriteBack(plugin="example", target=f"{event.stage} {event.digest}")


@pytest.fixture(name="plugins")
def _plugins() -> Plugins:
    plugins = Plugins()
    plugins.register(Example(), name="example")
    return plugins


def test_kitline_importers(plugins: Plugins) -> None:
    assert [each.name for each in plugins.importers()] == ["example"]


def test_kitline_exporters(plugins: Plugins) -> None:
    assert [each.name for each in plugins.exporters()] == ["example"]
    assert plugins.exporter("example").name == "example"


def test_kitline_pushed(plugins: Plugins) -> None:
    (told,) = plugins.pushed(PushedEvent(reference=REFERENCE, manifest=MANIFEST, tag="v1"))
    assert told == WriteBack(plugin="example", target=f"iris@{MANIFEST.digest}")


def test_kitline_promoted(plugins: Plugins) -> None:
    (told,) = plugins.promoted(PromotedEvent(reference=REFERENCE, stage="production"))
    assert told.target == f"production {MANIFEST.digest}"


@pytest.mark.parametrize("hook", HOOKS)
def test_each_hook_is_documented_with_its_signature(hook: str) -> None:
    page = (ROOT / "docs/plugins/hooks.md").read_text()
    arguments = ", ".join(inspect.signature(HOOKS[hook]).parameters)
    assert f"\n## `{hook}({arguments})`\n" in page


@pytest.mark.parametrize("hook", HOOKS)
def test_each_hook_has_a_test_named_after_it(hook: str) -> None:
    assert f"test_{hook}" in globals()


def test_the_list_of_hooks_is_not_empty() -> None:
    assert len(HOOKS) >= 4
