"""README and the generated pages say what the code does, and every link in them leads somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("[!.]*/README.md")])


def test_what_is_generated_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs/generate.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, f"run `make docs`: {done.stdout}{done.stderr}"


def test_every_variable_that_the_code_reads_or_sets_is_in_the_reference() -> None:
    sources = [*ROOT.glob("core/src/**/*.py"), *ROOT.glob("plugins/*/src/**/*.py")]
    named = {
        name
        for source in sources
        for name in re.findall(r"\bKITLINE_[A-Z][A-Z_]*[A-Z]\b", source.read_text("utf-8"))
    }
    page = (ROOT / "docs/reference/settings.md").read_text("utf-8")

    assert named - {"KITLINE_COMPLETE"} <= set(re.findall(r"`(KITLINE_[A-Z_]+)`", page))


def test_the_table_of_verbs_lists_what_help_lists() -> None:
    help_text = subprocess.run(
        [Path(sys.executable).with_name("kitline"), "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    verbs = help_text.partition("Commands:")[2].partition("Added by plugins:")[0]
    listed = re.findall(r"^  ([a-z]+) {2,}", verbs, re.MULTILINE)

    table = re.findall(r"^\| `([a-z]+)` \|", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)

    assert table == listed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_make_target_that_a_page_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {
        target
        for page in PAGES
        for target in re.findall(r"(?:`|\$ )make ([a-z-]+)", page.read_text("utf-8"))
    }

    assert named <= targets
