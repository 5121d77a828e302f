"""The program is soon at work: what click and dataclasses hardly use is not loaded."""

from __future__ import annotations

import inspect
import platform
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from kitline.cli.program import _cleandoc, _get_annotations, _signature, _system

if TYPE_CHECKING:
    from kitline.testing import LocalRegistry

TEXTS = [
    "Name of the kit.",
    "",
    "   ",
    " both sides ",
    "\ttab",
    "a\tb",
    "Two lines,\n    the second one further in.\n",
    "\n\n  first\n    second\n  third\n\n",
    "ends in a line\n",
    "non\xa0breaking",
    "\u2028",
]


@pytest.mark.parametrize("text", TEXTS)
def test_texts_of_options_are_cleaned_as_by_the_library(text: str) -> None:
    assert _cleandoc(text) == inspect.cleandoc(text)


def test_texts_are_cleaned_while_the_stand_in_is_there_too() -> None:
    code = (
        "import sys\n"
        "from kitline.cli.program import _cleandoc, _get_annotations\n"
        "from kitline.stand_in import standing_in\n"
        "was = sys.modules.pop('inspect', None)\n"
        "with standing_in('inspect', cleandoc=_cleandoc, get_annotations=_get_annotations):\n"
        "    import inspect\n"
        "    assert was is not inspect\n"
        "    print(repr(inspect.cleandoc('one\\n  two')))\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "'one\\ntwo'\n"


def test_annotations_are_those_of_the_library() -> None:
    class Annotated:
        size: int

    class Derived(Annotated):
        pass

    for each in (Annotated, Derived, test_annotations_are_those_of_the_library):
        assert _get_annotations(each) == inspect.get_annotations(each)
    assert _get_annotations(Annotated, eval_str=True) == {"size": int}


def test_a_signature_is_that_of_the_library_but_for_a_class_that_says_nothing() -> None:
    class Silent:
        pass

    assert _signature(_system) == inspect.signature(_system)
    assert str(_signature(Silent)) == "(...)"


def test_the_system_is_named_as_by_the_library() -> None:
    assert _system() == platform.system()


@pytest.mark.parametrize("words", [["--version"], ["unpack", "nothing:v1", "-d", "out"]])
def test_a_command_does_not_load_what_it_does_not_need(words: list[str]) -> None:
    found = loaded_by(words, "inspect", "platform", "tokenize", "zipfile")

    assert found == set()


def test_a_command_that_asks_a_registry_does_not_either(local_registry: LocalRegistry) -> None:
    words = ["unpack", f"{local_registry.host}/nothing:v1", "-d", "out"]

    found = loaded_by(words, "csv", "inspect", "jsonschema", "platform", "zipfile")

    assert found == set()


def loaded_by(words: list[str], *heavy: str) -> set[str]:
    """Run a command in a process of its own; return which of the `heavy` modules it has loaded."""
    code = (
        "import sys\n"
        f"heavy = {set(heavy)!r} - set(sys.modules)\n"
        "from kitline.cli.program import program\n"
        f"sys.argv = ['kitline', *{words!r}]\n"
        "import threading\n"
        "threading._register_atexit("
        "lambda: print('loaded:', *sorted(heavy & set(sys.modules)), file=sys.stderr))\n"
        "program()"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == (words[0] != "--version"), done.stderr
    label, *loaded = done.stderr.splitlines()[-1].split()
    assert label == "loaded:"
    return set(loaded)
