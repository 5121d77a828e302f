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
EVALUATION = "https://kitline.io/evaluation/v1"
"""How well a kit did: metrics, the data it was measured with, a verdict."""
REVOCATION = "https://kitline.io/revocation/v1"
"""A kit is not to be used any more, nor what was made from it: `reason`."""
CLASSIFICATION = "https://kitline.io/classification/v1"
"""Whose a kit is, and who may see it: `owner`, `sensitivity`."""
MLFLOW_RUN = "https://kitline.io/mlflow-run/v1"
CYCLONEDX = "https://cyclonedx.org/bom"

SHORT_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "provenance": PROVENANCE,
        "evaluation": EVALUATION,
        "revocation": REVOCATION,
        "classification": CLASSIFICATION,
        "mlflow-run": MLFLOW_RUN,
        "slsaprovenance1": PROVENANCE,
        "slsaprovenance02": "https://slsa.dev/provenance/v0.2",
        "slsaprovenance": "https://slsa.dev/provenance/v0.2",
        "spdx": "https://spdx.dev/Document",
        "spdxjson": "https://spdx.dev/Document",
        "cyclonedx": CYCLONEDX,
        "link": "https://in-toto.io/Link/v1",
        "vuln": "https://cosign.sigstore.dev/attestation/vuln/v1",
        "openvex": "https://openvex.dev/ns",
        "custom": "https://cosign.sigstore.dev/attestation/v1",
    }
)
"""The names that `cosign attest --type` knows, and our own."""


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
