"""An auditor reads lineage with oras and jq alone, by the commands of docs/lineage.md."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from harness.programs import need_program, run
from kitline.testing.environment import clean_environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.programs import Kitline
    from harness.registries import Registry

pytestmark = [pytest.mark.peer, pytest.mark.registry]
DOCUMENT = Path(__file__).parents[2] / "docs/lineage.md"


@pytest.mark.parametrize("kind", ["distribution", "olareg"])
def test_an_auditor_reads_parents_runs_and_children_without_kitline(
    kind: str,
    start_registry: Callable[[str], Registry],
    kitline: Kitline,
    tree: Path,
    tmp_path: Path,
) -> None:
    registry = start_registry(kind)
    data, model = (registry.reference(f"team/{each}:v1") for each in ("data", "iris"))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.csv").write_text("a,b\n")
    pinned_data = kitline.run("pack", tmp_path / "data", "-t", data).stdout.strip()
    pinned = kitline.run("pack", tree, "-t", model, "--parent", f"train={data}").stdout.strip()
    commands = "\n".join(re.findall(r"```sh auditor\n(.*?)```", DOCUMENT.read_text("utf-8"), re.S))
    folders = {str(Path(need_program(each)).parent) for each in ("oras", "jq")}
    desk = tmp_path / "desk"
    desk.mkdir()
    env = clean_environment(desk) | {
        "PATH": ":".join([*sorted(folders), os.environ["PATH"]]),
        "REF": model.replace("127.0.0.1", "localhost"),
        "DATA_NAME": data.rpartition(":")[0].replace("127.0.0.1", "localhost"),
    }

    run("/bin/bash", "-euo", "pipefail", "-c", commands, env=env, cwd=desk)

    assert (desk / "parents.tsv").read_text() == f"train\t{pinned_data.partition('@')[2]}\n"
    assert (desk / "runs.tsv").read_text().endswith(f"\toci://{pinned_data}\n")
    assert (desk / "children.tsv").read_text() == f"train\t{pinned}\n"
