"""The guide: its Python runs, options and settings are those of the code, rows are shown."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs/plugins/kfp.md").read_text("utf-8")


@pytest.mark.slow
def test_the_python_of_the_guide_runs(tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 2
    (tmp_path / "guide.py").write_text("\n".join(blocks), encoding="utf-8")

    for _ in range(2):  # with the cache of the first run
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "guide.py"],
            cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count("FAILURE") == 0
    assert "staging" in done.stdout


def test_each_test_that_the_guide_names_exists() -> None:
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", GUIDE)
    missing = [
        (file, test)
        for file, test in named
        if f"def {test}(" not in (Path(__file__).parent / file).read_text("utf-8")
    ]
    assert missing == []


def test_every_row_of_the_comparison_shows_what_it_says() -> None:
    table = GUIDE.partition("## Beside KitOps")[2]
    rows = [line for line in table.splitlines() if line.startswith("| ") and "shown by" not in line]
    assert len(rows) >= 9
    assert [row for row in rows if "`test_" not in row] == []


def test_every_option_setting_component_and_step_is_in_the_guide() -> None:
    import kitline_kfp
    from kitline_kfp import steps
    from kitline_kfp.configuration import Configuration
    from kitline_kfp.containers import NAMES
    from kitline_kfp.importer import _DRAWER_OPTIONS, _OTHER_OPTIONS

    wanted = [f"`-o {each}=" for each in (*_DRAWER_OPTIONS, *_OTHER_OPTIONS)]
    wanted += [f"`{each}`" for each in Configuration.__dataclass_fields__]
    wanted += [f"| `{each}`" for each in NAMES]
    wanted += [
        f"`{each}" for each in steps.__all__ if each[0].islower() and each not in ("import_source",)
    ]
    assert [each for each in wanted if each not in GUIDE] == []
    for name in NAMES:
        row = next(line for line in GUIDE.splitlines() if line.startswith(f"| `{name}`"))
        inputs = getattr(kitline_kfp, name).__signature__.parameters
        assert [each for each in inputs if f"`{each}`" not in row] == []
