"""Predicate types: what a statement is about, as URIs and under cosign's short names."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from kitline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

SIGNATURE = "https://sigstore.dev/cosign/sign/v1"
"""What makes a statement a signature of the artifact; nothing else counts as one."""
PROVENANCE = "https://slsa.dev/provenance/v1"

SHORT_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "provenance": PROVENANCE,
        "slsaprovenance1": PROVENANCE,
        "slsaprovenance02": "https://slsa.dev/provenance/v0.2",
        "slsaprovenance": "https://slsa.dev/provenance/v0.2",
        "spdx": "https://spdx.dev/Document",
        "spdxjson": "https://spdx.dev/Document",
        "cyclonedx": "https://cyclonedx.org/bom",
        "link": "https://in-toto.io/Link/v1",
        "vuln": "https://cosign.sigstore.dev/attestation/vuln/v1",
        "openvex": "https://openvex.dev/ns",
        "custom": "https://cosign.sigstore.dev/attestation/v1",
    }
)
"""The names that `cosign attest --type` knows, and `provenance`."""


def predicate_type(text: str) -> str:
    """Return the URI of a predicate type, given as URI or short name.

    Raises:
        UsageError: if it is neither.
    """
    found = SHORT_NAMES.get(text, text)
    if "://" not in found or any(each.isspace() for each in found):
        raise UsageError(
            f"unknown type {text!r}; write a URI such as {PROVENANCE!r}, or one of"
            f" {', '.join(SHORT_NAMES)}"
        )
    return found
