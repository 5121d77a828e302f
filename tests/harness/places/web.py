"""Object stores as far as reading takes: objects, their versions, and answers that break off."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

ROOT = "1/model/"


class WebPlace(ThreadingHTTPServer):
    """Objects below `1/model/`, served by `handler`."""

    daemon_threads = True

    def __init__(self, uri: str, handler: type[WebHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.uri = uri
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.asked = 0
        self.cuts: list[int] = []
        self.objects: dict[str, bytes] = {}
        self.versions: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.serve_forever)
        self._thread.start()
        return super().__enter__()

    def server_close(self) -> None:
        self.shutdown()
        self._thread.join()
        super().server_close()

    def put(self, name: str, content: bytes) -> None:
        self.objects[ROOT + name] = content
        self.versions[ROOT + name] = self.versions.get(ROOT + name, 6) + 1

    def delete(self, name: str) -> None:
        del self.objects[ROOT + name]

    def cut(self, *counts: int) -> None:
        self.cuts[:] = counts

    def list(self, prefix: str) -> tuple[list[str], list[str]]:
        """Return the objects of a folder, and the folders in it with their slash."""
        below = [each for each in sorted(self.objects) if each.startswith(prefix)]
        deeper = [each for each in below if "/" in each.removeprefix(prefix)]
        folders = {f"{prefix}{each.removeprefix(prefix).partition('/')[0]}/" for each in deeper}
        return [each for each in below if each not in deeper], sorted(folders)


class WebHandler(BaseHTTPRequestHandler):
    """Answers with what the classes of this folder make up."""

    server: WebPlace
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None: ...

    def send_range(self, content: bytes, asked: str, headers: dict[str, str]) -> None:
        """Answer with a range of an object, or as much of it as the next cut leaves."""
        self.server.asked += 1
        first, _, last = asked.removeprefix("bytes=").partition("-")
        some = content[int(first) : int(last or len(content)) + 1]
        if not some:
            self.send(416, {"Content-Range": f"bytes */{len(content)}"}, b"")
            return
        given = f"bytes {first}-{int(first) + len(some) - 1}/{len(content)}"
        left = self.server.cuts.pop(0) if self.server.cuts else len(some)
        self.send(206, {**headers, "Content-Range": given}, some, left)

    def send(self, status: int, headers: dict[str, str], body: bytes, left: int = 1 << 62) -> None:
        """Answer; the line breaks off after `left` bytes of the body."""
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body[:left])
        self.close_connection = self.close_connection or left < len(body)
