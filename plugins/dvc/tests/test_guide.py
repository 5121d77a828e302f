"""Every row of the comparison in the guide names a test that exists."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs/plugins/dvc.md").read_text("utf-8")


def test_each_test_that_the_guide_names_exists() -> None:
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", GUIDE)
    missing = [
        (file, test)
        for file, test in named
        if f"def {test}(" not in (Path(__file__).parent / file).read_text("utf-8")
    ]
    assert missing == []
    assert len(named) >= 12


def test_every_row_of_the_comparison_shows_what_it_says() -> None:
    tables = GUIDE.partition("## Beside plain DVC")[2]
    rows = [
        line for line in tables.splitlines() if line.startswith("| ") and "shown by" not in line
    ]
    assert rows
    assert [row for row in rows if "`test_" not in row] == []


def test_every_option_and_state_of_the_code_is_in_the_guide() -> None:
    from kitline_dvc.cli import group
    from kitline_dvc.export_options import _KNOWN as EXPORT
    from kitline_dvc.options import _KNOWN as IMPORT
    from kitline_dvc.status import MEANINGS

    options = [
        option
        for command in group.commands.values()
        for parameter in command.params
        for option in parameter.opts[-1:]
        if option.startswith("--") and option not in ("--quiet", "--json", "--filter")
    ]
    wanted = [f"`{each}" for each in options]
    wanted += [f"`-o {each}=" for each in (*EXPORT, *IMPORT)]
    wanted += [f"| `{each}` |" for each in MEANINGS]
    assert [each for each in wanted if each not in GUIDE] == []
