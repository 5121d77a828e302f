"""Verify in a step: the pipeline goes on only with a kit that somebody trusted has signed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import kitline

from kitline_kfp.steps.failure import speaks_plainly
from kitline_kfp.steps.keys import key_source
from kitline_kfp.steps.pushed import Pushed, write_json
from kitline_kfp.steps.target import require_pinned
from kitline_kfp.steps.values import texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kitline_kfp.steps.pushed import StepArtifact


@speaks_plainly
def verify(
    reference: str,
    *,
    key: str = "",
    identity: str = "",
    issuer: str = "",
    attestations: Sequence[str] = (),
    signature: bool = True,
    policy: str = "",
    report: StepArtifact | None = None,
) -> Pushed:
    """Verify a kit, named by digest, and hand the same name on.

    Args:
        reference: With a digest.
        key: A public key: its PEM text, a file, `env://VARIABLE`, or the URI of a key service.
        identity: Who signed, instead of a key (keyless).
        issuer: Who vouches for that identity.
        attestations: Types that the same authority has to attest to, such as `evaluation`.
        signature: Whether the kit has to be signed.
        policy: A policy file that the kit has to obey too.
        report: An output artifact that gets what was verified as JSON.

    Raises:
        NotSigned: if a signature or attestation is missing or fails a check.
        PolicyError: if a policy refuses the kit.
        NotFound: if the kit is not there any more.
    """
    name = require_pinned(reference)
    with key_source(key) as source:
        result = kitline.verify(
            name,
            key=source,
            identity=identity or None,
            issuer=issuer or None,
            attestations=tuple(texts(attestations, "attestations")),
            signature=signature,
            policy=policy or None,
        )
    if report is not None:
        write_json(report, result.to_json())
        report.metadata["oci_digest"] = str(result.digest)
        report.metadata["oci_reference"] = str(result.reference)
    return Pushed(digest=str(result.digest), reference=str(result.reference))
