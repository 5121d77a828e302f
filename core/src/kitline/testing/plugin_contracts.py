"""ImporterContract and ExporterContract: what a plugin's offers keep, as tests to subclass.

class TestMyImporter(ImporterContract):
    missing_source = "mytool:no-such-thing"

    @pytest.fixture
    def importer(self) -> Importer: ...

    @pytest.fixture
    def source(self) -> str: ...
"""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest

from kitline.errors import KitlineError, VerificationError
from kitline.kit.folder import FolderTree
from kitline.kit.kitfile_check import require_valid
from kitline.kit.kitfile_write import write_kitfile
from kitline.kit.kitfile_yaml import read_kitfile
from kitline.kit.pack import PackOptions, pack
from kitline.plugin import Collected, ExportContext, ImportContext, Kit
from kitline.store.memory import MemoryStore
from kitline.store.pipeline import read_all
from kitline.store.source import BytesSource
from kitline.testing.trees import SMALL_KIT, write_tree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kitline.oci.descriptor import Descriptor
    from kitline.oci.manifest import ImageManifest
    from kitline.plugin import Exporter, Importer
    from kitline.store.interface import ByteStream
    from kitline.testing.trees import Tree

_NAME = re.compile(r"[a-z][a-z0-9-]*\Z")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*\Z")
_RECIPE = re.compile(r"[a-z][a-z0-9-]*/[1-9][0-9]*\Z")
_SECRETS = re.compile(
    r"://[^/@\s\"']*:[^/@\s\"']*@"  # a password in an address
    r"|[?&](X-Amz-Signature|X-Amz-Credential|X-Goog-Signature|sig|signature|token|access_token)=",
    re.IGNORECASE,
)


class ImporterContract:
    """Subclass it as `Test…`; give the fixtures `importer` and `source`, and a missing source."""

    missing_source: ClassVar[str]
    """A source of the right form that names nothing."""
    secrets: ClassVar[Sequence[str]] = ()
    """Passwords and tokens that the set-up uses; none of them may get out."""

    @pytest.fixture
    def options(self) -> Mapping[str, str]:
        """The options that the source needs; none unless overridden."""
        return {}

    @pytest.fixture
    def context(self) -> ImportContext:
        """What the importer may use of kitline; silent unless overridden."""
        return ImportContext()

    @pytest.fixture
    def collected(
        self,
        importer: Importer,
        source: str,
        options: Mapping[str, str],
        context: ImportContext,
    ) -> Collected:
        """What the importer made of the source."""
        return importer.collect(source, options, context)

    def test_the_importer_introduces_itself(self, importer: Importer) -> None:
        assert _NAME.match(importer.name)
        assert importer.schemes
        assert all(_SCHEME.match(scheme) for scheme in importer.schemes)
        assert importer.summary
        assert "\n" not in importer.summary

    def test_collecting_twice_gives_the_same_digest(
        self,
        importer: Importer,
        source: str,
        options: Mapping[str, str],
        context: ImportContext,
    ) -> None:
        first = pack_collected(importer.collect(source, options, context), MemoryStore())
        second = pack_collected(importer.collect(source, options, context), MemoryStore())
        assert first.digest == second.digest

    def test_the_digest_does_not_depend_on_time_zone_and_umask(
        self,
        importer: Importer,
        source: str,
        options: Mapping[str, str],
        context: ImportContext,
    ) -> None:
        first = pack_collected(importer.collect(source, options, context), MemoryStore())
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TZ", "Asia/Kathmandu")
            time.tzset()
            umask = os.umask(0o077)
            try:
                second = pack_collected(importer.collect(source, options, context), MemoryStore())
            finally:
                os.umask(umask)
        time.tzset()
        assert first.digest == second.digest

    def test_the_kitfile_is_valid_and_can_be_written(self, collected: Collected) -> None:
        kitfile = collected.tree.kitfile
        require_valid(kitfile, "the importer's Kitfile")
        assert read_kitfile(write_kitfile(kitfile)).kitfile == kitfile

    def test_paths_are_relative_and_stay_inside(self, collected: Collected) -> None:
        kitfile = collected.tree.kitfile
        paths = [entry.path for entry in collected.tree.entries()]
        paths += [part.clean_path for part in kitfile.parts()]
        assert paths
        assert [path for path in paths if path.startswith("/") or "\\" in path] == []
        assert [path for path in paths if ".." in path.split("/")] == []

    def test_each_path_comes_once_and_folders_before_their_content(
        self, collected: Collected
    ) -> None:
        paths = [entry.path for entry in collected.tree.entries()]
        assert len(set(paths)) == len(paths)
        late = [
            path
            for at, path in enumerate(paths)
            if any(path.startswith(earlier + "/") for earlier in paths[at + 1 :])
        ]
        assert late == []

    def test_files_have_the_size_that_they_state_and_open_anywhere(
        self, collected: Collected
    ) -> None:
        for entry in collected.tree.entries():
            if entry.is_folder or entry.size is None:
                continue
            assert entry.open is not None
            with entry.open(0) as stream:
                content = read_all(stream, entry.size + 1)
            assert len(content) == entry.size
            with entry.open(entry.size // 2) as stream:
                assert read_all(stream, entry.size) == content[entry.size // 2 :]

    def test_the_recipe_names_importer_and_version(self, collected: Collected) -> None:
        assert _RECIPE.match(collected.recipe)

    def test_nothing_in_the_kit_tells_secrets(self, collected: Collected) -> None:
        text = _everything_said(collected)
        assert [secret for secret in self.secrets if secret in text] == []
        assert _SECRETS.search(text) is None

    def test_nothing_in_the_manifest_tells_where_it_was_made(self, collected: Collected) -> None:
        manifest = pack_collected(collected, MemoryStore()).raw.decode()
        assert str(Path.home()) not in manifest
        assert str(Path.cwd()) not in manifest

    def test_a_source_that_is_not_there_is_a_clear_error(
        self, importer: Importer, options: Mapping[str, str], context: ImportContext
    ) -> None:
        with pytest.raises(KitlineError) as caught:
            pack_collected(importer.collect(self.missing_source, options, context), MemoryStore())
        assert str(caught.value)


class ExporterContract:
    """Subclass it as `Test…`; give the fixtures `exporter` and `target`."""

    @pytest.fixture
    def kit_store(self) -> MemoryStore:
        """The store that holds the kit."""
        return MemoryStore("team/iris")

    @pytest.fixture
    def kit(self, kit_store: MemoryStore, tmp_path: Path) -> Kit:
        """The kit to export: `trees.SMALL_KIT` unless overridden."""
        return sample_kit(kit_store, tmp_path / "sample-kit")

    @pytest.fixture
    def options(self) -> Mapping[str, str]:
        """The options that the target needs; none unless overridden."""
        return {}

    @pytest.fixture
    def context(self) -> ExportContext:
        """What the exporter may use of kitline; silent unless overridden."""
        return ExportContext()

    def test_the_exporter_introduces_itself(self, exporter: Exporter) -> None:
        assert _NAME.match(exporter.name)
        assert exporter.summary
        assert "\n" not in exporter.summary

    def test_an_export_says_what_it_made(
        self,
        exporter: Exporter,
        kit: Kit,
        target: str,
        options: Mapping[str, str],
        context: ExportContext,
    ) -> None:
        result = exporter.export(kit, target, options, context)
        assert result.target
        assert not result.existed

    def test_exporting_again_makes_nothing_new(
        self,
        exporter: Exporter,
        kit: Kit,
        target: str,
        options: Mapping[str, str],
        context: ExportContext,
    ) -> None:
        first = exporter.export(kit, target, options, context)
        second = exporter.export(kit, target, options, context)
        assert second.target == first.target
        assert second.existed

    def test_content_that_does_not_match_its_digest_is_not_exported(
        self,
        exporter: Exporter,
        kit: Kit,
        kit_store: MemoryStore,
        target: str,
        options: Mapping[str, str],
        context: ExportContext,
    ) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kit_store, "fetch", _Tampering(kit_store).fetch)
            with pytest.raises(VerificationError):
                exporter.export(kit, target, options, context)
        assert not exporter.export(kit, target, options, context).existed


def pack_collected(collected: Collected, store: MemoryStore) -> ImageManifest:
    """Pack what an importer found, as `kitline import` does; return the manifest."""
    options = PackOptions(annotations=collected.manifest_annotations(), created=collected.created)
    return pack(collected.tree, store, options=options).manifest


def sample_kit(store: MemoryStore, folder: Path, tree: Tree = SMALL_KIT) -> Kit:
    """Pack a tree with a Kitfile into a store."""
    write_tree(folder, tree)
    kitfile = read_kitfile((folder / "Kitfile").read_bytes()).kitfile
    packed = pack(FolderTree(folder, kitfile), store)
    return Kit(
        reference=store.pin(packed.manifest.digest),
        manifest=packed.manifest,
        kitfile=packed.kitfile,
        store=store,
    )


def _everything_said(collected: Collected) -> str:
    """Return all text that leaves the importer: manifest, Kitfile, origin, parents, statements."""
    manifest = pack_collected(collected, MemoryStore())
    parts = [
        manifest.raw.decode(),
        write_kitfile(collected.tree.kitfile),
        repr(collected.origin),
        repr(collected.parents),
        *(json.dumps(dict(each.predicate), default=str) for each in collected.statements),
        *collected.warnings,
    ]
    return "\n".join(parts)


class _Tampering:
    """Reads blobs with one byte changed."""

    def __init__(self, store: MemoryStore) -> None:
        self._fetch = store.fetch

    def fetch(self, descriptor: Descriptor, *, offset: int = 0) -> ByteStream:
        with self._fetch(descriptor) as stream:
            content = bytearray(read_all(stream, descriptor.size))
        content[len(content) // 2] ^= 1
        return BytesSource(bytes(content)).open(offset)
