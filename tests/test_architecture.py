"""The import contracts of pyproject.toml hold, and each of them can fail."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = [ROOT / "core/src", *sorted(ROOT.glob("plugins/*/src"))]
CONTRACTS = [
    contract["name"]
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
]

BROKEN = [
    # contract, module that gets one more line, the line
    ("core reads downward", "kitline/oci/digest.py", "import kitline.store.interface"),
    ("core reads downward", "kitline/surplus.py", "'a module that no layer names'"),
    (
        "plugins stand on core and not on each other",
        "kitline/errors.py",
        "import kitline_mlflow",
    ),
    (
        "plugins use only core's public face",
        "kitline_mlflow/surplus.py",
        "import kitline.oci.digest",
    ),
    ("core knows no tool and no plugin", "kitline/kit/tree.py", "import mlflow"),
    ("only store.registry speaks HTTP", "kitline/kit/tree.py", "import requests"),
    ("only store.registry speaks HTTP", "kitline/store/interface.py", "import oras.provider"),
]


def run_contracts(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the copies in `folder` against all contracts."""
    return subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "NO_COLOR": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copied_sources(tmp_path: Path) -> Path:
    for source in SOURCES:
        shutil.copytree(
            source, tmp_path, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_all_import_contracts_hold(copied_sources: Path) -> None:
    done = run_contracts(copied_sources)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("contract", "module", "line"), BROKEN)
def test_a_contract_that_is_broken_on_purpose_fails(
    copied_sources: Path, contract: str, module: str, line: str
) -> None:
    with (copied_sources / module).open("a") as file:
        file.write(f"\n{line}\n")

    done = run_contracts(copied_sources)

    assert done.returncode != 0
    assert f"{contract} BROKEN" in " ".join(done.stdout.split())


def test_each_contract_is_broken_once() -> None:
    assert {contract for contract, _, _ in BROKEN} == set(CONTRACTS)
