"""What `log_model` returns: MLflow's ModelInfo with the kit's digest and reference.

Imported only where MLflow is in use anyway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlflow.models.model import ModelInfo

if TYPE_CHECKING:
    from kitline.plugin import Digest, PinnedReference, Receipt

    from kitline_mlflow.register import RegisteredVersion


class ModelKitInfo(ModelInfo):
    """A logged model and its kit; `digest`, `reference` and `receipt` are None if none landed."""

    digest: Digest | None = None
    reference: PinnedReference | None = None
    receipt: Receipt | None = None
    version: RegisteredVersion | None = None
    """The version of a registered model, if one was asked for."""
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, info: ModelInfo) -> ModelKitInfo:
        """Return MLflow's value as this one, without a kit yet."""
        made = cls.__new__(cls)
        made.__dict__.update(info.__dict__)
        return made
