"""An SFTP server: asyncssh in a thread, with a host key and a user of its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any

import asyncssh

from harness.places.folder import FolderPlace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def serve_sftp(folder: Path, home: Path) -> Iterator[FolderPlace]:
    """Serve a folder; its host key is the only one that `home` knows."""
    key = asyncssh.generate_private_key("ssh-rsa")
    (home / ".ssh").mkdir()
    (home / ".ssh/known_hosts").write_text(f"127.0.0.1 {key.export_public_key().decode()}")
    place = FolderPlace("", folder / "1/model")

    class Files(asyncssh.SFTPServer):
        def __init__(self, channel: asyncssh.SSHServerChannel[bytes]) -> None:
            super().__init__(channel, chroot=str(folder).encode())
            self.left: dict[int, int] = {}

        def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
            opened = super().open(path, pflags, attrs)
            if not pflags & asyncssh.FXF_WRITE:
                self.left[id(opened)] = place.next_answer()
            return opened

        def read(self, file_obj: object, offset: int, size: int) -> bytes:
            self.left[id(file_obj)] -= size
            if self.left[id(file_obj)] < 0:
                self.channel.get_connection().abort()
            found = super().read(file_obj, offset, size)
            assert isinstance(found, bytes)
            return found

    callers: list[asyncssh.SSHServerConnection] = []

    class Users(asyncssh.SSHServer):
        def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
            callers.append(conn)

        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password: str) -> bool:
            return (username, password) == ("runs", "to-be-hidden")

    async def listen() -> Any:
        return await asyncssh.create_server(
            Users, "127.0.0.1", 0, server_host_keys=[key], sftp_factory=Files
        )

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(listen(), loop).result(60)
    place.uri = f"sftp://runs:to-be-hidden@127.0.0.1:{server.get_port()}/1/model"
    yield place

    async def end() -> None:
        server.close()
        for each in callers:
            each.abort()
            await each.wait_closed()
        await server.wait_closed()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)

    asyncio.run_coroutine_threadsafe(end(), loop).result(60)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
