"""Kitfile: what a kit says of itself, as frozen values.

Texts are empty where the file says nothing. `extra` holds keys that kitline does not know; they are
kept when a config is written again. Parts are what has a layer of its own.
"""

from __future__ import annotations

import posixpath
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any, Literal

from kitline.errors import InvalidReference
from kitline.frozen import dataclass
from kitline.kit.keys import key, layer_diff_id, layer_digest, text
from kitline.oci.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MANIFEST_VERSION = "1.0.0"

Drawer = Literal["model", "datasets", "code", "docs", "prompts", "mcpservers"]
Base = Literal["model", "modelpart", "code", "dataset", "docs", "mcpb"]


@dataclass(frozen=True, kw_only=True)
class _Object:
    """What every object of a Kitfile has."""

    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, kw_only=True)
class Package(_Object):
    """What the kit as a whole is called."""

    name: str = text("name", "Name of the kit")
    version: str = text("version", "Version of the kit")
    description: str = text("description", "What the kit is for")
    license: str = text("license", "Licence of the kit as a whole, best as an SPDX identifier")
    authors: tuple[str, ...] = key("authors", "texts", "Who made the kit")


@dataclass(frozen=True, kw_only=True)
class Part(_Object):
    """A further file or folder of the model, such as a tokenizer or an adapter."""

    name: str = text("name", "Name of the part")
    path: str = text("path", "File or folder, relative to the folder of the Kitfile")
    license: str = text("license", "Licence of the part")
    type: str = text("type", "What the part is, in letters, digits, '_', '.' and '-'")
    digest: str | None = layer_digest()
    diff_id: str | None = layer_diff_id()


@dataclass(frozen=True, kw_only=True)
class Model(_Object):
    """The model; `path` may be a reference to another kit that holds it."""

    name: str = text("name", "Name of the model")
    path: str = text(
        "path", "File or folder, relative to the folder of the Kitfile, or a reference to a kit"
    )
    license: str = text("license", "Licence of the model")
    framework: str = text("framework", "Framework that the model was made with")
    format: str = text("format", "Format of the model's files, such as onnx")
    version: str = text("version", "Version of the model")
    description: str = text("description", "What the model does")
    parts: tuple[Part, ...] = key("parts", "objects", "Further parts of the model", of="Part")
    parameters: Any = key("parameters", "free", "Anything else that should be known of the model")
    digest: str | None = layer_digest()
    diff_id: str | None = layer_diff_id()

    @property
    def is_remote(self) -> bool:
        """Whether the model lies in another kit, which `path` refers to."""
        return self.digest is None and is_reference(self.path)


@dataclass(frozen=True, kw_only=True)
class Code(_Object):
    """Source code."""

    path: str = text("path", "File or folder, relative to the folder of the Kitfile")
    description: str = text("description", "What the code does")
    license: str = text("license", "Licence of the code")
    digest: str | None = layer_digest()
    diff_id: str | None = layer_diff_id()


@dataclass(frozen=True, kw_only=True)
class Dataset(_Object):
    """Data, in the kit or, with `remote_path`, elsewhere."""

    name: str = text("name", "Name of the dataset")
    path: str = text("path", "File or folder, relative to the folder of the Kitfile")
    remote_path: str = text(
        "remotePath", "Where the data lies instead: 's3://bucket/key' or a reference to a kit"
    )
    remote_hash: str = text("remoteHash", "ETag of the S3 object, mandatory with 's3://'")
    description: str = text("description", "What the data is")
    license: str = text("license", "Licence of the data")
    parameters: Any = key("parameters", "free", "Anything else that should be known of the data")
    digest: str | None = layer_digest()
    diff_id: str | None = layer_diff_id()

    @property
    def is_remote(self) -> bool:
        """Whether the data lies elsewhere."""
        return bool(self.remote_path)


@dataclass(frozen=True, kw_only=True)
class Docs(_Object):
    """Documentation."""

    path: str = text("path", "File or folder, relative to the folder of the Kitfile", always=True)
    description: str = text("description", "What is documented")
    digest: str | None = layer_digest()
    diff_id: str | None = layer_diff_id()


@dataclass(frozen=True, kw_only=True)
class Prompt(_Object):
    """A prompt, or a folder of them."""

    name: str = text("name", "Name of the prompt")
    path: str = text("path", "File or folder, relative to the folder of the Kitfile")
    description: str = text("description", "What the prompt is for")
    digest: str | None = layer_digest()
    diff_id: str | None = layer_diff_id()


@dataclass(frozen=True, kw_only=True)
class McpServer(_Object):
    """An MCP server, packed as an MCP bundle."""

    name: str = text("name", "Name of the server, unique in the kit")
    path: str = text("path", "An '.mcpb' file, relative to the folder of the Kitfile")
    description: str = text("description", "What the server offers")
    digest: str | None = layer_digest()
    diff_id: str | None = layer_diff_id()


@dataclass(frozen=True, kw_only=True)
class KitPart:
    """One local entry of a Kitfile: what becomes a layer.

    `path` is spelled as in the Kitfile, `clean_path` as in the layer's annotation; `field` names
    the entry, such as `model.parts[1]`, and `index` is its place in its list.
    """

    drawer: Drawer
    base: Base
    name: str
    path: str
    field: str
    index: int = 0
    is_prompt: bool = False
    digest: str | None = None
    diff_id: str | None = None

    @property
    def clean_path(self) -> str:
        """The path as layers name it; `.` if the Kitfile says nothing."""
        return clean_path(self.path)


@dataclass(frozen=True, kw_only=True)
class Remote:
    """An entry whose content lies elsewhere; `target` is a reference or an `s3://` address."""

    drawer: Drawer
    name: str
    path: str
    field: str
    target: str
    hash: str = ""


@dataclass(frozen=True, kw_only=True)
class Kitfile(_Object):
    """What a kit says of itself."""

    manifest_version: str = text(
        "manifestVersion", "Version of this format", always=True, default=MANIFEST_VERSION
    )
    package: Package = key(
        "package", "object", "The kit as a whole", always=True, default=Package(), of="Package"
    )
    model: Model | None = key("model", "object", "The model", of="Model")
    code: tuple[Code, ...] = key("code", "objects", "Source code", of="Code")
    datasets: tuple[Dataset, ...] = key("datasets", "objects", "Data", of="Dataset")
    docs: tuple[Docs, ...] = key("docs", "objects", "Documentation", of="Docs")
    prompts: tuple[Prompt, ...] = key("prompts", "objects", "Prompts", of="Prompt")
    mcp_servers: tuple[McpServer, ...] = key(
        "mcpServers", "objects", "MCP servers, readable by kit 1.15 and newer", of="McpServer"
    )

    def parts(self) -> tuple[KitPart, ...]:
        """Return the local entries in the order of a manifest's layers."""
        return tuple(self._parts())

    def remotes(self) -> tuple[Remote, ...]:
        """Return the entries whose content lies elsewhere."""
        found = []
        if self.model and self.model.is_remote:
            model = self.model
            found.append(
                Remote(drawer="model", name=model.name, path="", field="model", target=model.path)
            )
        found += [
            Remote(
                drawer="datasets",
                name=each.name,
                path=each.path,
                field=f"datasets[{index}]",
                target=each.remote_path,
                hash=each.remote_hash,
            )
            for index, each in enumerate(self.datasets)
            if each.is_remote
        ]
        return tuple(found)

    def with_digests(self, digests: Mapping[str, tuple[str | None, str | None]]) -> Kitfile:
        """Return a copy with (digest, diff id) of the parts set, by `KitPart.field`.

        Entries that are not named keep what they have.
        """
        model = self.model
        if model:
            model = _with_digest(model, "model", digests)
            model = replace(model, parts=_all_with_digests(model.parts, "model.parts", digests))
        return replace(
            self,
            model=model,
            code=_all_with_digests(self.code, "code", digests),
            datasets=_all_with_digests(self.datasets, "datasets", digests),
            docs=_all_with_digests(self.docs, "docs", digests),
            prompts=_all_with_digests(self.prompts, "prompts", digests),
            mcp_servers=_all_with_digests(self.mcp_servers, "mcpServers", digests),
        )

    def _parts(self) -> Iterator[KitPart]:
        if self.model:
            # kit gives a model without a path no layer
            if self.model.path and not self.model.is_remote:
                yield _part(self.model, "model", "model", "model", 0)
            yield from _listed(self.model.parts, "model.parts", "model", "modelpart")
        yield from _listed(self.code, "code", "code", "code")
        yield from _listed(self.datasets, "datasets", "datasets", "dataset")
        yield from _listed(self.docs, "docs", "docs", "docs")
        yield from _listed(self.prompts, "prompts", "prompts", "code")
        yield from _listed(self.mcp_servers, "mcpServers", "mcpservers", "mcpb")


def clean_path(path: str) -> str:
    """Return the path cleaned as by Go's `filepath.Clean`: `./a/` is `a`, nothing is `.`."""
    cleaned = posixpath.normpath(path)
    return "/" + cleaned.lstrip("/") if cleaned.startswith("//") else cleaned


def is_reference(path: str) -> bool:
    """Tell whether a path means another kit: it holds `:` or `@` and reads as a reference."""
    if ":" not in path and "@" not in path:
        return False
    try:
        found = Reference.parse(path)
    except InvalidReference:
        return False
    # to kit a first segment without `.` and `:` is no registry: `D/r:1` is a path
    is_kit_like = found.registry in (None, "localhost") or any(c in found.registry for c in ".:")
    return is_kit_like and (found.tag is not None or found.digest is not None)


def _listed(
    entries: Iterable[Part | Code | Dataset | Docs | Prompt | McpServer],
    name: str,
    drawer: Drawer,
    base: Base,
) -> Iterator[KitPart]:
    for index, entry in enumerate(entries):
        if not (isinstance(entry, Dataset) and entry.is_remote):
            yield _part(entry, f"{name}[{index}]", drawer, base, index)


def _part(entry: Any, name: str, drawer: Drawer, base: Base, index: int) -> KitPart:
    return KitPart(
        drawer=drawer,
        base=base,
        name=getattr(entry, "name", ""),  # code and docs have no name
        path=entry.path,
        field=name,
        index=index,
        is_prompt=drawer == "prompts",
        digest=entry.digest,
        diff_id=entry.diff_id,
    )


def _all_with_digests(entries: tuple[Any, ...], name: str, digests: Mapping[str, Any]) -> Any:
    return tuple(_with_digest(each, f"{name}[{n}]", digests) for n, each in enumerate(entries))


def _with_digest(entry: Any, name: str, digests: Mapping[str, Any]) -> Any:
    if name not in digests:
        return entry
    digest, diff_id = digests[name]
    return replace(
        entry,
        digest=None if digest is None else str(digest),
        diff_id=None if diff_id is None else str(diff_id),
    )
