"""Credential helpers: the programs `docker-credential-NAME` that keep secrets for docker.

Source: docker/docker-credential-helpers, README "Development": the server on stdin of `get` and
`erase`, JSON for `store`; an unknown server is reported by a fixed text and exit code 1.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from kitline.errors import InvalidSetting
from kitline.frozen import dataclass
from kitline.store.registry.credential import Credential

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT = 10.0
"""Seconds that a helper may take."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
_UNKNOWN = "credentials not found in native keychain"


@dataclass(frozen=True, kw_only=True)
class CredentialHelper:
    """The helper `docker-credential-{name}`, as `named_in` (a file, in words) asks for it."""

    name: str
    named_in: str
    environ: Mapping[str, str]
    timeout: float = TIMEOUT

    @property
    def source(self) -> str:
        """Say in words what a credential from here comes from."""
        return f"docker-credential-{self.name}, named in {self.named_in}"

    def get(self, server: str) -> Credential | None:
        """Ask for the credential of `server`.

        Raises:
            InvalidSetting: if the helper is missing, fails, hangs or answers something else.
        """
        code, answer = self._run("get", server)
        if code:
            if _UNKNOWN in answer.lower():
                return None
            raise self._problem(f"'get' failed with exit code {code}")
        try:
            found = json.loads(answer)
            username, secret = found["Username"], found["Secret"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise self._problem("'get' answered no JSON with 'Username' and 'Secret'") from None
        if not (isinstance(username, str) and isinstance(secret, str)):
            raise self._problem("'get' answered a 'Username' or 'Secret' that is no text")
        return Credential.of(username, secret, self.source) if secret else None

    def store(self, server: str, username: str, secret: str) -> None:
        """Hand a credential over to the helper."""
        content = {"ServerURL": server, "Username": username, "Secret": secret}
        code, answer = self._run("store", json.dumps(content))
        if code:
            raise self._problem(f"'store' failed with exit code {code}: {answer[:200].strip()!r}")

    def erase(self, server: str) -> None:
        """Make the helper forget the credential of `server`, if it has one."""
        code, answer = self._run("erase", server)
        if code and _UNKNOWN not in answer.lower():
            raise self._problem(f"'erase' failed with exit code {code}")

    def _run(self, action: str, text: str) -> tuple[int, str]:
        program = self._find()
        try:
            process = subprocess.Popen(
                [program, action],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=dict(self.environ),
                start_new_session=True,
            )
        except OSError as cause:
            raise self._problem(f"{program!r} cannot be started: {cause.strerror}") from cause
        with process:
            try:
                answer, _ = process.communicate(text.encode(), timeout=self.timeout)
            except subprocess.TimeoutExpired:
                raise self._problem(
                    f"{action!r} gave no answer within {self.timeout:g} s"
                ) from None
            finally:
                _end_with_children(process)
        return process.returncode, answer.decode("utf-8", "replace")

    def _find(self) -> str:
        """Look on PATH, absolute folders only: never in the working directory."""
        if not _NAME.match(self.name):
            raise self._problem("this is not a name that a helper can have")
        program = f"docker-credential-{self.name}"
        for folder in self.environ.get("PATH", os.defpath).split(os.pathsep):
            if os.path.isabs(folder):
                found = shutil.which(program, path=folder)
                if found and Path(found).parent == Path(folder):
                    return found
        raise self._problem(f"{program!r} is not on PATH")

    def _problem(self, reason: str) -> InvalidSetting:
        return InvalidSetting(f"credential helper {self.name}", self.named_in, reason)


def _end_with_children(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the helper, children that hold its pipes included."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
