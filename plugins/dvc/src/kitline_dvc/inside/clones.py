"""Clones: repositories by address, without workspace, in folders that go away again.

HTTPS is spoken by DVC's own git client, as DVC does. SSH is spoken by git itself, for that client
compares no keys of hosts, and waits for ever when the other side has no such repository.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
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
    branches: list[str | None] = [None]
    if revision is not None and not git.is_sha(revision):
        branches.insert(0, revision)  # a branch or a tag, perhaps
    make = _clone_by_ssh if url.startswith("ssh:") else _clone
    causes: list[Exception] = []
    folder = LockedFolder(PREFIX)
    try:
        for branch in branches:
            try:
                target = tempfile.mkdtemp(dir=folder.path)
                return make(url, target, branch), folder
            except (SCMError, OSError, ValueError) as error:
                causes.append(error)
    except BaseException:  # such as an interrupt
        folder.close()
        raise
    folder.close()
    cause = causes[-1].__cause__ or causes[-1]  # the outer one names our folder, and no reason
    reason = re.sub(rf"{re.escape(str(folder.path))}[/\w]*", "the clone", reason_of(cause))
    raise SourceError(f"cannot clone {without_passwords(url)!r}: {reason}") from causes[-1]


def _clone(url: str, target: str, branch: str | None) -> Any:
    from scmrepo.git import Git

    git: Any = Git
    only = {"shallow_branch": branch} if branch is not None else {}
    return git.clone(url, target, bare=True, **only)


def _clone_by_ssh(url: str, target: str, branch: str | None) -> Any:
    from scmrepo.git import Git

    program = shutil.which("git")
    if program is None:
        raise FileNotFoundError("the program 'git' is needed for addresses that begin with ssh://")
    only = ["--depth", "1", f"--branch={branch}"] if branch is not None else []
    done = subprocess.run(
        [program, "clone", "--quiet", "--bare", *only, "--", url, target],
        env={**os.environ, "GIT_TERMINAL_PROMPT": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    if done.returncode:
        raise OSError(" ".join(done.stderr.split()) or f"git ended with {done.returncode}")
    return Git(target)
