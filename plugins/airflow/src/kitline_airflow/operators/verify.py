"""Verify: a task that fails unless a kit is signed by whom one trusts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from kitline_airflow.inputs import repeated
from kitline_airflow.operators.kit_input import KitInputOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kitline_airflow.errand import Errand


class ModelKitVerifyOperator(KitInputOperator):
    """Fails, without retries, unless a kit verifies; XCom `verifiedWith` says by whom.

    Args:
        key: The public key that has to have signed.
        identity: Instead (keyless): who has to have signed, with `issuer`.
        issuer: Who has to have vouched for `identity`.
        trusted_root: Roots of a sigstore instance of your own, a JSON file.
        attestations: Types that have to be attested to as well.
        signature: Whether the kit itself has to be signed.
        policy: A policy file that has to allow the kit.
    """

    template_fields: Sequence[str] = (
        *KitInputOperator.shared_fields,
        "key",
        "identity",
        "issuer",
        "trusted_root",
        "attestations",
        "policy",
    )
    more_xcoms: ClassVar[tuple[str, ...]] = ("verifiedWith",)

    def __init__(
        self,
        *,
        key: str | None = None,
        identity: str | None = None,
        issuer: str | None = None,
        trusted_root: str | None = None,
        attestations: list[str] | None = None,
        signature: bool = True,
        policy: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.key = key
        self.identity = identity
        self.issuer = issuer
        self.trusted_root = trusted_root
        self.attestations = attestations
        self.signature = signature
        self.policy = policy

    def call(self, errand: Errand) -> Any:
        import kitline

        return kitline.verify(
            self.kit(errand),
            key=self.key,
            identity=self.identity,
            issuer=self.issuer,
            trusted_root=self.trusted_root,
            attestations=tuple(self.attestations or ()),
            signature=self.signature,
            policy=self.policy,
            settings=errand.settings,
        )

    def words(self, errand: Errand) -> list[str]:
        given = {
            "--key": self.key,
            "--certificate-identity": self.identity,
            "--certificate-oidc-issuer": self.issuer,
            "--trusted-root": self.trusted_root,
            "--policy": self.policy,
        }
        chosen = [word for flag, value in given.items() if value for word in (flag, value)]
        return [
            "verify",
            self.kit(errand),
            *chosen,
            *repeated("--attestation", list(self.attestations or ())),
            *([] if self.signature else ["--no-signature"]),
        ]
