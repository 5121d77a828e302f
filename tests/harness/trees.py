"""Folders to pack: the golden ones of ../shared/vectors, and any number made by hypothesis."""

from __future__ import annotations

import base64
import json
import os
import shutil
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from harness.programs import ROOT

VECTORS = Path(os.environ.get("KITLINE_VECTORS", ROOT.parent / "shared/vectors"))


def vector_names() -> list[str]:
    """Return the names of all golden kits, none where the folder is not beside the repository."""
    return sorted(path.parent.name for path in VECTORS.glob("*/tree.json"))


def vector(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return (tree.json, expected.json) of a golden kit."""
    folder = VECTORS / name
    return (
        json.loads((folder / "tree.json").read_text()),
        json.loads((folder / "expected.json").read_text()),
    )


def content_of(entry: dict[str, Any]) -> bytes:
    """Return the bytes that a file entry describes."""
    if "text" in entry:
        return str(entry["text"]).encode()
    if "base64" in entry:
        return base64.b64decode(entry["base64"])
    pattern, size = entry["fill"]["pattern"].encode(), int(entry["fill"]["size"])
    return bytes((pattern * (size // len(pattern) + 1))[:size])


def make_vector(name: str, root: Path) -> dict[str, Any]:
    """Create the folder of a golden kit, Kitfile included; return expected.json."""
    tree, expected = vector(name)
    modes: dict[Path, int] = {}
    for entry in tree["entries"]:
        path = root / entry["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        match entry.get("type", "file"):
            case "symlink":
                path.symlink_to(entry["target"])
                continue
            case "dir":
                path.mkdir(exist_ok=True)
            case _:
                path.write_bytes(content_of(entry))
        folder_or_file = "0755" if path.is_dir() else "0644"
        modes[path] = int(entry.get("mode", folder_or_file), 8)
        if "mtime" in entry:
            os.utime(path, (entry["mtime"], entry["mtime"]))
    for parent, names, _ in os.walk(root):
        for folder in (Path(parent, name) for name in names):
            if not folder.is_symlink():
                modes.setdefault(folder, 0o755)
    # Deepest first, so that a read-only folder cannot stop its own children.
    for path, mode in sorted(modes.items(), key=lambda item: -len(item[0].parts)):
        path.chmod(mode)
    root.mkdir(exist_ok=True)
    shutil.copyfile(VECTORS / name / "Kitfile", root / "Kitfile")
    return expected


# Names that kit and kitline treat alike: no `..` inside, no `:` or `@` (both refuse or drop them),
# no link. Non-ASCII, blanks, leading dots and lengths beyond the tar header are in.
NAME_CHARACTERS = st.sampled_from("abcXYZ019 .-_+~#%éß日本😀")
NAMES = (
    st.one_of(
        st.text(NAME_CHARACTERS, min_size=1, max_size=12),
        st.text(st.sampled_from("pqé"), min_size=90, max_size=120).map(
            # 255 bytes is what a file system takes
            lambda text: text.encode()[:200].decode(errors="ignore")
        ),
    )
    .map(str.strip)
    .filter(lambda name: name not in {"", "."} and ".." not in name)
    .filter(lambda name: name.lower() not in {"kitfile", ".kitfile", ".kitignore"})
)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(lambda names: "/".join(names))
FILES = st.dictionaries(
    PATHS, st.tuples(st.binary(max_size=1500), st.booleans()), min_size=1, max_size=8
)


@st.composite
def trees(draw: st.DrawFn) -> tuple[dict[str, tuple[bytes, bool]], list[str]]:
    """Return files by path, as (content, executable), and the paths of the kit's code layers.

    Layer paths are folders or files of the tree, or `.`. None is a string prefix of its sibling:
    kit 1.15 loses files there, which has a test of its own.
    """
    files = draw(FILES)
    # A file cannot also be a folder, and names that differ by case only do not fit everywhere.
    kept = {
        path: made
        for path, made in files.items()
        if not any(other.startswith(f"{path}/") for other in files)
    }
    folders = {"/".join(path.split("/")[:depth]) for path in kept for depth in range(1, 4)}
    candidates = sorted({*kept, *(folder for folder in folders if folder), "."})
    layers = draw(st.lists(st.sampled_from(candidates), min_size=1, max_size=4, unique=True))
    return kept, [layer for layer in layers if not _is_string_prefix(layer, candidates)] or ["."]


def _is_string_prefix(layer: str, candidates: list[str]) -> bool:
    return layer != "." and any(
        other.startswith(layer) and other != layer and not other.startswith(f"{layer}/")
        for other in candidates
    )


def write_tree(root: Path, files: dict[str, tuple[bytes, bool]], layers: list[str]) -> None:
    """Create a drawn tree with a Kitfile that names its layers as code."""
    for path, (content, executable) in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        target.chmod(0o755 if executable else 0o644)
    for parent, names, _ in os.walk(root):
        for name in names:
            Path(parent, name).chmod(0o755)
    kitfile = {
        "manifestVersion": "1.0.0",
        "package": {"name": "drawn"},
        "code": [{"path": layer} for layer in layers],
    }
    # JSON is YAML, and leaves no question of quoting.
    (root / "Kitfile").write_text(json.dumps(kitfile, ensure_ascii=False))
