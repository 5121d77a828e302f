"""Reading ModelPacks: a Kitfile from the annotation that kit leaves, else from the layers.

Sources: ModelPack specification 0.0.7; kit 1.15.0 for what is read into a Kitfile.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from kitline.errors import InvalidConfig, InvalidDigest
from kitline.kit.kit_config import from_config
from kitline.kit.kitfile import Code, Dataset, Docs, Kitfile, Model, Package, Part, Prompt
from kitline.kit.layer_kind import find_filepath, is_prompt_layer, layer_kind
from kitline.oci import media_types
from kitline.oci.digest import Digest
from kitline.oci.json import decode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kitline.oci.descriptor import Descriptor


def kitfile_from_modelpack(
    config: bytes, layers: Sequence[Descriptor], annotations: Mapping[str, str]
) -> Kitfile:
    """Return the Kitfile of a ModelPack, with the digest and the diff id of each entry.

    Of several weights the first is the model and the others are its parts, as kit reads them;
    without weights there is no model, where kit crashes. Diff ids are what the config claims:
    kit 1.10 to 1.14 wrote wrong ones.

    Raises:
        InvalidConfig: if the config or a layer cannot be understood.
    """
    if text := annotations.get(media_types.KITFILE):
        try:
            return from_config(text.encode("utf-8", "surrogatepass"))
        except InvalidConfig as cause:
            raise InvalidConfig(f"annotation {media_types.KITFILE!r}: {cause}") from cause
    fields = _read_config(config)
    entries = _entries(layers, _diff_ids(fields))
    return Kitfile(
        package=_package(fields),
        model=_model(fields, entries["model"], entries["modelpart"]),
        code=tuple(Code(**each) for each in entries["code"]),
        datasets=tuple(Dataset(**each) for each in entries["dataset"]),
        docs=tuple(Docs(**each) for each in entries["docs"]),
        prompts=tuple(Prompt(**each) for each in entries["prompt"]),
    )


def _read_config(config: bytes) -> dict[str, Any]:
    try:
        fields = decode(config)
    except ValueError as cause:
        raise InvalidConfig(f"the ModelPack's config is not valid JSON: {cause}") from cause
    if not isinstance(fields, dict):
        raise InvalidConfig("the ModelPack's config is not a JSON object")
    return fields


def _diff_ids(fields: dict[str, Any]) -> tuple[str, ...]:
    texts = _texts(_object(fields, "modelfs"), "modelfs", "diffIds")
    for index, text in enumerate(texts):
        try:
            Digest(text)
        except InvalidDigest as cause:
            raise InvalidConfig(f"modelfs.diffIds[{index}]: {cause}") from cause
    return texts


def _package(fields: dict[str, Any]) -> Package:
    said = _object(fields, "descriptor")
    return Package(
        name=_text(said, "descriptor", "name") or _text(said, "descriptor", "title"),
        version=_text(said, "descriptor", "version"),
        description=_text(said, "descriptor", "description"),
        license=" AND ".join(_texts(said, "descriptor", "licenses")),
        authors=_texts(said, "descriptor", "authors"),
    )


def _model(
    fields: dict[str, Any], weights: list[dict[str, Any]], others: list[dict[str, Any]]
) -> Model | None:
    parts = tuple(Part(**each) for each in (*weights[1:], *others))
    if not weights and not parts:
        return None
    model_format = _text(_object(fields, "config"), "config", "format")
    return Model(**(weights[0] if weights else {}), format=model_format, parts=parts)


def _entries(
    layers: Sequence[Descriptor], diff_ids: tuple[str, ...]
) -> dict[str, list[dict[str, Any]]]:
    """Return path, digest and diff id of each layer, by what the layer holds."""
    if diff_ids and len(diff_ids) != len(layers):
        raise InvalidConfig(
            f"the ModelPack's config names {len(diff_ids)} diffIds for {len(layers)} layers"
        )
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for index, layer in enumerate(layers):
        kind = layer_kind(layer.media_type)
        if kind is None:
            raise InvalidConfig(
                f"layers[{index}]: {layer.media_type!r} is not a ModelPack layer that can be"
                " unpacked; known are weight, weight.config, code, dataset and doc as raw or tar"
            )
        path = find_filepath(layer)
        if path is None:
            raise InvalidConfig(
                f"layers[{index}]: no annotation {media_types.FILEPATH!r} names its path,"
                " and no Kitfile does"
            )
        diff_id = diff_ids[index] if diff_ids else None
        holds = "prompt" if kind.base == "code" and is_prompt_layer(layer) else kind.base
        found[holds].append({"path": path, "digest": str(layer.digest), "diff_id": diff_id})
    if found["mcpb"]:
        raise InvalidConfig("a ModelPack has no layers for MCP servers")
    return found


def _object(fields: dict[str, Any], name: str) -> dict[str, Any]:
    value = fields.get(name)
    if value is not None and not isinstance(value, dict):
        raise InvalidConfig(f"{name}: expected an object")
    return value or {}


def _text(fields: dict[str, Any], where: str, name: str) -> str:
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidConfig(f"{where}.{name}: expected a text")
    return _without_surrogates(value or "")


def _texts(fields: dict[str, Any], where: str, name: str) -> tuple[str, ...]:
    value = fields.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise InvalidConfig(f"{where}.{name}: expected a list of texts")
    return tuple(_without_surrogates(each) for each in value)


def _without_surrogates(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
