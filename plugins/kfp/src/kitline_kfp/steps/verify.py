"""Verify in a step: the pipeline goes on only with a kit that somebody trusted has signed."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import kitline

from kitline_kfp.steps.failure import speaks_plainly
from kitline_kfp.steps.pushed import Pushed, write_json
from kitline_kfp.steps.target import require_pinned

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kitline_kfp.steps.pushed import StepArtifact

_PEM = "-----BEGIN "


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
    more: dict[str, Any] = {"policy": policy} if policy else {}
    with _key_file(key) as source:
        result = kitline.verify(
            name,
            key=source or None,
            identity=identity or None,
            issuer=issuer or None,
            attestations=tuple(attestations),
            signature=signature,
            **more,
        )
    if report is not None:
        write_json(report, result.to_json())
        report.metadata["oci_digest"] = str(result.digest)
        report.metadata["oci_reference"] = str(result.reference)
    return Pushed(digest=str(result.digest), reference=str(result.reference))


@contextmanager
def _key_file(key: str) -> Iterator[str]:
    """Give a key that came as text a file for as long as it is needed; it is public."""
    if not key.lstrip().startswith(_PEM):
        yield key
        return
    with tempfile.TemporaryDirectory(prefix="kitline-key-") as folder:
        path = os.path.join(folder, "key.pem")
        with open(path, "w", encoding="utf-8") as file:
            file.write(key)
        yield path
