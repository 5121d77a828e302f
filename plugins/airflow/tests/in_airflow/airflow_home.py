"""Airflow's home for the tests: set before Airflow is imported for the first time."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from kitline.testing.environment import clean_environment, replace_environment

HOME = Path(tempfile.mkdtemp(prefix="kitline-airflow-"))
DAGS = HOME / "dags"
DAGS.mkdir()
if not os.environ.get("KITLINE_KEEP_AIRFLOW_HOME"):
    atexit.register(shutil.rmtree, HOME, ignore_errors=True)
replace_environment(
    os.environ,
    clean_environment(HOME / "user")
    | {
        "AIRFLOW_HOME": str(HOME),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{HOME}/airflow.db",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(
            {"type": "file", "log_file_path": str(HOME / "lineage.json"), "append": True}
        ),
        "AIRFLOW__OPENLINEAGE__NAMESPACE": "tests",
        "AIRFLOW__OPENLINEAGE__EXECUTION_TIMEOUT": "60",
    },
)
(HOME / "user").mkdir()
sys.path.insert(0, str(DAGS))
