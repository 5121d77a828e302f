"""The kit of a prompt: one version, with all that MLflow keeps of it but tags and aliases."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kitline.plugin import Collected, FileTree, Kitfile, Origin

from kitline_mlflow.options import RECIPE
from kitline_mlflow.prompt_file import prompt_file

if TYPE_CHECKING:
    from kitline_mlflow.server import Server
    from kitline_mlflow.source import PromptSource

PROMPT = "io.kitline.mlflow.prompt"
"""The prompt that a kit holds, such as `prompts:/greeting/2`."""


def collect_prompt(server: Server, source: PromptSource) -> Collected:
    """Collect a version of a prompt.

    Raises:
        SourceError: if it is not there.
    """
    found = server.get_prompt(source.name, source.version, source.alias)
    file = prompt_file(found, whole=True)
    canonical = f"prompts:/{file.name}/{file.version}"
    made = found.creation_timestamp
    return Collected(
        tree=FileTree(kitfile=Kitfile(prompts=(file.part(),)), files=(file.entry(),)),
        recipe=RECIPE,
        annotations={PROMPT: canonical},
        created=datetime.fromtimestamp(made // 1000, UTC) if made else None,
        origin=Origin(importer="mlflow", source=canonical, server=server.name),
    )
