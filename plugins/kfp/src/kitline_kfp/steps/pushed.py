"""What a step hands on: the digest, and what it leaves in the artifact of the kit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from kitline.plugin import Receipt

MEDIA_TYPE = "application/vnd.kitline.receipt.v1+json"


class StepArtifact(Protocol):
    """A KFP artifact, as `Input[...]` and `Output[...]` give it to a step."""

    uri: str
    metadata: dict[str, Any]

    @property
    def path(self) -> str:
        """Where its file or folder lies in the step."""


class Pushed(NamedTuple):
    """The outputs of a step that makes or names a kit; KFP takes it as the return value."""

    digest: str
    """Bare, `sha256:…`."""
    reference: str
    """Pinned, `registry/repository@sha256:…`."""


def leave_receipt(kit: StepArtifact | None, pushed: Pushed, receipt: Receipt | None) -> Pushed:
    """Write the receipt to the path of an output artifact, and the digest into its metadata.

    The artifact keeps the uri that its store gave it: to KFP, `oci://` means an image that runs.
    """
    if kit is None:
        return pushed
    content = receipt.to_json() if receipt else {"digest": pushed[0], "reference": pushed[1]}
    write_json(kit, content)
    # flat texts only: clusters bring numbers and lists back as something else
    kit.metadata["oci_digest"] = pushed.digest
    kit.metadata["oci_reference"] = pushed.reference
    kit.metadata["media_type"] = MEDIA_TYPE
    return pushed


def write_json(artifact: StepArtifact, content: Mapping[str, Any]) -> None:
    """Write JSON to the path of an output artifact."""
    path = Path(artifact.path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
