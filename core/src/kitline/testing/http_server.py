"""HTTP for the in-process registry: connections are kept, bodies streamed, all is counted."""

from __future__ import annotations

import contextlib
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, NamedTuple, Protocol
from urllib.parse import parse_qs, urlsplit

from kitline.testing.exchange import Answer, Call, Disconnect, error

if TYPE_CHECKING:
    import ssl
    from typing import Any

_BLOCK_SIZE = 1 << 20


class Request(NamedTuple):
    """One request that was answered, or broken off (then `status` is 0).

    `received` and `sent` count the bytes of the bodies.
    """

    method: str
    path: str
    status: int
    received: int
    sent: int


class Cut(NamedTuple):
    """Where an answer ends too early, and for how long nothing happens before that."""

    after: int
    seconds: float


class Service(Protocol):
    """What stands behind the server."""

    def respond(self, call: Call) -> Answer:
        """Answer a request.

        Raises:
            Disconnect: if the connection is to be closed instead.
        """

    def find_cut(self, call: Call, answer: Answer) -> Cut | None:
        """Tell whether the connection is to be closed within the answer's body."""

    def wait(self, seconds: float) -> None:
        """Stall."""

    def begin(self, call: Call) -> None:
        """Learn that a request has come."""

    def end(self, request: Request) -> None:
        """Learn that a request is done."""

    def report(self, failure: Exception) -> None:
        """Learn of a mistake in the registry itself."""


class Server(ThreadingHTTPServer):
    """Listens on a free port of 127.0.0.1; every connection has a thread."""

    daemon_threads = False
    request_queue_size = 128

    def __init__(self, service: Service, context: ssl.SSLContext | None = None) -> None:
        self.service = service
        self._context = context
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    def start(self) -> None:
        """Serve in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Close all connections and wait for their threads."""
        self.shutdown()
        self._thread.join()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            hang_up(connection)
        self.server_close()

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        if self._context is not None:
            connection = self._context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        with self._lock:
            self._connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients may hang up, that is what some tests are about."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    rbufsize = 1 << 16
    server: Server

    def serve(self) -> None:
        """Answer one request."""
        parts = urlsplit(self.path)
        headers = {key.lower(): value for key, value in self.headers.items()}
        query = parse_qs(parts.query, keep_blank_values=True)
        call = Call(self.command, parts.path, query, headers, self.rfile)
        service = self.server.service
        service.begin(call)
        status = sent = 0
        try:
            answer = self._respond(call)
            call.drain()
            status = answer.status
            sent = self._send(call, answer, service.find_cut(call, answer))
        except (Disconnect, OSError):
            self.close_connection = True
            hang_up(self.connection)
        finally:
            service.end(Request(call.method, self.path, status, call.received, sent))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = (
        serve  # the names that http.server asks for
    )

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet; the registry remembers requests by itself."""

    def _respond(self, call: Call) -> Answer:
        try:
            return self.server.service.respond(call)
        except (Disconnect, OSError):
            raise
        except Exception as failure:
            self.server.service.report(failure)
            return error(500, "UNKNOWN", f"mistake in the registry for tests: {failure!r}")

    def _send(self, call: Call, answer: Answer, cut: Cut | None) -> int:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if call.method == "HEAD":
            return 0
        body = memoryview(answer.body)[: cut.after if cut else None]
        sent = 0
        while sent < len(body):
            sent += self.connection.send(body[sent : sent + _BLOCK_SIZE])
        if cut is not None:
            self.server.service.wait(cut.seconds)
            self.close_connection = True
            hang_up(self.connection)
        return sent


def hang_up(connection: socket.socket) -> None:
    """Close a connection for both sides, whatever is under way."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
