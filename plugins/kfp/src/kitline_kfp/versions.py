"""What the components run: image and packages, each in one exact version."""

from __future__ import annotations

VERSION = "0.1.0"
"""Of the distributions of kitline, which are released together."""
BASE_IMAGE = "python:3.12-slim"
CONTAINER_IMAGE = f"kitline-kfp:{VERSION}"
"""What `plugins/kfp/Dockerfile` builds; give it the name of your registry."""
PACKAGES = (f"kitline=={VERSION}", f"kitline-kfp=={VERSION}")


def pin(name: str) -> str:
    """Return a distribution of kitline in its exact version."""
    return f"{name}=={VERSION}"
