"""Sample trees: folders from a dict, and small kits that show what is difficult."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kitline.frozen import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    Tree = Mapping[str, "str | bytes | File | Folder | Link"]


@dataclass(frozen=True, kw_only=True)
class Link:
    """A symbolic link in a tree."""

    target: str


@dataclass(frozen=True, kw_only=True)
class File:
    """A file with a mode or a time of its own (seconds since 1970)."""

    content: bytes | str = b""
    mode: int = 0o644
    mtime: int | None = None


@dataclass(frozen=True, kw_only=True)
class Folder:
    """A folder that may be empty or have a mode of its own."""

    mode: int = 0o755


def write_tree(root: Path, tree: Tree) -> Path:
    """Write a tree below `root`, whatever the umask; return `root`.

    The keys are paths with `/`; text and bytes are files of mode 0644. Folders that the tree does
    not name are made with mode 0755.
    """
    root.mkdir(parents=True, exist_ok=True)
    modes: dict[Path, int] = {}
    for name, node in tree.items():
        path = root.joinpath(*name.split("/"))
        for parent in reversed(path.relative_to(root).parents):
            (root / parent).mkdir(exist_ok=True)
            modes.setdefault(root / parent, 0o755)
        if isinstance(node, Link):
            path.symlink_to(node.target)
        elif isinstance(node, Folder):
            path.mkdir(exist_ok=True)
            modes[path] = node.mode
        else:
            modes[path] = _write_file(path, node)
    # deepest first, so that a folder that cannot be entered does not stop its own content
    for path in sorted(modes, key=lambda path: -len(path.parts)):
        path.chmod(modes[path])
    return root


def _write_file(path: Path, node: str | bytes | File) -> int:
    file = node if isinstance(node, File) else File(content=node)
    content = file.content.encode() if isinstance(file.content, str) else file.content
    path.write_bytes(content)
    if file.mtime is not None:
        os.utime(path, ns=(file.mtime * 10**9,) * 2)
    return file.mode


def read_tree(root: Path) -> dict[str, bytes | None]:
    """Return path and content of everything below `root`; None for folders.

    Links are not followed; they read as `b"link:TARGET"`.
    """
    found: dict[str, bytes | None] = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            found[name] = b"link:" + os.fsencode(path.readlink())
        else:
            found[name] = None if path.is_dir() else path.read_bytes()
    return found


SMALL_KIT: Tree = {
    "Kitfile": """\
manifestVersion: 1.0.0
package:
  name: iris
  version: 1.0.0
  description: classifies irises
  authors: [Ada]
model:
  name: iris
  path: model
  framework: scikit-learn
  parameters:
    depth: 3
datasets:
  - name: train
    path: data/train.csv
code:
  - path: src
docs:
  - path: README.md
""",
    "model/model.bin": b"\x00\x01\x02\x03" * 256,
    "model/labels.txt": "setosa\nversicolor\nvirginica\n",
    "data/train.csv": "length,width,kind\n5.1,3.5,setosa\n",
    "src/train.py": "print('training')\n",
    "README.md": "# iris\n",
}
"""A kit with one model, one dataset, code and docs."""

NESTED_KIT: Tree = {
    "Kitfile": """\
manifestVersion: 1.0.0
package:
  name: nested
model:
  path: model
datasets:
  - name: inner
    path: model/data
code:
  - path: .
""",
    "model/weights.bin": b"weights",
    "model/data/a.csv": "1,2\n",
    "model/data/deep/b.csv": "3,4\n",
    "main.py": "pass\n",
}
"""A kit whose layers lie inside each other."""

UNICODE_KIT: Tree = {
    "Kitfile": """\
manifestVersion: 1.0.0
package:
  name: Modèle
model:
  path: modèle
docs:
  - path: 文档
""",
    "modèle/poids é.bin": b"composed",
    "modèle/poids e\u0301.bin": b"decomposed",
    "modèle/🌱/" + "long-" * 30 + "name.bin": b"a name beyond the 100 bytes of a tar header",
    "文档/说明.md": "# 说明\n",
}
"""A kit with names beyond ASCII, two of which look alike, and one that is long."""
