"""oras' `Registry`, imported without jsonschema, which takes longer to load than all the rest.

oras checks manifests with it in functions that kitline never calls (reference, section 1.2). A
stand-in takes its place while oras is imported, and loads the real one should it ever be used.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType

_HEAVY = "jsonschema"


class _StandIn(ModuleType):
    def __getattr__(self, name: str) -> object:
        return getattr(import_module(_HEAVY), name)


if _HEAVY in sys.modules:
    from oras.provider import Registry
else:
    sys.modules[_HEAVY] = _StandIn(_HEAVY)
    try:
        from oras.provider import Registry
    finally:
        del sys.modules[_HEAVY]

__all__ = ["Registry"]
