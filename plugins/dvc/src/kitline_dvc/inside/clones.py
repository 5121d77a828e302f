"""Clones: repositories by address, without workspace, in folders that go away again."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

from kitline.errors import SourceError
from kitline.plugin import LockedFolder, without_passwords

from kitline_dvc.inside.failures import reason_of
from kitline_dvc.inside.version import check_version

if TYPE_CHECKING:
    from typing import Any

PREFIX = "kitline-dvc-"
"""How the folders begin in which clones lie."""


def clone(url: str, revision: str | None) -> tuple[Any, LockedFolder]:
    """Clone a git repository, without workspace, into a new folder: the second value.

    Raises:
        SourceError: if that fails.
    """
    from scmrepo.exceptions import SCMError
    from scmrepo.git import Git

    check_version()
    git: Any = Git
    attempts: list[dict[str, str]] = [{}]
    if revision is not None and not git.is_sha(revision):
        attempts.insert(0, {"shallow_branch": revision})  # a branch or a tag, perhaps
    causes: list[Exception] = []
    folder = LockedFolder(PREFIX)
    for options in attempts:
        target = tempfile.mkdtemp(dir=folder.path)
        try:
            return git.clone(url, target, bare=True, **options), folder
        except (SCMError, OSError, ValueError) as error:
            causes.append(error)
        except BaseException:  # such as an interrupt
            folder.close()
            raise
    folder.close()
    cause = causes[-1].__cause__ or causes[-1]  # the outer one names our folder, and no reason
    raise SourceError(
        f"cannot clone {without_passwords(url)!r}: {type(cause).__name__}: {reason_of(cause)}"
    ) from causes[-1]
