"""Writes the compiled components again: `python plugins/kfp/yaml/generate.py [FOLDER]`.

`python/` runs on a plain Python image and installs kitline when the step starts; `container/` runs
the image that the Dockerfile builds. A test compares what is here with what this makes.
"""

from __future__ import annotations

import sys
from pathlib import Path

import kitline_kfp
from kfp import compiler
from kitline_kfp.containers import NAMES, container_component


def generate(folder: Path) -> None:
    """Compile every component in both forms below `folder`, with the defaults."""
    for kind in ("python", "container"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        forms = {
            "python": getattr(kitline_kfp, f"{name}_component")(),
            "container": container_component(name),
        }
        for kind, component in forms.items():
            compiler.Compiler().compile(component, str(folder / kind / f"{name}.yaml"))


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
