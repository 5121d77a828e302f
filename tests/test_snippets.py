"""Every snippet of the documentation runs, in the order of its page."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from harness.snippets import Snippet, Story, find_snippets, left_out
from kitline.testing.environment import clean_environment
from kitline.testing.registry import LocalRegistry

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
FOLDERS = ("*.md", "docs/**/*.md", "core/*.md", "plugins/*/*.md", "examples/*/*.md")
PAGES = sorted(page for folder in FOLDERS for page in ROOT.glob(folder))
STORIES = [page for page in PAGES if any(find_snippets(page.read_text("utf-8")))]
# These start tools that take seconds to import, or many programs; `make interop` runs them.
SLOW = (
    *("docs/plugins/", "docs/lineage.md", "docs/stages.md", "docs/trust.md", "docs/how-to/ci.md"),
    *("README.md", "plugins/", "examples/"),
)


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    home = tmp_path / "home"
    environment = clean_environment(home) | {
        "PATH": f"{Path(sys.executable).parent}:{ROOT / '.peers/bin'}:/usr/local/bin:/usr/bin:/bin",
        "COLUMNS": "120",
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DVC_NO_ANALYTICS": "true",
        "PYTHONWARNINGS": "ignore",
        "KITLINE_DOCS": str(ROOT / "docs"),
        "GIT_CONFIG_NOSYSTEM": "1",
        **{
            f"GIT_{role}_{part}": value
            for role in ("AUTHOR", "COMMITTER")
            for part, value in (("NAME", "Ada"), ("EMAIL", "ada@example.com"))
        },
    }
    home.mkdir()
    with LocalRegistry() as registry:
        story = Story(folder=tmp_path, environment=environment, registry=registry.host)
        yield story
        story.close()


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(
            page, id=_name(page), marks=[pytest.mark.slow] if _name(page).startswith(SLOW) else []
        )
        for page in STORIES
    ],
)
def test_the_snippets_of_a_page_do_what_it_says(page: Path, story: Story) -> None:
    for snippet in find_snippets(page.read_text("utf-8")):
        story.run(snippet)


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_what_is_not_run_says_why(page: Path) -> None:
    reasons = left_out(page.read_text("utf-8"))
    assert [why for why in reasons if len(why) < 10] == []
    named = [name for why in reasons for name in re.findall(r"[\w/]+\.py", why)]
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_a_story_fails_where_the_page_is_wrong(story: Story) -> None:
    for text in ("$ false\n", "$ echo kit\nmodel\n", "$ echo a@sha256:12…\n"):
        with pytest.raises(AssertionError):
            story.run(Snippet(language="console", text=text, line=1))
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        story.run(Snippet(language="python", text="1 / 0", line=1))


def test_a_story_keeps_folder_variables_and_digests(story: Story) -> None:
    digest = "sha256:" + "0" * 64
    page = f"""
<!-- before: mkdir sub; export WHO=Ada -->

```console
$ cd sub && echo "$WHO a/b@{digest}"
$ echo a/b@sha256:00…
a/b@{digest}
```

```python
import os

print(os.getcwd()[-3:], os.environ["WHO"])  # sub Ada
```
"""
    snippets = list(find_snippets(page))

    assert [each.language for each in snippets] == ["sh", "console", "python"]
    for each in snippets:
        story.run(each)


def test_no_page_shows_commands_in_a_block_that_is_not_run() -> None:
    wrong = [
        _name(page)
        for page in PAGES
        if re.search(r"^```(text)?\n\$ ", page.read_text("utf-8"), re.MULTILINE)
    ]

    assert wrong == []
