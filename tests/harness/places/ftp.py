"""An FTP server: pyftpdlib in a thread."""

from __future__ import annotations

import contextlib
import threading
import warnings
from typing import TYPE_CHECKING, Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # asyncore, up to Python 3.11
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import DTPHandler, FTPHandler
    from pyftpdlib.ioloop import IOLoop
    from pyftpdlib.servers import FTPServer

from harness.places.folder import FolderPlace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def serve_ftp(folder: Path) -> Iterator[FolderPlace]:
    """Serve a folder to one user."""
    users = DummyAuthorizer()
    users.add_user("runs", "to-be-hidden", str(folder), perm="elradfmw")
    place = FolderPlace("", folder / "1/model")

    class Line(DTPHandler):  # type: ignore[misc] # without types
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self.left: int | None = None

        def enable_receiving(self, *args: Any) -> None:
            self.left = 1 << 62
            super().enable_receiving(*args)

        def push_with_producer(self, producer: Any) -> None:
            self.left = place.next_answer()
            super().push_with_producer(producer)

        def send(self, data: bytes) -> int:
            if self.left is not None:
                data = data[: self.left]
                self.left -= len(data)
                if not data:
                    self.cmd_channel.close()
                    return 0
            return int(super().send(data))

    settings = {"authorizer": users, "dtp_handler": Line, "use_sendfile": False}
    handler = type("Handler", (FTPHandler,), settings)
    server = FTPServer(("127.0.0.1", 0), handler, ioloop=IOLoop())
    place.uri = f"ftp://runs:to-be-hidden@127.0.0.1:{server.address[1]}/1/model"
    is_over = threading.Event()

    def serve() -> None:
        while not is_over.is_set():
            server.serve_forever(timeout=0.05, blocking=False, handle_exit=False)
        server.close_all()

    thread = threading.Thread(target=serve)
    thread.start()
    yield place
    is_over.set()
    thread.join()
