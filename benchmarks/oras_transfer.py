"""oras-py as its users call it: push a file, or pull it; started as a program of its own.

usage: oras_transfer.py push REFERENCE FILE
       oras_transfer.py pull REFERENCE FOLDER
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import oras.client


def main(verb: str, reference: str, path: str) -> None:
    client = oras.client.OrasClient(insecure=True)
    if verb == "push":
        os.chdir(Path(path).parent)
        client.push(target=reference, files=[Path(path).name], disable_path_validation=True)
    else:
        client.pull(target=reference, outdir=path)


if __name__ == "__main__":
    main(*sys.argv[1:])
