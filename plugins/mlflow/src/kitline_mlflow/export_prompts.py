"""A kit's prompts become prompt versions at a server, each once per kit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kitline.errors import SourceError
from kitline.plugin import ExportResult, PinnedReference

from kitline_mlflow import tags
from kitline_mlflow.prompts_kit import read_prompts

if TYPE_CHECKING:
    from kitline.plugin import Kit

    from kitline_mlflow.export_options import ExportOptions
    from kitline_mlflow.export_server import TargetServer
    from kitline_mlflow.prompts_kit import KitPrompt

PATH = "kitline.prompt.path"
"""On a prompt version: its file in the kit, since a kit may hold several versions of one name."""
_IS_PROMPT = "mlflow.prompt.is_prompt"
_NAME = re.compile(r"[A-Za-z0-9._-]+\Z", re.ASCII)


def export_prompts(kit: Kit, options: ExportOptions, server: TargetServer) -> list[ExportResult]:
    """Register each prompt; the aliases point at the highest version of each name.

    Raises:
        SourceError: if a prompt has a name that MLflow does not take, or is no text.
        TargetError: if the server refuses.
    """
    prompts = sorted(read_prompts(kit), key=lambda each: (each.name, each.version, each.path))
    for each in prompts:
        if not _NAME.match(each.name):
            raise SourceError(
                f"MLflow takes no prompt named {each.name!r} ({each.path!r} in the kit): use"
                " letters, digits, '.', '_' and '-' for the prompt's name in the Kitfile, or leave"
                " prompts out with '-o prompts=false'"
            )
    last = {each.name: each for each in prompts}
    return [_export(kit, each, server, _aliases(each, last, options)) for each in prompts]


def _aliases(
    prompt: KitPrompt, last: dict[str, KitPrompt], options: ExportOptions
) -> tuple[str, ...]:
    return options.aliases if last[prompt.name] is prompt else ()


def _export(
    kit: Kit, prompt: KitPrompt, server: TargetServer, aliases: tuple[str, ...]
) -> ExportResult:
    with server.explained(f"register the prompt {prompt.name!r}"):
        version = _find(kit, prompt, server)
        existed = version is not None
        if version is None:
            version = _register(kit, prompt, server)
        wrong = [each for each in aliases if _pointing(server, prompt.name, each) != version]
        for alias in wrong:
            server.client.set_prompt_alias(prompt.name, alias, version)
    return ExportResult(target=f"prompts:/{prompt.name}/{version}", existed=existed and not wrong)


def _pointing(server: TargetServer, name: str, alias: str) -> int | None:
    """Return the version that an alias points at; MLflow raises where there is none."""
    from mlflow.exceptions import MlflowException

    try:
        found = server.client.get_prompt_version_by_alias(name, alias)
    except MlflowException:
        return None
    return None if found is None else int(found.version)


def _find(kit: Kit, prompt: KitPrompt, server: TargetServer) -> int | None:
    query = f"tags.`{tags.DIGEST}` = '{kit.manifest.digest}' AND tags.`{_IS_PROMPT}` = 'true'"
    token = None
    while True:
        page = server.client.search_model_versions(query, page_token=token)
        for each in page:
            if each.name == prompt.name and each.tags.get(PATH) == prompt.path:
                return int(each.version)
        token = page.token
        if not token:
            return None


def _register(kit: Kit, prompt: KitPrompt, server: TargetServer) -> int:
    named = {tags.DIGEST: str(kit.manifest.digest), PATH: prompt.path}
    if isinstance(kit.reference, PinnedReference):
        named[tags.REFERENCE] = str(kit.reference)
    made = server.client.register_prompt(
        name=prompt.name,
        template=prompt.template,
        commit_message=prompt.message,
        tags={**prompt.tags, **named},
        response_format=dict(prompt.response_format) if prompt.response_format else None,
        model_config=dict(prompt.model_config) if prompt.model_config else None,
    )
    return int(made.version)
