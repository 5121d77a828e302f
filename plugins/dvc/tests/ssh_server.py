"""An SSH server on loopback that gives out git repositories to one key: `ssh_server.py FOLDER`.

FOLDER holds `host_key` and `authorized_keys`. Prints its port, and serves until it is ended.
"""

from __future__ import annotations

import asyncio
import shlex
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import asyncssh


async def main(folder: Path) -> None:
    """Serve until the process ends."""
    server = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_host_keys=[str(folder / "host_key")],
        authorized_client_keys=str(folder / "authorized_keys"),
        process_factory=give_repository,
        encoding=None,
    )
    print(server.get_port(), flush=True)
    await server.wait_closed()


async def give_repository(process: asyncssh.SSHServerProcess[Any]) -> None:
    """Run what git asks for, and nothing else."""
    program, path = shlex.split(process.command or "")
    assert program == "git-upload-pack"
    git = await asyncio.create_subprocess_exec(program, path, stdin=PIPE, stdout=PIPE, stderr=PIPE)
    await process.redirect(stdin=git.stdin, stdout=git.stdout, stderr=git.stderr)
    process.exit(await git.wait())


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
