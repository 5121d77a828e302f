"""The errors of DVC, git and file systems, in kitline's words."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from kitline.errors import SourceError
from kitline.plugin import without_passwords

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_LONGEST = 500
"""Characters of a reason; some errors quote a whole file."""


@contextlib.contextmanager
def dvc_errors(what: str) -> Iterator[None]:
    """Turn the errors of DVC, git and file systems into a SourceError about `what`."""
    from dvc.exceptions import DvcException
    from scmrepo.exceptions import SCMError

    try:
        yield
    except RecursionError as cause:
        raise SourceError(f"cannot read {what}: it is nested too deep") from cause
    except (DvcException, SCMError, OSError, ValueError, KeyError) as cause:
        raise SourceError(f"cannot read {what}: {reason_of(cause)}") from cause


def reason_of(error: BaseException) -> str:
    """Return what went wrong in one line: DVC's message with its details, or those of its cause."""
    said = [str(error).rstrip(".") or type(error).__name__]
    problems = getattr(getattr(error, "exc", None), "errors", None)  # of a schema
    if problems:
        said.append(", ".join(_problem(each) for each in problems[:3]))
    elif error.__cause__ is not None and str(error.__cause__) not in said[0]:
        said.append(str(error.__cause__))
    text = " ".join(": ".join(said).split())
    return without_passwords(text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …")


def _problem(found: Any) -> str:
    where = ".".join(str(each) for each in found.path)
    return f"{where}: {found.error_message}" if where else str(found.error_message)
