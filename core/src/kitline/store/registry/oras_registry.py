"""oras' `Registry`, imported without jsonschema, which takes longer to load than all the rest.

oras checks manifests with it in functions that kitline never calls (reference, section 1.2).
"""

from __future__ import annotations

from kitline.store.registry.stand_in import standing_in

with standing_in("jsonschema"):
    from oras.provider import Registry

__all__ = ["Registry"]
