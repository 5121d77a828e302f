"""Promote: a stage such as `production` points at a kit from now on, on record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from kitline_airflow.inputs import repeated
from kitline_airflow.operators.kit_input import KitInputOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kitline_airflow.errand import Errand


class ModelKitPromoteOperator(KitInputOperator):
    """Promotes a kit to a stage; what the stage holds already is not recorded again.

    XCom has `stage`, `seq`, `record`, `previous` and `changed` too. With `partition_by_digest` the
    outlets' events have the key `<stage>:<seq>:<digest>`, so that a rollback starts a run as well.

    Args:
        stage: A tag such as `production`.
        reason: Why, for the record.
        require: What has to hold, else nothing moves: `signed`, `attestation:TYPE`,
            `metric:NAME:ge:0.9`, `newer-than:STAGE`.
        check: A shell command that is run afterwards; if it fails, the stage is rolled back.
        target: A repository of the stage's own; the kit is copied there.
        key: The private key that signs the record: a file or a KMS address, no secret.
        verify_key: The public key that what `require` asks for has to verify with.
    """

    template_fields: Sequence[str] = (
        *KitInputOperator.shared_fields,
        "stage",
        "reason",
        "require",
        "check",
        "target",
        "key",
        "verify_key",
    )
    more_xcoms: ClassVar[tuple[str, ...]] = ("stage", "seq", "record", "previous", "changed")

    def __init__(
        self,
        *,
        stage: str,
        reason: str = "",
        require: list[str] | None = None,
        check: str | None = None,
        target: str | None = None,
        key: str | None = None,
        verify_key: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.stage = stage
        self.reason = reason
        self.require = require
        self.check = check
        self.target = target
        self.key = key
        self.verify_key = verify_key

    def call(self, errand: Errand) -> Any:
        import kitline

        return kitline.promote(
            self.kit(errand),
            self.stage,
            reason=self.reason,
            require=tuple(self.require or ()),
            check=self.check,
            to=errand.locate(self.target) if self.target else None,
            key=self.key,
            verify_key=self.verify_key,
            invocation=errand.invocation,
            settings=errand.settings,
        )

    def words(self, errand: Errand) -> list[str]:
        given = {
            "--reason": self.reason,
            "--check": self.check,
            "--to": errand.locate(self.target) if self.target else None,
            "--key": self.key,
            "--verify-key": self.verify_key,
        }
        chosen = [word for flag, value in given.items() if value for word in (flag, value)]
        return [
            "promote",
            self.kit(errand),
            self.stage,
            *repeated("--require", list(self.require or ())),
            *chosen,
        ]
