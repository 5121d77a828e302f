"""Prompts of a kit: read from its layers, verified, without a file on disk.

A prompt is a JSON object with `template` (a text, or a list of chat messages), or any other text
file, which is the template itself. `name` is the JSON's, else the Kitfile's, else the file's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from kitline.errors import NotFound, SourceError
from kitline.plugin import kit_layers, read_kit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kitline.plugin import Kit, KitPart

LIMIT = 1 << 20
"""Most bytes of a prompt's file."""
_COUNT = 10_000


@dataclass(frozen=True, kw_only=True)
class KitPrompt:
    """A prompt in a kit."""

    name: str
    path: str
    """Its file in the kit."""
    template: str | list[dict[str, Any]] = field(hash=False)
    version: int = 1
    """The number that it had where it came from; 1 if that is not known."""
    message: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict, hash=False)
    response_format: Mapping[str, Any] | None = field(default=None, hash=False)
    model_config: Mapping[str, Any] | None = field(default=None, hash=False)


def read_prompts(kit: Kit) -> tuple[KitPrompt, ...]:
    """Return the prompts of a kit in the Kitfile's order.

    Raises:
        SourceError: if a file in the drawer is too large or no text.
        VerificationError: if a layer is not what the manifest promises.
    """
    found: list[KitPrompt] = []
    for part, _ in kit_layers(kit, select=lambda part: part.drawer == "prompts"):
        sink = _Texts(str(kit.reference))
        read_kit(kit, sink, select=lambda each, field=part.field: each.field == field)  # type: ignore[misc]
        found += [_prompt(part, path, sink.texts[path]) for path in sorted(sink.texts)]
    return tuple(found)


def get_prompt(kit: Kit, name: str, version: int | None = None) -> KitPrompt:
    """Return the prompt of a name; of several versions the highest unless one is asked for.

    Raises:
        NotFound: naming the prompts that there are.
    """
    prompts = read_prompts(kit)
    named = [each for each in prompts if each.name == name and version in (None, each.version)]
    if not named:
        known = ", ".join(sorted({f"{each.name} (version {each.version})" for each in prompts}))
        asked = name if version is None else f"{name} (version {version})"
        raise NotFound(f"{kit.reference} has no prompt {asked!r}; it has {known or 'none'}")
    return max(named, key=lambda each: each.version)


def _prompt(part: KitPart, path: str, content: bytes) -> KitPrompt:
    try:
        text = content.decode()
    except UnicodeDecodeError as cause:
        raise SourceError(f"{part.field}: {path!r} is no text: {cause}") from cause
    file = PurePosixPath(path)
    name = part.name if part.name and path == part.clean_path else file.stem
    described = _json(text) if file.suffix == ".json" else None
    if described is None:
        return KitPrompt(name=name, path=path, template=text)
    template = described["template"]
    if not isinstance(template, str) and not _is_chat(template):
        raise SourceError(f"{part.field}: 'template' of {path!r} is neither a text nor messages")
    version = str(described.get("version"))
    tags = _mapping(described.get("tags")) or {}
    return KitPrompt(
        name=_text(described, "name") or name,
        path=path,
        template=template,
        version=int(version) if version.isascii() and version.isdecimal() else 1,
        message=_text(described, "commit_message"),
        tags={str(key): str(value) for key, value in tags.items()},
        response_format=_mapping(described.get("response_format")),
        model_config=_mapping(described.get("model_config")),
    )


def _json(text: str) -> dict[str, Any] | None:
    """Return what a prompt's JSON says; None if the JSON is the template itself."""
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) and "template" in parsed else None


def _is_chat(template: object) -> bool:
    return (
        isinstance(template, list)
        and bool(template)
        and all(isinstance(each, dict) and "role" in each for each in template)
    )


def _mapping(value: object) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None


def _text(fields: Mapping[str, Any], key: str) -> str | None:
    found = fields.get(key)
    return found if isinstance(found, str) and found else None


class _Texts:
    """Keeps the files of a drawer that is known to be small."""

    def __init__(self, what: str) -> None:
        self.texts: dict[str, bytes] = {}
        self._what = what
        self._path = ""
        self._buffer = bytearray()

    def add_folder(self, path: str, mode: int) -> None:
        """Folders say nothing."""

    def begin_file(self, path: str, mode: int, size: int) -> None:
        """Refuse what is no prompt by its size."""
        if size > LIMIT or len(self.texts) >= _COUNT:
            raise SourceError(
                f"cannot read {path!r} in the prompts of {self._what!r}: a prompt has at most"
                f" {LIMIT} bytes, and a kit {_COUNT} of them"
            )
        self._path, self._buffer = path, bytearray()

    def write(self, view: memoryview) -> None:
        """Keep the bytes; raw layers tell no size beforehand."""
        self._buffer += view
        if len(self._buffer) > LIMIT:
            raise SourceError(f"{self._path!r} in the prompts of {self._what!r} is too large")

    def end_file(self) -> None:
        """Take note of a whole file."""
        self.texts[self._path] = bytes(self._buffer)
