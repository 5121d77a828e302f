"""Calls to MLflow: what is missing and what fails is said in one way; pages are read to the end."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from kitline.errors import SourceError

from kitline_mlflow.redact import reason_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlflow.store.entities.paged_list import PagedList

T = TypeVar("T")
_MISSING = ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND")


class Calls:
    """Calls to the server that messages name `name`."""

    def __init__(self, name: str) -> None:
        self._name = name

    def pages(self, what: str, page: Callable[[str | None], PagedList[Any]]) -> list[Any]:
        found: list[Any] = []
        token: str | None = None
        while True:
            more = self.get(what, partial(page, token))
            found += more
            if not more.token or more.token == token:
                return found
            token = more.token

    def find(self, what: str, read: Callable[[], T]) -> T | None:
        try:
            return self._read(what, read)
        except _Missing:
            return None

    def get(self, what: str, read: Callable[[], T]) -> T:
        try:
            return self._read(what, read)
        except _Missing as error:
            raise self.missing(what) from error.__cause__

    def _read(self, what: str, read: Callable[[], T]) -> T:
        from mlflow.exceptions import MlflowException

        try:
            return read()
        except MlflowException as error:
            if error.error_code in _MISSING:
                raise _Missing from error
            raise self._failed(what, error) from error
        except OSError as error:  # what MLflow's HTTP client raises is one too
            raise self._failed(what, error) from error

    def missing(self, what: str) -> SourceError:
        return SourceError(
            f"{what} is not at the MLflow server {self._name!r}; name another with"
            " MLFLOW_TRACKING_URI or '-o tracking_uri=…'"
        )

    def _failed(self, what: str, error: Exception) -> SourceError:
        return SourceError(
            f"cannot read {what} from the MLflow server {self._name!r}: {reason_of(error)}"
        )


class _Missing(Exception):
    """The server does not have it."""
