"""An S3 server in a process of its own, each of whose answers comes some milliseconds late.

`python slow_s3.py MILLISECONDS` prints its address and serves until stdin ends.
"""

from __future__ import annotations

import sys
import time
from threading import Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Late:
    """A WSGI application that waits before it asks the one inside."""

    def __init__(self, inner: Callable[..., Iterable[bytes]], seconds: float) -> None:
        self._inner = inner
        self._seconds = seconds

    def __call__(self, environ: dict[str, Any], respond: Any) -> Iterable[bytes]:
        time.sleep(self._seconds)
        return self._inner(environ, respond)


def main() -> None:
    import logging

    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    WSGIRequestHandler.protocol_version = "HTTP/1.1"  # connections are kept, as S3 does
    app = Late(DomainDispatcherApplication(create_backend_app), int(sys.argv[1]) / 1000)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
