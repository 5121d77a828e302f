"""oras' `Registry` and `TokenAuth`, imported without what they need for what is never called.

jsonschema alone, by which oras checks manifests, takes longer to load than all the rest
(reference, section 1.2).
"""

from __future__ import annotations

import kitline.store.registry.light_requests  # noqa: F401  # before oras imports requests
from kitline.stand_in import standing_in

with (
    standing_in("gzip"),
    standing_in("inspect"),
    standing_in("jsonschema"),
    standing_in("platform"),
    standing_in("subprocess"),
    standing_in("tarfile"),
):
    from oras.auth.token import TokenAuth
    from oras.provider import Registry

__all__ = ["Registry", "TokenAuth"]
