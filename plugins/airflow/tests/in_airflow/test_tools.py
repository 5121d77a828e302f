"""Importers and exporters of MLflow, DVC and KFP: in this process, and by another interpreter.

`TOOLS_PYTHON` is the interpreter that has the tools, if it is not this one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kitline
import kitline_airflow
import pytest
from contexts import execute_and_kill, make_context
from kitline_airflow import ModelKitExportOperator

if TYPE_CHECKING:
    from collections.abc import Callable

    from kitline.testing import LocalRegistry

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
TOOLS = os.environ.get("TOOLS_PYTHON", sys.executable)
OPERATORS = {
    "mlflow": "MLflowToModelKitOperator",
    "dvc": "DVCToModelKitOperator",
    "kfp": "KFPToModelKitOperator",
}
here_or_elsewhere = pytest.mark.parametrize(
    "python",
    [
        pytest.param(
            None,
            marks=pytest.mark.skipif(
                not all(find_spec(f"kitline_{each}") for each in OPERATORS),
                reason="the tools are in another environment than this Airflow",
            ),
        ),
        TOOLS,
    ],
    ids=["here", "elsewhere"],
)
every_tool = pytest.mark.parametrize("tool", OPERATORS)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Any]]:
    """Make a source, once for each tool; return the operator's arguments."""
    made: dict[str, dict[str, Any]] = {}

    def make(tool: str) -> dict[str, Any]:
        if tool not in made:
            folder = tmp_path_factory.mktemp(tool) / "source"
            script = Path(__file__).with_name("make_sources.py")
            done = subprocess.run(
                [TOOLS, str(script), tool, str(folder)],
                capture_output=True,
                text=True,
                check=False,
                env={**os.environ, "PYTHONWARNINGS": "ignore", "MLFLOW_DISABLE_TELEMETRY": "true"},
            )
            assert done.returncode == 0, done.stderr[-5000:]
            made[tool] = json.loads(done.stdout.splitlines()[-1])
        return made[tool]

    return make


def import_kit(tool: str, arguments: dict[str, Any], **more: Any) -> tuple[str, dict[str, Any]]:
    """Import with the tool's operator; return the pinned reference and XCom."""
    operator = getattr(kitline_airflow, OPERATORS[tool])(
        task_id="import", to=f"team/{tool}:v1", **arguments, **more
    )
    context = make_context(task_id="import")
    return operator.execute(context), context["ti"].xcoms


@every_tool
@here_or_elsewhere
def test_what_a_tool_holds_becomes_a_kit_whose_digest_is_handed_on(
    connected: LocalRegistry,
    source: Callable[[str], dict[str, Any]],
    tool: str,
    python: str | None,
) -> None:
    pinned, xcoms = import_kit(tool, source(tool), python=python)

    kit = kitline.inspect(pinned)
    assert pinned == str(kitline.resolve(f"{connected.host}/team/{tool}:v1"))
    assert xcoms["digest"] == xcoms["receipt"]["digest"] == pinned.rpartition("@")[2]
    assert xcoms["receipt"]["source"]
    assert '"run": "manual__1"' in json.dumps(
        [dict(each.predicate or {}) for each in kit.statements]
    )
    assert import_kit(tool, source(tool), python=python)[0] == pinned  # a retry


@here_or_elsewhere
@pytest.mark.parametrize("tool", ["dvc", "kfp"])
def test_a_kit_is_exported_as_files_of_the_tool(
    connected: LocalRegistry,
    source: Callable[[str], dict[str, Any]],
    tmp_path: Path,
    tool: str,
    python: str | None,
) -> None:
    pinned, _ = import_kit(tool, source(tool), python=python)
    out = tmp_path / "out"
    options = {"to": str(out)}
    if tool == "dvc":
        subprocess.run(["git", "init", "-q", str(out)], check=True)
        subprocess.run([TOOLS, "-m", "dvc", "init", "-q"], cwd=out, check=True)
        options = {"repo": str(out), "path": "data/again"}
    context = make_context(task_id="export")
    operator = ModelKitExportOperator(
        task_id="export", reference=pinned, target=tool, options=options, python=python
    )

    assert operator.execute(context) == pinned
    assert operator.execute(context) == pinned  # a retry

    assert context["ti"].xcoms["existed"] is True
    assert [each for each in out.rglob("*") if each.name in ("a.csv", "model", "again.dvc")]


@here_or_elsewhere
def test_a_kit_is_registered_at_mlflow_once(
    connected: LocalRegistry, source: Callable[[str], dict[str, Any]], python: str | None
) -> None:
    made = source("mlflow")
    pinned, _ = import_kit("mlflow", made, python=python)
    name = "registered-" + ("here" if python is None else "elsewhere")
    context = make_context(task_id="export")
    operator = ModelKitExportOperator(
        task_id="export",
        reference=pinned,
        target="mlflow",
        options={"register": name, "tracking_uri": made["tracking_uri"]},
        python=python,
    )

    first, target = operator.execute(context), context["ti"].xcoms["target"]
    again = operator.execute(context)

    assert first == again == pinned
    assert context["ti"].xcoms["target"] == target
    assert context["ti"].xcoms["existed"] is True
    assert name in target


@pytest.mark.skipif(not find_spec("kitline_dvc"), reason="DVC is in another environment")
def test_on_kill_stops_an_importer_that_still_collects(
    connected: LocalRegistry, source: Callable[[str], dict[str, Any]]
) -> None:

    operator = kitline_airflow.DVCToModelKitOperator(
        task_id="import", to="team/killed:v1", **source("dvc")
    )

    execute_and_kill(operator, lambda: hasattr(operator, "_errand"), match=None)

    assert kitline.resolve(f"{connected.host}/team/killed:v1") is None


@here_or_elsewhere
def test_a_tool_that_does_not_know_its_source_says_so_and_no_retry_follows(
    connected: LocalRegistry, source: Callable[[str], dict[str, Any]], python: str | None
) -> None:
    from airflow.providers.common.compat.sdk import AirflowFailException

    with pytest.raises(AirflowFailException, match="v9"):
        import_kit("dvc", {**source("dvc"), "rev": "v9"}, python=python)

    assert kitline.resolve(f"{connected.host}/team/dvc:v1") is None
