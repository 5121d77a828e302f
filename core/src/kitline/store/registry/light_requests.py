"""requests, imported without the library by which it guesses how texts are encoded.

No answer of a registry is read as text, and loading that library's tables takes a twentieth of the
time until a command sends its first byte.
"""

from __future__ import annotations

from kitline.store.registry.stand_in import standing_in

with standing_in("charset_normalizer", version_from="version"):
    import requests
    import requests.adapters

__all__ = ["requests"]
