"""Prompts as files of a kit: canonical JSON with what cannot change of a version.

    {"name": "greeting", "template": "Dear {{name}}", "type": "text", "version": 2}

`type` is `text` or `chat` (then the template is a list of messages); `response_format` and, where
the kit is that of the prompt alone, `model_config` are there if the prompt has them.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kitline.errors import SourceError, UsageError
from kitline.plugin import Prompt, bytes_entry

from kitline_mlflow.facts_history import canonical
from kitline_mlflow.source import PromptSource, parse_source

if TYPE_CHECKING:
    from kitline.plugin import Entry
    from mlflow.entities.model_registry import PromptVersion

    from kitline_mlflow.server import Server

FOLDER = "prompts"
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,200}\Z", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class PromptFile:
    """One version of a prompt."""

    name: str
    version: int
    template: str | list[dict[str, Any]]
    response_format: Any = None
    model_config: Any = None

    @classmethod
    def from_json(cls, text: bytes, what: str) -> PromptFile:
        """Read what `to_json` wrote.

        Raises:
            SourceError: if it is something else.
        """
        try:
            fields = json.loads(text)
            template = fields["template"]
            if not isinstance(template, str | list):
                raise TypeError("'template' is neither a text nor a list")
            return cls(
                name=str(fields["name"]),
                version=int(fields["version"]),
                template=template,
                response_format=fields.get("response_format"),
                model_config=fields.get("model_config"),
            )
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as cause:
            raise SourceError(f"{what} is no prompt: {cause}") from cause

    def to_json(self) -> bytes:
        """Return the file's bytes."""
        fields: dict[str, Any] = {
            "name": self.name,
            "version": self.version,
            "type": "text" if isinstance(self.template, str) else "chat",
            "template": self.template,
        }
        if self.response_format is not None:
            fields["response_format"] = self.response_format
        if self.model_config is not None:
            fields["model_config"] = self.model_config
        return canonical(fields).encode() + b"\n"

    @property
    def path(self) -> str:
        """Where it lies in the kit."""
        return f"{FOLDER}/{self.name}-v{self.version}.json"

    def entry(self) -> Entry:
        """Return the file."""
        return bytes_entry(self.path, self.to_json())

    def part(self) -> Prompt:
        """Return what the Kitfile says of it."""
        return Prompt(name=self.name, path=self.path, description=f"version {self.version}")


def read_prompt(server: Server, source: PromptSource, *, whole: bool) -> PromptFile:
    """Read a prompt from MLflow; `whole` takes the model's configuration, which may change, too.

    Raises:
        SourceError: if it is not there.
    """
    return prompt_file(server.get_prompt(source.name, source.version, source.alias), whole=whole)


def prompt_file(found: PromptVersion, *, whole: bool) -> PromptFile:
    """Return a version of a prompt as a file."""
    if not _NAME.match(found.name) or ".." in found.name:
        raise SourceError(f"the prompt {found.name!r} has a name that cannot be a file")
    config: Any = found.model_config if whole else None
    return PromptFile(
        name=found.name,
        version=int(found.version),
        template=found.template,
        response_format=found.response_format,
        model_config=config.to_dict() if hasattr(config, "to_dict") else config,
    )


def read_linked(server: Server, uris: tuple[str, ...], what: str) -> tuple[PromptFile, ...]:
    """Return the prompts that a model was logged with.

    Raises:
        SourceError: if one is gone: without it the kit would not be the same.
    """
    found = []
    for uri in uris:
        try:
            source = parse_source(uri)
            if not isinstance(source, PromptSource):
                raise UsageError(f"{uri!r} names no prompt")
            found.append(read_prompt(server, source, whole=False))
        except (SourceError, UsageError) as cause:
            raise SourceError(
                f"{what} was logged with {uri!r}: {cause}; leave prompts out with"
                " '-o drawers=model,code'"
            ) from cause
    return tuple(sorted(found, key=lambda each: each.path))
