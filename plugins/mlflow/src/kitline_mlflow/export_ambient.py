"""The tracking server that MLflow takes for granted, for the length of a call.

A registry in a database resolves `models:/m-…` with the ambient tracking server, whatever client
it was asked through (seen in MLflow 3.17). Servers over HTTP resolve it themselves.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_VARIABLE = "MLFLOW_TRACKING_URI"


@contextmanager
def ambient_server(uri: str) -> Iterator[None]:
    """Make a database the ambient tracking server, and put back what was so before.

    MLflow keeps it per process, so runs that other threads start meanwhile would go there.
    """
    import mlflow

    before = mlflow.get_tracking_uri()
    if uri.startswith(("http://", "https://")) or uri == before:
        yield
        return
    variable = os.environ.get(_VARIABLE)
    os.environ[_VARIABLE] = uri
    was_set_in_code = mlflow.get_tracking_uri() != uri
    if was_set_in_code:
        mlflow.set_tracking_uri(uri)
    try:
        yield
    finally:
        if was_set_in_code:
            mlflow.set_tracking_uri(before)
        os.environ.pop(_VARIABLE, None)
        if variable is not None:
            os.environ[_VARIABLE] = variable
