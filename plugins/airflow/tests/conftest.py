"""Airflow changes logging, warnings and signals of a process: its tests have one of their own.

`test_in_airflow.py` starts it. To run some of them by hand:

    KITLINE_IN_AIRFLOW=1 pytest plugins/airflow/tests/in_airflow -k push
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

collect_ignore = [] if os.environ.get("KITLINE_IN_AIRFLOW") else ["in_airflow"]

sys.path.insert(0, str(Path(__file__).parent))  # airflow_process, for tests that start commands
