"""Who moves a stage, and where that name comes from.

A name is what the machine says of its user; only a signature proves more, which is why a record
says where its name was found.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from kitline.plugin.redact import without_passwords

if TYPE_CHECKING:
    from collections.abc import Mapping

CI_VARIABLES = (
    "GITHUB_ACTOR",
    "GITLAB_USER_LOGIN",
    "BUILD_USER_ID",
    "BITBUCKET_STEP_TRIGGERER_UUID",
)
"""Where build servers name the person who started a run."""
_GIT_TIMEOUT = 5.0
_LIMIT = 200


def find_identity(environ: Mapping[str, str] | None = None) -> tuple[str, str]:
    """Return the name of who moves a stage, and where it was found; both empty if nowhere.

    In this order: `KITLINE_WHO`, a build server's variable, git's `user.email`, the login name.
    """
    environ = os.environ if environ is None else environ
    for name in ("KITLINE_WHO", *CI_VARIABLES):
        if found := _clean(environ.get(name, "")):
            return found, f"environment {name}"
    if found := _clean(_git_email()):
        return found, "git config user.email"
    if found := _clean(environ.get("USER") or environ.get("LOGNAME") or ""):
        return found, "login name"
    return "", ""


def _git_email() -> str:
    git = shutil.which("git")
    if git is None:
        return ""
    try:
        found = subprocess.run(
            [git, "config", "--get", "user.email"],
            capture_output=True,
            check=False,
            timeout=_GIT_TIMEOUT,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout.decode("utf-8", "replace")


def _clean(text: str) -> str:
    """Return one printable line without passwords."""
    line = "".join(each for each in text.strip() if each.isprintable())
    return without_passwords(line)[:_LIMIT]
