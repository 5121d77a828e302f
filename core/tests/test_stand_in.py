"""What others import and hardly use is loaded when it is used, and not before."""

from __future__ import annotations

import copy
import pickle
import re
import subprocess
import sys
import threading
import time
from importlib import import_module
from typing import TYPE_CHECKING

import pytest
from kitline.stand_in import load, patterns_when_used, standing_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(name="heavy")
def _heavy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the name of a library that nobody has loaded yet."""
    package = tmp_path / "heavy_tables"
    package.mkdir()
    (package / "__init__.py").write_text(
        "LOADED = True\nfrom heavy_tables.about import __version__"
    )
    (package / "about.py").write_text("__version__ = '3.1'\nSIZE = 3")
    monkeypatch.syspath_prepend(tmp_path)
    yield package.name
    for name in [each for each in sys.modules if each.startswith(package.name)]:
        del sys.modules[name]


def test_what_is_imported_inside_gets_the_library_when_it_uses_it(heavy: str) -> None:
    with standing_in(heavy, version_from="about"):
        held = import_module(heavy)
        assert (held.__name__, held.__version__) == (heavy, "3.1")
        assert "LOADED" not in vars(held)
    assert heavy not in sys.modules

    assert held.LOADED
    library = import_module(heavy)
    assert library is not held
    assert library.about.__version__ == "3.1"


def test_what_uses_it_at_once_gets_it_at_once(heavy: str) -> None:
    with standing_in(heavy):
        assert import_module(heavy).LOADED

    assert "LOADED" in vars(import_module(heavy))


def test_what_is_loaded_already_or_not_there_has_no_stand_in(heavy: str) -> None:
    library = import_module(heavy)

    with standing_in(heavy), standing_in("heavy_and_missing"):
        assert import_module(heavy) is library
        with pytest.raises(ImportError):
            import_module("heavy_and_missing")


def test_names_that_are_given_need_no_library(heavy: str) -> None:
    with standing_in(heavy, LOADED="not at all"):
        held = import_module(heavy)

    assert held.LOADED == "not at all"
    assert heavy not in sys.modules
    assert held.about.__version__ == "3.1"
    assert heavy in sys.modules


def test_what_is_given_may_be_made_of_the_library(heavy: str) -> None:
    def loaded() -> str:
        return f"asked: {load(heavy).LOADED}"

    with standing_in(heavy, loaded=loaded):
        assert import_module(heavy).loaded() == "asked: True"
        assert "LOADED" in vars(import_module(heavy))


def test_a_module_of_a_package_stands_in_its_place_there(heavy: str) -> None:
    package = import_module(heavy)
    del sys.modules[f"{heavy}.about"], package.about

    with standing_in(f"{heavy}.about"):
        assert "SIZE" not in vars(package.about)
    assert package.about.SIZE == 3
    assert package.about is sys.modules[f"{heavy}.about"]


def test_threads_that_import_meanwhile_get_the_library_or_what_becomes_it(heavy: str) -> None:
    failed: list[BaseException] = []
    done = threading.Event()

    def stand_in() -> None:
        try:
            while not done.is_set():
                with standing_in(heavy):
                    held = import_module(heavy)
                assert held.LOADED
        except BaseException as cause:
            failed.append(cause)

    threads = [threading.Thread(target=each) for each in (stand_in, stand_in)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    done.set()
    for thread in threads:
        thread.join()
    assert not failed


def test_what_the_library_lacks_is_missed_there(heavy: str) -> None:
    with standing_in(heavy):
        held = import_module(heavy)

    with pytest.raises(AttributeError, match=f"module '{heavy}' has no attribute 'nothing'"):
        _ = held.nothing


def test_speaking_to_registries_loads_nothing_that_it_does_not_need() -> None:
    code = (
        "import sys\n"
        "heavy = {'charset_normalizer', 'jsonschema', 'tarfile', 'zipfile'}\n"
        "heavy -= set(sys.modules)\n"
        "import kitline.store.registry.store, requests\n"
        "print(heavy & set(sys.modules))\n"
        "answer = requests.Response()\n"
        "answer._content = b'some text'\n"
        "print(answer.apparent_encoding, heavy & set(sys.modules))"
    )

    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )

    assert found.stdout.splitlines() == ["set()", "ascii {'charset_normalizer'}"]


def test_patterns_are_compiled_when_they_are_used() -> None:
    elsewhere: list[re.Pattern[str]] = []
    with patterns_when_used():
        digits, wrong = re.compile(r"a(\d+)", re.IGNORECASE), re.compile("(")
        with patterns_when_used():
            letters = re.compile("b+")
        thread = threading.Thread(target=lambda: elsewhere.append(re.compile("c")))
        thread.start()
        thread.join()

    assert [type(each) for each in elsewhere] == [re.Pattern]
    assert type(re.compile("d+")) is re.Pattern
    assert "_compiled" not in vars(digits)
    match = digits.search("xA12")
    assert match is not None
    assert match[1] == "12"
    assert "_compiled" in vars(digits)
    assert letters.split("abba") == ["a", "a"]
    with pytest.raises(re.error, match="unterminated subpattern"):
        wrong.search("")


def test_a_pattern_that_waits_is_like_any_other() -> None:
    with patterns_when_used():
        late = re.compile(r"a(\d+)", re.IGNORECASE)
    usual = re.compile(r"a(\d+)", re.IGNORECASE)

    assert isinstance(late, re.Pattern)
    assert late == usual
    assert usual == late
    assert len({late, usual}) == 1
    assert repr(late) == repr(usual)
    assert (late.pattern, late.flags, late.groups) == (usual.pattern, usual.flags, 1)
    assert re.sub(late, "-", "a1 a2") == "- -"
    assert re.compile(late).fullmatch("a1")
    for again in (copy.copy(late), copy.deepcopy(late), pickle.loads(pickle.dumps(late))):
        assert again == usual


def test_threads_wait_for_nothing_while_another_imports(heavy: str) -> None:
    done = threading.Event()

    def open_and_close() -> None:
        with patterns_when_used():
            import_module(heavy)
        done.set()

    with patterns_when_used():
        thread = threading.Thread(target=open_and_close)
        thread.start()
        assert done.wait(10)
        thread.join()
        assert "_compiled" not in vars(re.compile("e+"))
    assert type(re.compile("f+")) is re.Pattern


def test_what_is_bound_inside_compiles_at_once_outside() -> None:
    with patterns_when_used():
        from re import compile as bound
    assert type(bound("g+")) is re.Pattern
