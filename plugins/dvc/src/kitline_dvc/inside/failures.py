"""The errors of DVC, git and file systems, in kitline's words."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from kitline.errors import SourceError
from kitline.plugin import without_passwords

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def dvc_errors(what: str) -> Iterator[None]:
    """Turn the errors of DVC, git and file systems into a SourceError about `what`."""
    from dvc.exceptions import DvcException
    from scmrepo.exceptions import SCMError

    try:
        yield
    except (DvcException, SCMError, OSError, ValueError, KeyError) as cause:
        text = without_passwords(" ".join(str(cause).split())) or type(cause).__name__
        raise SourceError(f"cannot read {what}: {text}") from cause
