"""Where the peers lie, and when a missing one is a failure."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

ROOT = Path(__file__).parent
BUILT = {path.parent.name for path in ROOT.glob("tests/peers/*/go.mod")}
REQUIRED = os.environ.get("KITLINE_REQUIRE_PEERS", "")
"""`built`: what tests/peers/build makes has to be there; `all`: Debian's packages too."""

os.environ.setdefault("PEERS_BIN", str(ROOT / ".peers/bin"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip for want of a program into a failure where the program is required."""
    report = yield
    missing = re.search(r"no program '([^']+)'", str(report.longrepr)) if report.skipped else None
    if missing and (REQUIRED == "all" or (REQUIRED and missing[1] in BUILT)):
        report.outcome = "failed"
        report.longrepr = f"{missing[0]}, and KITLINE_REQUIRE_PEERS={REQUIRED} asks for it"
    return report
