"""Runs DAGs in this process, and reads back what Airflow keeps of them."""

from __future__ import annotations

import importlib
import shutil
import sys
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).parents[4] / "examples" / "airflow"


def load_example(name: str, folder: Path) -> Any:
    """Copy an example into the DAGs folder and import it anew."""
    shutil.copy(EXAMPLES / f"{name}.py", folder / f"{name}.py")
    return load(name)


def write_dag(name: str, source: str, folder: Path) -> Any:
    """Write a DAG file and import it."""
    (folder / f"{name}.py").write_text(source)
    return load(name)


def load(name: str) -> Any:
    """Import a file of the DAGs folder."""
    sys.modules.pop(name, None)
    importlib.invalidate_caches()
    return importlib.import_module(name)


def dag_of(module: Any, dag_id: str) -> Any:
    """Return a DAG of a module, whatever its name there."""
    return next(
        each
        for each in vars(module).values()
        if type(each).__name__ == "DAG" and each.dag_id == dag_id
    )


def run(module: Any, dag_id: str, **conf: Any) -> Any:
    """Run a DAG; return its run, whatever became of it."""
    return dag_of(module, dag_id).test(run_conf=conf or None)


def xcom(run: Any, task_id: str, key: str = "return_value") -> Any:
    """Return what a task of a run handed on."""
    where = {"run_id": run.run_id, "key": key}
    try:
        from airflow.models.xcom import XComModel
    except ImportError:  # Airflow 2
        from airflow.models.xcom import XCom

        return XCom.get_one(task_id=task_id, dag_id=run.dag_id, **where)
    from airflow.utils.session import create_session

    with create_session() as session:
        wanted = XComModel.get_many(task_ids=task_id, dag_ids=run.dag_id, **where)
        found = session.scalars(wanted).first()
        return None if found is None else XComModel.deserialize_value(found)


def asset_events(uri: str) -> list[Any]:
    """Return the events of an asset, oldest first."""
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        wanted = select(AssetModel.id).where(AssetModel.uri == uri)
        found = select(AssetEvent).where(AssetEvent.asset_id.in_(wanted)).order_by(AssetEvent.id)
        events = list(session.scalars(found))
        session.expunge_all()
        return events
