"""A kit's prompts as MLflow's prompt objects, by digest and without a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline_mlflow import tags
from kitline_mlflow.prompts_kit import get_prompt

if TYPE_CHECKING:
    from mlflow.entities.model_registry import PromptVersion


def load_prompt(reference: str, name: str, *, version: int | None = None) -> PromptVersion:
    """Return a prompt of a kit, such as `modelkit://reg.example/team/qa@sha256:…`.

    It is MLflow's own object, so `.format(question=…)` works; nothing is registered. Of several
    versions of one name in the kit the highest is returned, unless `version` asks for another.

    Raises:
        InvalidReference: if the address is none.
        NotFound: if there is no such kit, or no such prompt in it.
        VerificationError: if content is not what its digest promises.
    """
    import kitline
    from mlflow.entities.model_registry import PromptVersion

    from kitline_mlflow.policy import settings_for
    from kitline_mlflow.uri import ModelkitURI

    uri = ModelkitURI.parse(reference if "://" in reference else f"{_scheme(reference)}{reference}")
    with kitline.open_kit(uri.reference, settings=settings_for(uri)) as kit:
        found = get_prompt(kit, name, version)
        digest = kit.manifest.digest
    return PromptVersion(  # type: ignore[abstract] # MLflow itself makes them so
        name=found.name,
        version=found.version,
        template=found.template,
        commit_message=found.message,
        tags={**found.tags, tags.DIGEST: str(digest)},
        response_format=dict(found.response_format) if found.response_format else None,
        model_config=dict(found.model_config) if found.model_config else None,
    )


def _scheme(reference: str) -> str:
    """Return what turns a plain reference into an address; the local store has no host."""
    from kitline.plugin import Reference

    return "modelkit:///" if Reference.parse(reference).registry is None else "modelkit://"
