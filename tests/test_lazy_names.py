"""No public name of a package is one of its modules too, which would take its place once loaded."""

from __future__ import annotations

import json
import subprocess
import sys

PACKAGES = [
    "kitline", "kitline.plugin", "kitline.testing", "kitline_airflow", "kitline_airflow.operators",
    "kitline_dvc", "kitline_kfp", "kitline_kfp.steps", "kitline_mlflow",
]  # fmt: skip
# In a process of its own: what imports Airflow cannot be followed by tests of the other tools.
FIND = """
import importlib, json, pkgutil, sys
found = {}
for name in sys.argv[1:]:
    package = importlib.import_module(name)
    modules = {each.name for each in pkgutil.iter_modules(package.__path__)}
    public = getattr(package, "__all__", [])
    found[name] = sorted(modules & set(public)), sorted(set(public) - set(dir(package)))
print(json.dumps(found))
"""


def test_no_public_name_is_a_module_too_and_each_is_listed() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FIND, *PACKAGES],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == {name: [[], []] for name in PACKAGES}
