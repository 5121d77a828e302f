from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kitline.errors import SourceChanged, SourceError
from kitline.kit.folder import FolderTree
from kitline.kit.kitfile import Code, Dataset, Docs, Kitfile, Model
from kitline.kit.kitfile_yaml import read_kitfile
from kitline.kit.layer import TarLayer
from kitline.kit.layer_entries import layer_entries
from kitline.kit.raw_layer import RawLayer, file_metadata
from kitline.oci.digest import Digest
from kitline.store.pipeline import read_all

if TYPE_CHECKING:
    from collections.abc import Callable

    from kitline.kit.tree import Entry

VECTORS = Path(
    os.environ.get("KITLINE_VECTORS") or Path(__file__).parents[3].parent / "shared" / "vectors"
)
CASES = sorted(path.parent.name for path in VECTORS.glob("*/tree.json"))

needs_vectors = pytest.mark.skipif(
    not CASES, reason="the golden kits are not beside the repository; set KITLINE_VECTORS"
)


def make_tree(root: Path, case: str) -> Kitfile:
    spec = json.loads((VECTORS / case / "tree.json").read_text())
    later = []
    for each in spec["entries"]:
        path = root / each["path"]
        for folder in reversed(path.parents):
            if not folder.exists():
                folder.mkdir()
                folder.chmod(0o755)
        kind = each.get("type", "file")
        if kind == "symlink":
            path.symlink_to(each["target"])
            continue
        if kind == "dir":
            path.mkdir(exist_ok=True)
        else:
            path.write_bytes(content_of(each))
        mode = int(each.get("mode", "0755" if kind == "dir" else "0644"), 8)
        later.append((path, mode, each.get("mtime", 0)))
    for path, mode, mtime in reversed(later):
        os.utime(path, (mtime, mtime))
        path.chmod(mode)
    (root / "Kitfile").write_bytes((VECTORS / case / "Kitfile").read_bytes())
    return read_kitfile((VECTORS / case / "Kitfile").read_bytes()).kitfile


def content_of(entry: dict[str, Any]) -> bytes:
    if "text" in entry:
        return str(entry["text"]).encode()
    if "base64" in entry:
        return base64.b64decode(str(entry["base64"]))
    fill = entry["fill"]
    pattern = str(fill["pattern"]).encode()
    return (pattern * (int(fill["size"]) // len(pattern) + 1))[: int(fill["size"])]


def digest_of(layer: TarLayer | RawLayer) -> str:
    with layer.open() as stream:
        return str(Digest.of(read_all(stream, 1 << 24)))


def layers_of(tree: FolderTree, *, kit_compatible: bool = False) -> list[TarLayer]:
    paths = [part.clean_path for part in tree.kitfile.parts()]
    return [
        TarLayer(
            layer_entries(
                tree.entries(),
                part.clean_path,
                paths,
                field=part.field,
                left_out=tree.left_out,
                kit_compatible=kit_compatible,
            )
        )
        for part in tree.kitfile.parts()
    ]


@needs_vectors
@pytest.mark.parametrize("kit_compatible", [False, True])
@pytest.mark.parametrize("case", [case for case in CASES if case != "raw-layers"])
def test_every_layer_of_a_golden_kit_has_the_digest_that_kit_gave_it(
    case: str, kit_compatible: bool, tmp_path: Path
) -> None:
    kitfile = make_tree(tmp_path, case)
    tree = FolderTree(
        tmp_path,
        kitfile,
        symlinks="skip" if case == "links-and-empty" else "follow",
        modes="keep" if case == "modes" else "normalise",
    )
    layers = layers_of(tree, kit_compatible=kit_compatible)
    expected = json.loads((VECTORS / case / "expected.json").read_text())["layers"]
    if case.startswith("compressed-"):
        config = json.loads((VECTORS / case / "config.json").read_text())
        assert [digest_of(layer) for layer in layers] == [config["model"]["diffId"]]
        return
    found = [(digest_of(layer), layer.size) for layer in layers]
    assert found == [(each["digest"], each["size"]) for each in expected]


@needs_vectors
def test_raw_layers_have_the_digests_and_metadata_that_kit_gave_them(tmp_path: Path) -> None:
    kitfile = make_tree(tmp_path, "raw-layers")
    files = {entry.path: entry for entry in FolderTree(tmp_path, kitfile).entries()}
    expected = json.loads((VECTORS / "raw-layers" / "expected.json").read_text())["layers"]
    for part, layer in zip(kitfile.parts(), expected, strict=True):
        entry = files[part.clean_path]
        assert digest_of(RawLayer(entry)) == layer["digest"]
        metadata = layer["annotations"]["org.cncf.model.file.metadata+json"]
        assert file_metadata(entry, keep_mtime=True) == metadata


def write(root: Path, path: str, content: bytes = b"x") -> Path:
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return target


def paths_of(tree: FolderTree) -> list[str]:
    return [entry.path for entry in tree.entries()]


def everything(*others: str) -> Kitfile:
    return Kitfile(code=(Code(path="."), *(Code(path=path) for path in others)))


def test_names_come_in_byte_order_folders_before_their_content(tmp_path: Path) -> None:
    for path in ("é", "z", "a/b", "a/b-c", "a-1", "a.txt", "B"):
        write(tmp_path, path)
    found = paths_of(FolderTree(tmp_path, everything()))
    assert found == ["B", "a", "a/b", "a/b-c", "a-1", "a.txt", "z", "é"]


def test_links_inside_of_the_folder_are_followed(tmp_path: Path) -> None:
    write(tmp_path, "real/w.bin", b"hello")
    (tmp_path / "link.bin").symlink_to("real/w.bin")
    (tmp_path / "folder").symlink_to(tmp_path / "real")
    tree = FolderTree(tmp_path, everything())
    assert paths_of(tree) == ["folder", "folder/w.bin", "link.bin", "real", "real/w.bin"]
    (layer,) = layers_of(tree)
    with layer.open() as stream:
        assert read_all(stream, 1 << 20).count(b"hello") == 3


def test_a_link_that_leaves_the_folder_is_refused(tmp_path: Path) -> None:
    outside = write(tmp_path, "outside/secret")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "link").symlink_to("../outside/secret")
    with pytest.raises(SourceError) as caught:
        FolderTree(tmp_path / "tree", everything()).entries()
    assert str(caught.value) == (
        f"cannot pack the link 'link': it leaves the folder, to {str(outside)!r}; "
        "list it in '.kitignore' or leave links out ('--symlinks skip')"
    )


def test_a_link_to_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("gone")
    with pytest.raises(SourceError, match="'link': what it points at does not exist"):
        FolderTree(tmp_path, everything()).entries()


@pytest.mark.parametrize("target", [".", "..", "../b", "b", "self"])
def test_links_in_circles_are_refused(tmp_path: Path, target: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "self").symlink_to(target)
    (tmp_path / "b").symlink_to("a")
    (tmp_path / "a" / "b").symlink_to("../a")
    with pytest.raises(SourceError, match="it goes in circles"):
        FolderTree(tmp_path, everything()).entries()


def test_links_are_left_out_with_a_warning_when_asked(tmp_path: Path) -> None:
    write(tmp_path, "a")
    (tmp_path / "link").symlink_to("/etc/hostname")
    tree = FolderTree(tmp_path, everything(), symlinks="skip")
    assert paths_of(tree) == ["a"]
    assert tree.warnings == ("the link 'link' is left out, as kit does",)


def test_an_ignored_link_may_point_anywhere(tmp_path: Path) -> None:
    write(tmp_path, ".kitignore", b"link\n")
    write(tmp_path, "a")
    (tmp_path / "link").symlink_to("/etc")
    assert paths_of(FolderTree(tmp_path, everything())) == ["a"]


def test_a_link_that_no_layer_wants_is_not_looked_at(tmp_path: Path) -> None:
    write(tmp_path, "model/w.bin")
    (tmp_path / "venv").symlink_to("/etc")
    tree = FolderTree(tmp_path, Kitfile(model=Model(path="model")))
    assert paths_of(tree) == ["model", "model/w.bin"]


def test_a_pipe_is_left_out_with_a_warning(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    tree = FolderTree(tmp_path, everything())
    assert paths_of(tree) == []
    assert tree.warnings == ("'pipe' is left out: it is no file and no folder",)


def test_names_that_differ_by_case_only_are_warned_of(tmp_path: Path) -> None:
    write(tmp_path, "d/Readme")
    write(tmp_path, "d/README")
    tree = FolderTree(tmp_path, everything())
    assert len(paths_of(tree)) == 3
    assert tree.warnings == (
        "'d/README' and 'd/Readme' differ by case only: "
        "they cannot both be unpacked on macOS or Windows",
    )


def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    os.close(os.open(os.fsencode(tmp_path) + b"/a\xff", os.O_CREAT | os.O_WRONLY))
    with pytest.raises(SourceError, match=r"cannot pack b'a\\xff': the name is not valid UTF-8"):
        FolderTree(tmp_path, everything()).entries()


def test_a_path_that_does_not_exist_names_the_field_of_the_kitfile(tmp_path: Path) -> None:
    kitfile = Kitfile(docs=(Docs(path="a"), Docs(path="./gone/x")))
    write(tmp_path, "a")
    with pytest.raises(SourceError, match=r"docs\[1\].path: nothing to pack at './gone/x'"):
        FolderTree(tmp_path, kitfile).entries()


@pytest.mark.parametrize("path", ["../x", "/etc/hostname", "a/../../x"])
def test_a_path_that_leaves_the_folder_is_refused(tmp_path: Path, path: str) -> None:
    kitfile = Kitfile(datasets=(Dataset(path=path),))
    with pytest.raises(SourceError, match=r"datasets\[0\].path: .* leaves the folder"):
        FolderTree(tmp_path, kitfile).entries()


def test_modes_are_normalised_unless_kept(tmp_path: Path) -> None:
    write(tmp_path, "d/a").chmod(0o600)
    write(tmp_path, "d/run").chmod(0o4750)
    (tmp_path / "d").chmod(0o1700)
    normal = [entry.mode for entry in FolderTree(tmp_path, everything()).entries()]
    kept = [entry.mode for entry in FolderTree(tmp_path, everything(), modes="keep").entries()]
    assert normal == [0o755, 0o644, 0o755]
    assert kept == [0o1700, 0o600, 0o4750]


@pytest.mark.parametrize("make", [RawLayer, lambda entry: TarLayer([entry])])
@pytest.mark.parametrize("added", [b"", b"new"])
@pytest.mark.parametrize("content", [b"", b"old", b"large" * (1 << 19)])
def test_a_file_that_changed_since_it_was_listed_is_refused(
    tmp_path: Path, content: bytes, added: bytes, make: Callable[[Entry], TarLayer | RawLayer]
) -> None:
    path = write(tmp_path, "w.bin", content)
    (entry,) = FolderTree(tmp_path, everything()).entries()
    path.write_bytes(added + content)
    with pytest.raises(SourceChanged, match=r"cannot pack 'w.bin': the file was written to"):
        digest_of(make(entry))


@pytest.mark.parametrize("content", [b"", b"old"])
def test_a_file_that_is_gone_since_it_was_listed_is_missed(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path, "w.bin", content)
    (layer,) = layers_of(FolderTree(tmp_path, everything()))
    path.unlink()
    with pytest.raises(SourceChanged, match=r"cannot pack 'w.bin': the file is gone since"):
        digest_of(layer)


def test_a_file_that_became_a_link_is_not_followed(tmp_path: Path) -> None:
    path = write(tmp_path, "w.bin", b"old")
    (entry,) = FolderTree(tmp_path, everything()).entries()
    path.unlink()
    path.symlink_to("/etc/hostname")
    assert entry.open is not None
    with pytest.raises(SourceChanged, match=r"cannot pack 'w.bin': the file became a link"):
        entry.open(0)


def test_files_beside_a_nested_layer_are_kept_and_reported(tmp_path: Path) -> None:
    for path in ("data/a.csv", "data-v2/b.csv", "data.txt", "README.md", "README.md.bak"):
        write(tmp_path, path)
    tree = FolderTree(tmp_path, everything("data", "README.md"))
    differs: list[str] = []
    paths = [".", "data", "README.md"]
    kept = layer_entries(tree.entries(), ".", paths, kit_differs=differs)
    as_kit = layer_entries(tree.entries(), ".", paths, kit_compatible=True)
    assert [entry.path for entry in kept] == [
        "README.md.bak",
        "data-v2",
        "data-v2/b.csv",
        "data.txt",
    ]
    assert as_kit == []
    assert len(differs) == 4
    assert differs[0] == (
        "kit would lose 'README.md.bak': its name begins like another layer's path"
    )


def test_ignore_rules_are_read_from_a_file_only(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".kitignore")

    with pytest.raises(SourceError, match=r"cannot read '.*\.kitignore': it is no file"):
        FolderTree(tmp_path).entries()


def test_a_kept_file_in_an_ignored_folder_gets_its_folder(tmp_path: Path) -> None:
    write(tmp_path, ".kitignore", b"model\n!model/keep.bin\n")
    write(tmp_path, "model/keep.bin")
    write(tmp_path, "model/drop.bin")
    tree = FolderTree(tmp_path, Kitfile(model=Model(path="model")))
    differs: list[str] = []
    found = layer_entries(tree.entries(), "model", kit_differs=differs)
    assert [entry.path for entry in found] == ["model", "model/keep.bin"]
    assert differs == ["kit would leave out the folder 'model' and could not unpack the kit"]


def test_a_name_that_holds_two_dots_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "d/w..v1.bin")
    tree = FolderTree(tmp_path, everything())
    with pytest.raises(SourceError, match=r"cannot pack 'd/w..v1.bin': kit neither packs nor"):
        layers_of(tree)
    (as_kit,) = layers_of(tree, kit_compatible=True)
    assert [entry.path for entry in as_kit.entries] == ["d"]


def test_a_missing_layer_of_any_tree_is_refused() -> None:
    with pytest.raises(SourceError, match=r"code\[0\].path: nothing to pack at 'a'"):
        layer_entries([], "a", field="code[0]")


def test_other_times_and_umask_give_the_same_digest(tmp_path: Path) -> None:
    found = set()
    for number, umask in enumerate((0o000, 0o022, 0o077)):
        root = tmp_path / str(number)
        before = os.umask(umask)
        try:
            for path in ("b/c", "a") if number else ("a", "b/c"):
                os.utime(write(root, path), (number, number))
        finally:
            os.umask(before)
        found.add(digest_of(layers_of(FolderTree(root, everything()))[0]))
    assert len(found) == 1
