"""Origins: noted durably, read back, and nothing half-written stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from kitline.oci.digest import Digest
from kitline.operations.origins import find_origin, remember_origin
from kitline.operations.settings import Settings
from kitline.plugin.records import Origin

DIGEST = Digest.of(b"a kit")
ORIGIN = Origin(importer="note", source="note:hello", server="https://notes.example")
KILLED_WHILE_WRITING = """
import os, signal
from kitline.oci.digest import Digest
from kitline.operations.origins import remember_origin
from kitline.operations.settings import Settings
from kitline.plugin.records import Origin
os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
origin = Origin(importer="note", source="note:cut", server=None)
remember_origin(Settings.load(), Digest.of(b"another kit"), origin)
"""


def noted(settings: Settings) -> list[str]:
    return sorted(os.listdir(settings.home / "origins"))


def test_an_origin_is_found_again() -> None:
    settings = Settings.load()

    remember_origin(settings, DIGEST, ORIGIN)

    assert find_origin(settings, DIGEST) == ORIGIN
    assert find_origin(settings, Digest.of(b"another kit")) is None
    assert noted(settings) == [f"{DIGEST.hex}.json"]


def test_what_a_killed_process_left_goes_with_the_next_note() -> None:
    settings = Settings.load()
    killed = subprocess.run([sys.executable, "-c", KILLED_WHILE_WRITING], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert noted(settings) == ["origin.new"]

    remember_origin(settings, DIGEST, ORIGIN)

    assert find_origin(settings, Digest.of(b"another kit")) is None
    assert noted(settings) == [f"{DIGEST.hex}.json"]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"importer": "note"}'])
def test_an_unusable_note_is_none(text: str) -> None:
    settings = Settings.load()
    remember_origin(settings, DIGEST, ORIGIN)
    (settings.home / "origins" / f"{DIGEST.hex}.json").write_text(text)

    assert find_origin(settings, DIGEST) is None
