"""What needs no network asks for none, and what a dead process left goes away."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import DvcRepository, Importing

WITHOUT_NETWORK = """
import sys

def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.bind"):
        raise SystemExit(f"no network, and {event} {arguments[1:]} was asked for")

sys.addaudithook(refuse)
from kitline.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow  # processes of their own: nothing takes such a hook off again
@pytest.mark.parametrize("place", ["cache", "remote folder"])
def test_an_import_without_network(
    repository: DvcRepository, importing: Importing, place: str
) -> None:
    expected = importing.digest("dvc:data/train@v1", repo=str(repository.root))
    if place == "remote folder":
        repository.drop_cache()

    done = subprocess.run(
        [
            sys.executable, "-c", WITHOUT_NETWORK,
            "import", "dvc:data/train@v1", "-t", "team/train:v1",
        ],
        cwd=repository.root, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith(f"@{expected}")
