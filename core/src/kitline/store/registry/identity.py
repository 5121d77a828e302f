"""The workload's own identity at the registry of its cloud, for where no credential is kept.

Each cloud has a module of its own, which imports that cloud's library when it is needed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from kitline.store.registry.credential import Credential

    Identity = Callable[[str], Credential]

_AWS = re.compile(
    r"(?:[0-9]{12}\.dkr[.-]ecr(?:-fips)?\.[a-z0-9-]+\.(?:amazonaws\.com(?:\.cn)?|on\.aws)"
    r"|public\.ecr\.aws)\Z"
)
_GCP = re.compile(r"(?:[a-z0-9-]+\.)*(?:pkg\.dev|gcr\.io)\Z")
_AZURE = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.azurecr\.(?:io|cn|us)\Z")


class NoIdentity(Exception):
    """Why there is no identity to use; becomes a note, for the registry may not need one."""


def find_identity(registry: str) -> tuple[Credential | None, tuple[str, ...]]:
    """Ask the cloud that the registry belongs to; return the credential, or notes on why not."""
    cloud = cloud_of(registry)
    if cloud is None:
        return None, ()
    try:
        return _identity_of(cloud)(registry), ()
    except ImportError as cause:
        return None, (
            f"the workload's own identity needs {cause.name or 'a library'!r}:"
            f" pip install 'kitline[{cloud}]'",
        )
    except (
        Exception
    ) as cause:  # the clouds' libraries raise many kinds; none may stop a public pull
        reason = next(iter(str(cause).splitlines()), type(cause).__name__)
        return None, (f"no identity of this workload ({cloud}): {reason[:300]}",)


def cloud_of(registry: str) -> str | None:
    """Return the name of the extra for the registry's cloud: `aws`, `gcp`, `azure` or None."""
    clouds = {"aws": _AWS, "gcp": _GCP, "azure": _AZURE}
    return next((cloud for cloud, hosts in clouds.items() if hosts.match(registry)), None)


def _identity_of(cloud: str) -> Identity:
    if cloud == "aws":
        from kitline.store.registry.identity_aws import get_identity as identity
    elif cloud == "gcp":
        from kitline.store.registry.identity_gcp import get_identity as identity
    else:
        from kitline.store.registry.identity_azure import get_identity as identity
    return identity
