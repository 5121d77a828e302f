"""Properties of layers: packing is a function of content, unpacking is its inverse."""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st
from kitline.errors import KitlineError
from kitline.kit.derive import LARGE_FILE, derive_kitfile
from kitline.kit.extract import extract_tar
from kitline.kit.folder import FolderTree
from kitline.kit.kitfile import Code, Kitfile
from kitline.kit.layer import TarLayer
from kitline.kit.layer_entries import layer_entries
from kitline.kit.limits import DEFAULT_LIMITS
from kitline.kit.staging import Staging
from kitline.kit.tar_reader import TarReader
from kitline.kit.tree import Entry
from kitline.oci.descriptor import Descriptor
from kitline.oci.digest import Digest
from kitline.store.pipeline import read_all

if TYPE_CHECKING:
    from collections.abc import Iterator

TAR = "application/vnd.kitops.modelkit.code.v1.tar"
WHOLE = Kitfile(code=(Code(path="."),))
FEW = settings(max_examples=40, deadline=None)

names = (
    st.text(
        st.characters(codec="utf-8", exclude_characters="/\0"),
        min_size=1,
        max_size=12,
    )
    .filter(lambda name: ".." not in name and name != ".")
    .filter(lambda name: name not in ("Kitfile", "kitfile", ".kitfile", ".kitignore"))
    .filter(lambda name: len(name.encode()) < 200)
)
Tree = dict[tuple[str, ...], bytes]


def _is_consistent(tree: Tree) -> bool:
    """No path is both a file and a folder."""
    return not any(path[:count] in tree for path in tree for count in range(1, len(path)))


trees = st.dictionaries(
    st.lists(names, min_size=1, max_size=4).map(tuple), st.binary(max_size=2000), max_size=8
).filter(_is_consistent)


@contextmanager
def temporary() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def create(root: Path, tree: Tree, *, backwards: bool = False, mtime: int = 0) -> None:
    root.mkdir(exist_ok=True)
    for path in sorted(tree, reverse=backwards):
        file = root.joinpath(*path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(tree[path])
        os.utime(file, (mtime, mtime))


def pack(root: Path) -> bytes:
    layer = TarLayer(layer_entries(FolderTree(root, WHOLE).entries(), "."))
    with layer.open() as stream:
        data = read_all(stream, 1 << 24)
    assert len(data) == layer.size
    return data


def unpack(data: bytes, target: Path) -> None:
    descriptor = Descriptor(media_type=TAR, digest=Digest.of(data), size=len(data))
    with Staging(target, durable=False) as staging:
        extract_tar(io.BytesIO(data), staging, descriptor)
        staging.commit()


def read(root: Path) -> Tree:
    return {
        path.relative_to(root).parts: path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


@FEW
@given(trees)
def test_unpacking_what_was_packed_gives_the_same_tree(tree: Tree) -> None:
    with temporary() as folder:
        create(folder / "in", tree)
        unpack(pack(folder / "in"), folder / "out")
        assert read(folder / "out") == tree


@FEW
@given(trees, st.integers(0, 2**31), st.sampled_from([0o000, 0o022, 0o077]))
def test_other_order_times_and_umask_give_the_same_bytes(
    tree: Tree, mtime: int, umask: int
) -> None:
    with temporary() as folder:
        create(folder / "one", tree)
        before = os.umask(umask)
        try:
            create(folder / "two", tree, backwards=True, mtime=mtime)
        finally:
            os.umask(before)
        assert pack(folder / "one") == pack(folder / "two")


@FEW
@given(trees)
def test_other_readers_see_the_same_files(tree: Tree) -> None:
    with temporary() as folder:
        create(folder / "in", tree)
        data = pack(folder / "in")
    with tarfile.open(fileobj=io.BytesIO(data), encoding="utf-8") as tar:
        found: Tree = {}
        for each in tar:
            if each.isfile():
                content = tar.extractfile(each)
                assert content is not None
                found[tuple(each.name.split("/"))] = content.read()
    assert found == tree


@FEW
@given(trees, st.lists(st.integers(0, 40_000), min_size=1, max_size=8))
def test_reading_from_an_offset_gives_the_rest(tree: Tree, offsets: list[int]) -> None:
    with temporary() as folder:
        create(folder / "in", tree)
        layer = TarLayer(layer_entries(FolderTree(folder / "in", WHOLE).entries(), "."))
        whole = pack(folder / "in")
        for offset in offsets:
            with layer.open(min(offset, layer.size)) as stream:
                assert read_all(stream, 1 << 24) == whole[offset:]


class Listing:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.found: list[tuple[str, bytes]] = []
        self._content = b""

    def add_folder(self, path: str, mode: int) -> None:
        self.found.append((path + "/", b""))

    def begin_file(self, path: str, mode: int, size: int) -> None:
        self._content = b""
        self.found.append((path, b""))

    def write(self, view: memoryview) -> None:
        self._content += view

    def end_file(self) -> None:
        self.found[-1] = (self.found[-1][0], self._content)


@FEW
@given(trees, st.lists(st.integers(1, 1500), min_size=1, max_size=20))
def test_a_tar_means_the_same_however_it_is_cut_into_pieces(tree: Tree, lengths: list[int]) -> None:
    with temporary() as folder:
        create(folder / "in", tree)
        data = memoryview(pack(folder / "in"))
    whole, pieces = Listing(), Listing()
    reader = TarReader(whole, "layer", DEFAULT_LIMITS, len(data))
    reader.feed(data)
    reader.finish()
    reader = TarReader(pieces, "layer", DEFAULT_LIMITS, len(data))
    at = turn = 0
    while at < len(data):
        length = lengths[turn % len(lengths)]
        reader.feed(data[at : at + length])
        at, turn = at + length, turn + 1
    reader.finish()
    assert pieces.found == whole.found
    assert {tuple(path.split("/")): each for path, each in whole.found if path[-1] != "/"} == tree


evil_names = st.lists(
    st.sampled_from(["..", ".", "", "a", "b", "link", "beside", "é", "x" * 120]),
    min_size=1,
    max_size=4,
).map("/".join)
evil_members = st.lists(
    st.tuples(
        evil_names,
        st.sampled_from([b"0", b"0", b"5", b"1", b"2", b"3", b"6", b"7", b"S", b"\0"]),
        st.sampled_from(["..", "../beside", "/etc", "a", "../../beside"]),
        st.integers(0, 0o7777),
    ),
    max_size=5,
)


@settings(max_examples=150, deadline=None)
@given(evil_members, st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]), st.data())
def test_no_tar_however_hostile_writes_outside_or_leaves_something_behind(
    members: list[tuple[str, bytes, str, int]], form: int, data: st.DataObject
) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for name, kind, target, mode in members:
            info = tarfile.TarInfo(name or "/")
            info.type, info.linkname, info.mode = kind, target, mode
            info.size = 3 if kind in (b"0", b"\0") else 0
            tar.addfile(info, io.BytesIO(b"abc"))
    blob = bytearray(out.getvalue())
    for _ in range(data.draw(st.integers(0, 2))):
        blob[data.draw(st.integers(0, min(len(blob), 4096) - 1))] = data.draw(st.integers(0, 255))
    with temporary() as folder:
        (folder / "beside").write_bytes(b"untouched")
        try:
            unpack(bytes(blob), folder / "out")
        except KitlineError:
            assert not (folder / "out").exists()
        assert set(os.listdir(folder)) <= {"beside", "out"}
        assert (folder / "beside").read_bytes() == b"untouched"
        assert not any(path.is_symlink() for path in folder.rglob("*"))


@FEW
@given(st.binary(min_size=1, max_size=3000), st.integers(0, 100_000), st.integers(1, 255))
def test_any_changed_byte_is_refused(content: bytes, place: int, change: int) -> None:
    with temporary() as folder:
        create(folder / "in", {("f",): content})
        data = pack(folder / "in")
        wrong = bytearray(data)
        wrong[place % len(data)] ^= change
        descriptor = Descriptor(media_type=TAR, digest=Digest.of(data), size=len(data))
        refused = False
        try:
            with Staging(folder / "out", durable=False) as staging:
                extract_tar(io.BytesIO(wrong), staging, descriptor)
                staging.commit()
        except KitlineError:
            refused = True
        assert refused
        assert os.listdir(folder) == ["in"]


tree_names = st.sampled_from(
    ["a.bin", "model", "data", "docs", "prompts", "x.csv", "README.md", "MLmodel", "a:b", "run.py",
     "x.prompt", "Data", "LICENSE", "data.txt", "data-v2"]
)  # fmt: skip
derivable = st.dictionaries(
    st.lists(tree_names, min_size=1, max_size=3).map("/".join),
    st.sampled_from([0, 1, LARGE_FILE]),
    min_size=1,
    max_size=10,
)


@settings(max_examples=200, deadline=None)
@given(derivable)
def test_a_derived_kitfile_puts_every_file_into_exactly_one_layer(sizes: dict[str, int]) -> None:
    files = {
        path: size
        for path, size in sizes.items()
        if not any(other.startswith(path + "/") for other in sizes)
    }
    entries = [Entry(path=path, size=files[path]) for path in sorted(files)]
    kitfile = derive_kitfile(entries)
    paths = [part.clean_path for part in kitfile.parts()]
    packed = [
        entry.path
        for path in paths
        for entry in layer_entries(entries, path, paths)
        if not entry.is_folder
    ]
    assert sorted(packed) == sorted(files)
    assert len(set(paths)) == len(paths)
