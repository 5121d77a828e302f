"""Failures: which errors of kitline a retry may mend, and which it cannot."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException
from kitline import errors

if TYPE_CHECKING:
    from collections.abc import Iterator

_FINAL = (
    errors.UsageError,
    errors.VerificationError,
    errors.MalformedContent,
    errors.KitfileError,
    errors.NotAModelKit,
    errors.SourceError,
    errors.TargetError,
    errors.NotFound,
    errors.TagConflict,
    errors.RegistryError,
    errors.UnusableKey,
    errors.PluginError,
    errors.PolicyError,
    errors.PromotionUndone,
)
_PASSING = (
    errors.ReferenceMoved,  # somebody else was faster
    errors.PromotionLost,  # likewise
    errors.SourceChanged,  # a file was still being written
)


def is_final(error: errors.KitlineError) -> bool:
    """Tell whether trying again can only fail again.

    A registry that is down, slow or busy is worth a retry, and so is a connection that broke: what
    arrived is not sent again. Refused credentials, a missing kit or wrong content are not.
    """
    if isinstance(error, _PASSING):
        return False
    if isinstance(error, errors.RegistryError) and (error.status or 0) >= 500:
        return isinstance(error, errors.QuotaExceeded)
    return isinstance(error, _FINAL)


def find_kind(name: str) -> type[errors.KitlineError]:
    """Return the error class that kitline in another process named, KitlineError if unknown."""
    found = getattr(errors, name, None)
    if isinstance(found, type) and issubclass(found, errors.KitlineError):
        return found
    return errors.KitlineError


def is_final_kind(name: str) -> bool:
    """Tell the same of an error that another process reported by name."""
    kind = find_kind(name)
    if issubclass(kind, _PASSING) or kind is errors.RegistryError:
        return False  # the status that would tell is not reported
    return issubclass(kind, _FINAL)


@contextmanager
def explained(connection: str | None) -> Iterator[None]:
    """Turn kitline's errors into Airflow's; the message is kitline's.

    Raises:
        AirflowFailException: if a retry cannot help; Airflow then makes none.
        AirflowException: if it may.
    """
    try:
        yield
    except errors.KitlineError as cause:
        raise failure(str(cause), final=is_final(cause), hint=_hint(cause, connection)) from cause


def failure(message: str, *, final: bool, hint: str = "") -> AirflowException:
    """Return the exception that makes Airflow retry, or not."""
    kind = AirflowFailException if final else AirflowException
    failed: AirflowException = kind(message + hint)
    return failed


def _hint(error: errors.KitlineError, connection: str | None) -> str:
    refused = isinstance(error, errors.AuthenticationFailed | errors.AccessDenied)
    return f"; look at the Airflow connection {connection!r}" if refused and connection else ""
