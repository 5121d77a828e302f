"""Trees that hypothesis draws, of names that kit and kitline treat alike."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hypothesis import strategies as st
from kitline.testing.trees import File, write_tree

if TYPE_CHECKING:
    from pathlib import Path

DrawnTree = tuple[dict[str, tuple[bytes, bool]], list[str]]
"""Files by path, as (content, executable), and the paths of the kit's code layers."""

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
def trees(draw: st.DrawFn) -> DrawnTree:
    """Draw files and layers.

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


def write_drawn(root: Path, tree: DrawnTree) -> Path:
    """Create a drawn tree with a Kitfile that names its layers as code."""
    files, layers = tree
    kitfile = {
        "manifestVersion": "1.0.0",
        "package": {"name": "drawn"},
        "code": [{"path": layer} for layer in layers],
    }
    nodes = {
        path: File(content=content, mode=0o755 if executable else 0o644)
        for path, (content, executable) in files.items()
    }
    # JSON is YAML, and leaves no question of quoting.
    write_tree(root, {**nodes, "Kitfile": json.dumps(kitfile, ensure_ascii=False)})
    root.chmod(0o755)
    return root
