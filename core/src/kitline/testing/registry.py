"""LocalRegistry: an OCI registry inside the test process, with faults that tests ask for.

It behaves like distribution 3 with the referrers API of olareg unless its `Rules` say otherwise;
the tests of `kitline.testing` compare it with the real programs.
"""

from __future__ import annotations

import re
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from kitline.testing.armed_faults import Faults
from kitline.testing.authorization import BearerAuth
from kitline.testing.content import Content
from kitline.testing.exchange import Answer, Call
from kitline.testing.http_server import Cut, Request, Server
from kitline.testing.routes import Router
from kitline.testing.rules import Rules

if TYPE_CHECKING:
    import ssl
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self

    from kitline.testing.authorization import Authorization
    from kitline.testing.faults import Fault

_PATIENCE = 2.0


class LocalRegistry:
    """An OCI registry on a free port of 127.0.0.1; a context manager.

    `content` may be shared with another registry, `auth` is `BasicAuth` or `BearerAuth`, and with
    `tls` it speaks HTTPS. What went wrong inside the registry itself is raised at the end.
    """

    def __init__(
        self,
        rules: Rules | None = None,
        *,
        referrers_api: bool | None = None,
        auth: Authorization | None = None,
        content: Content | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        rules = rules or Rules()
        if referrers_api is not None:
            rules = replace(rules, referrers_api=referrers_api)
        self.rules = rules
        self.auth = auth
        self.content = content or Content()
        self.faults = Faults()
        self.authorizations: list[tuple[str, str]] = []
        """Path and `Authorization` header of each request that sent one."""
        self._scheme = "https" if tls else "http"
        self._server = Server(self, tls)
        self._idle = threading.Condition()
        self._running = 0
        self._requests: list[Request] = []
        self._failures: list[Exception] = []
        self._stopping = threading.Event()

    @property
    def host(self) -> str:
        """Address and port, `127.0.0.1:PORT`."""
        return f"127.0.0.1:{self._server.port}"

    @property
    def url(self) -> str:
        """Scheme and host."""
        return f"{self._scheme}://{self.host}"

    @property
    def requests(self) -> list[Request]:
        """All requests so far, in the order in which they ended; waits for those under way."""
        with self._idle:
            self._idle.wait_for(lambda: self._running == 0, timeout=_PATIENCE)
            return list(self._requests)

    def count(self, method: str | None = None, path: str = "", *, status: int | None = None) -> int:
        """Count requests by method, by a regular expression for the path, and by status."""
        return len(self.select(method, path, status=status))

    def select(
        self, method: str | None = None, path: str = "", *, status: int | None = None
    ) -> Sequence[Request]:
        """Return requests by method, by a regular expression for the path, and by status."""
        return [
            each
            for each in self.requests
            if method in (None, each.method)
            and re.search(path, each.path)
            and status in (None, each.status)
        ]

    def forget(self) -> None:
        """Forget all requests so far."""
        with self._idle:
            self._idle.wait_for(lambda: self._running == 0, timeout=_PATIENCE)
            self._requests.clear()
            self.authorizations.clear()

    def inject(self, *faults: Fault) -> None:
        """Let things go wrong."""
        for fault in faults:
            self.faults.add(fault)

    def create_repository(self, name: str) -> None:
        """Make a repository beforehand; needed with `Rules(must_exist=True)`."""
        self.content.create(name)

    def expire_tokens(self) -> None:
        """Make all Bearer tokens invalid now."""
        if isinstance(self.auth, BearerAuth):
            self.auth.expire()

    def start(self) -> None:
        """Begin to serve."""
        self._server.start()

    def stop(self) -> None:
        """Close all connections and free the port."""
        self._stopping.set()
        self._server.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        if self._failures and error is None:
            raise ExceptionGroup("the registry for tests made mistakes", self._failures)

    def begin(self, call: Call) -> None:
        with self._idle:
            self._running += 1
            if "authorization" in call.headers:
                self.authorizations.append((call.path, call.headers["authorization"]))

    def end(self, request: Request) -> None:
        with self._idle:
            self._running -= 1
            self._requests.append(request)
            self._idle.notify_all()

    def report(self, failure: Exception) -> None:
        self._failures.append(failure)

    def respond(self, call: Call) -> Answer:
        if self.faults.take("expire_tokens", call.method, call.path):
            self.expire_tokens()
        stall = self.faults.take("stall", call.method, call.path)
        if stall is not None:
            self.wait(stall.seconds)
        injected = self.faults.take("answer", call.method, call.path)
        if injected is not None:
            return Answer(injected.status, dict(injected.headers), injected.body)
        answer = self._answer(call)
        if 200 <= answer.status < 300:
            self._spoil(call, answer)
        return answer

    def find_cut(self, call: Call, answer: Answer) -> Cut | None:
        armed = self.faults.find("cut_download", call.method, call.path)
        if armed is None or answer.status >= 300:
            return None
        cut = armed.fault.after - answer.offset
        if not 0 <= cut < len(answer.body) or not self.faults.use(armed):
            return None
        return Cut(cut, armed.fault.seconds)

    def _answer(self, call: Call) -> Answer:
        if call.path == "/token" and isinstance(self.auth, BearerAuth):
            return self.auth.issue(call)
        router = Router(
            content=self.content,
            rules=self.rules,
            faults=self.faults,
            auth=self.auth,
            base=self.url,
        )
        return router.answer(call)

    def _spoil(self, call: Call, answer: Answer) -> None:
        """Apply the faults that change a good answer."""
        false = self.faults.take("digest_header", call.method, call.path)
        if false is not None:
            answer.headers["Docker-Content-Digest"] = false.digest
        altered = self.faults.take("alter", call.method, call.path)
        if altered is not None:
            answer.body = _alter(altered, bytes(answer.body), answer.offset)

    def wait(self, seconds: float) -> None:
        """Stall; a stalled request does not count as under way."""
        if not seconds:
            return
        with self._idle:
            self._running -= 1
            self._idle.notify_all()
        self._stopping.wait(seconds)
        with self._idle:
            self._running += 1


def _alter(fault: Fault, body: bytes, offset: int) -> bytes:
    if fault.alteration == "truncate":
        return body[: -fault.count]
    if fault.alteration == "extend":
        return body + b"\0" * fault.count
    at = max(fault.after - offset, 0)
    return body[:at] + bytes(255 - byte for byte in body[at : at + 1]) + body[at + 1 :]
