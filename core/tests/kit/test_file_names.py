"""Where the locale says otherwise than UTF-8, names would differ: said instead of done."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from kitline.testing.trees import write_tree

if TYPE_CHECKING:
    from pathlib import Path

# What Python does with a locale such as de_DE.ISO-8859-1, without needing one to be installed.
OTHER_ENCODING = {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
KITFILE = "manifestVersion: 1.0.0\ncode: [{path: .}]\n"


def kitline(home: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "KITLINE_HOME": str(home), **settings}
    command = [sys.executable, "-m", "kitline", *words]
    return subprocess.run(command, env=environment, cwd=home, capture_output=True, check=False)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_tree(tmp_path / "tree", {"Kitfile": KITFILE, "modèle/日本.bin": "1"})
    return tmp_path


def test_the_c_locale_gives_the_same_digest(home: Path) -> None:
    here = kitline(home, "pack", "tree", "-t", "here:v1")
    there = kitline(home, "pack", "tree", "-t", "there:v1", LC_ALL="C", LANG="C")

    assert here.returncode == there.returncode == 0, there.stderr
    assert here.stdout.partition(b"@")[2] == there.stdout.partition(b"@")[2]


def test_another_encoding_of_names_is_refused_with_what_to_set(home: Path) -> None:
    assert kitline(home, "pack", "tree", "-t", "iris:v1").returncode == 0

    packed = kitline(home, "pack", "tree", "-t", "iris:v2", **OTHER_ENCODING)
    unpacked = kitline(home, "unpack", "iris:v1", "-d", "out", **OTHER_ENCODING)

    for done in (packed, unpacked):
        assert done.returncode == 2
        assert b"set PYTHONUTF8=1 or a UTF-8 locale" in done.stderr
    assert not (home / "out").exists()
