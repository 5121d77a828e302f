"""Elsewhere: `kitline … --json` run by the interpreter of another environment.

Tools such as MLflow and DVC cannot always share a worker's environment. The process gets what the
connection says in its own environment, and is ended with all that it started.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from kitline_airflow.failures import failure, is_final_kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GRACE = 10.0
"""Seconds to clean up after being asked to end; then it is killed."""
_ANSWER_LIMIT = 16 << 20


class OtherKitline:
    """One run of kitline in another environment; `stop` ends it from any thread."""

    def __init__(self, python: str, log: Any) -> None:
        self._python = python
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = threading.Event()

    def run(self, words: Sequence[str], environment: Mapping[str, str]) -> dict[str, Any]:
        """Run a verb to its end and return its JSON; what it says goes to the task's log.

        Raises:
            AirflowFailException: if it failed and a retry cannot help.
            AirflowException: if one may.
        """
        command = [self._python, "-m", "kitline", *words, "--json"]
        self._log.info("running %s -m kitline %s", self._python, words[0])
        try:
            process = subprocess.Popen(
                command,
                env={**os.environ, **environment, "KITLINE_PROGRESS": "lines"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as cause:
            raise failure(
                f"cannot run python={self._python!r}: {cause.strerror}; name the interpreter of an"
                " environment with kitline in it",
                final=True,
            ) from cause
        self._process = process
        if self._stopped.is_set():
            self._end(process)
        said: list[str] = []
        listener = threading.Thread(target=self._listen, args=(process, said), daemon=True)
        listener.start()
        try:
            assert process.stdout is not None
            answer = process.stdout.read(_ANSWER_LIMIT)
            code = process.wait()
        except BaseException:
            self._end(process)
            raise
        finally:
            listener.join(GRACE)
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()
        return self._read(answer, code, said)

    @property
    def pid(self) -> int | None:
        """The process, once there is one."""
        return None if self._process is None else self._process.pid

    def stop(self) -> None:
        """End the process and what it started, gently and then not."""
        self._stopped.set()
        if self._process is not None:
            self._end(self._process)

    def _listen(self, process: subprocess.Popen[bytes], said: list[str]) -> None:
        assert process.stderr is not None
        with suppress(ValueError):  # closed under our hands
            for line in process.stderr:
                text = line.decode("utf-8", "replace").rstrip()
                self._log.info("%s", text)
                said.append(text)
                del said[:-20]

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        if process.poll() is not None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
        with suppress(ProcessLookupError):  # itself, or what it started and left behind
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(GRACE)

    def _read(self, answer: bytes, code: int, said: list[str]) -> dict[str, Any]:
        if self._stopped.is_set():
            raise failure("the task was ended, and kitline with it", final=False)
        try:
            found = json.loads(answer)
        except ValueError:
            found = None
        if code == 0 and isinstance(found, dict):
            return found
        error = found.get("error") if isinstance(found, dict) else None
        if isinstance(error, dict):
            kind = str(error.get("kind"))
            raise failure(str(error.get("message")), final=code == 2 or is_final_kind(kind))
        told = said[-1] if said else f"it ended with {code}"
        raise failure(
            f"kitline in {self._python!r} gave no answer: {told}; is kitline installed there?",
            final="No module named" in told,
        )
