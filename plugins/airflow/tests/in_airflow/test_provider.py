"""The provider: what Airflow reads of it, and what it finds behind each name."""

from __future__ import annotations

import json
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import airflow
import jsonschema
from kitline_airflow.get_provider_info import get_provider_info

INFO = get_provider_info()


def test_provider_info_is_valid_by_airflows_schema() -> None:
    schema = Path(airflow.__file__).with_name("provider_info.schema.json")

    jsonschema.validate(INFO, json.loads(schema.read_text()))


def test_the_entry_point_leads_to_the_provider_info() -> None:
    (found,) = (
        each
        for each in entry_points(group="apache_airflow_provider")
        if each.value.startswith("kitline_airflow")
    )

    assert found.load()() == INFO


def test_every_class_and_module_that_is_named_is_there() -> None:
    named = [
        *_values(INFO, "hook-class-name", "handler", "factory", "class-name"),
        *INFO["extra-links"],
        *INFO["notifications"],
    ]
    modules = [name for each in _values(INFO, "python-modules") for name in each]

    assert len(named) >= 8
    for each in modules:
        import_module(each)
    for each in named:
        module, _, name = each.rpartition(".")
        assert hasattr(import_module(module), name), each


def test_airflow_finds_connection_type_handlers_link_and_decorator() -> None:
    from airflow.providers_manager import ProvidersManager

    manager = ProvidersManager()
    runtime = find_runtime() or manager

    assert "kitline-airflow" in manager.providers
    hook = runtime.hooks["modelkit"]
    assert hook is not None
    assert hook.connection_id_attribute_name == "modelkit_conn_id"
    assert "kitline_airflow.links.ModelKitLink" in manager.extra_links_class_names
    assert "modelkit" in list(runtime.taskflow_decorators)
    assert "extra__modelkit__plain_http" in manager.connection_form_widgets


def find_runtime() -> Any:
    """Return what tasks ask in Airflow 3.2 and later."""
    try:
        from airflow.sdk.plugins_manager import ProvidersManagerTaskRuntime
    except ImportError:
        try:
            from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime
        except ImportError:
            return None
    return ProvidersManagerTaskRuntime()


def _values(value: Any, *names: str) -> list[Any]:
    found: list[Any] = []
    for key, each in value.items():
        if key in names:
            found.append(each)
        for item in each if isinstance(each, list) else [each]:
            found += _values(item, *names) if isinstance(item, dict) else []
    return found
