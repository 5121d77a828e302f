"""No public name of a package is one of its modules too, which would take its place once loaded."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import pytest

PACKAGES = [
    "kitline", "kitline.plugin", "kitline.testing", "kitline_airflow", "kitline_airflow.operators",
    "kitline_dvc", "kitline_kfp", "kitline_kfp.steps", "kitline_mlflow",
]  # fmt: skip


@pytest.mark.parametrize("name", PACKAGES)
def test_no_public_name_is_a_module_too(name: str) -> None:
    package = import_module(name)

    modules = {each.name for each in pkgutil.iter_modules(package.__path__)}

    assert modules & set(getattr(package, "__all__", [])) == set()
