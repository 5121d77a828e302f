"""verify_modelkit: the pipeline goes on only with a kit that somebody trusted has signed."""

from typing import List, NamedTuple, Optional, Sequence

from kfp.dsl import Artifact, Output

from kitline_kfp.components.factory import make_component


def verify_modelkit(
    modelkit: str,
    report: Output[Artifact],
    key: str = "",
    identity: str = "",
    issuer: str = "",
    attestations: List[str] = [],
    signature: bool = True,
    policy: str = "",
) -> NamedTuple("Outputs", [("digest", str), ("reference", str)]):  # type: ignore[valid-type]
    """Verify that a ModelKit, named by digest, is signed; the step fails if it is not.

    Take the outputs of this task in the steps behind it, so that they wait for the answer.

    Switch KFP's cache off for this task: what was trusted once may be revoked. The function
    kitline_kfp.verify_modelkit does so; this form cannot carry the flag.

    Args:
        modelkit: registry/repository@sha256:…
        report: What was verified, as JSON.
        key: A public key: its PEM text, a file, env://VARIABLE, or the URI of a key service.
        identity: Who signed, instead of a key (keyless).
        issuer: Who vouches for that identity.
        attestations: Types that the same authority has to attest to, such as evaluation.
        signature: Whether the kit has to be signed; false to ask for attestations only.
        policy: A policy file that the kit has to obey too.
    """
    from kitline_kfp import steps

    return steps.verify(
        modelkit,
        key=key,
        identity=identity,
        issuer=issuer,
        attestations=attestations,
        signature=signature,
        policy=policy,
        report=report,
    )


def verify_modelkit_component(
    base_image: Optional[str] = None, packages_to_install: Optional[Sequence[str]] = None
) -> object:
    """Return the component; `packages_to_install=()` installs nothing, for local tests."""
    return make_component(
        verify_modelkit,
        base_image=base_image,
        packages_to_install=packages_to_install,
        extra=("kitline[sigstore]",),
    )
