"""The bill of materials of a kit, in CycloneDX 1.6: model card, datasets, files, dependencies.

It depends on the kit alone: no serial number, no clock, no address. So the same kit has the same
bill of materials wherever it lies, and attaching it twice writes nothing.
Source: CycloneDX 1.6, `bom-1.6.schema.json`, and its guide to ML-BOM.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from kitline.operations.lineage.parents import read_parents

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kitline.kit.kitfile import Dataset, Kitfile, KitPart
    from kitline.kit.load import LoadedKit
    from kitline.oci.descriptor import Descriptor
    from kitline.oci.digest import Digest
    from kitline.operations.sbom.requirements import Requirement

SPDX = frozenset(
    {
        "Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause",
        "ISC", "MPL-2.0", "EPL-2.0", "GPL-2.0-only",
        "GPL-2.0-or-later", "GPL-3.0-only", "GPL-3.0-or-later", "LGPL-2.1-only",
        "LGPL-2.1-or-later", "LGPL-3.0-only", "LGPL-3.0-or-later", "AGPL-3.0-only",
        "AGPL-3.0-or-later", "Unlicense", "CC0-1.0", "CC-BY-3.0",
        "CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0", "CC-BY-NC-4.0",
        "CC-BY-NC-SA-4.0", "ODbL-1.0", "ODC-By-1.0", "PDDL-1.0",
        "OFL-1.1", "Zlib", "PostgreSQL", "BSL-1.0",
        "Artistic-2.0", "EUPL-1.2",
    }
)  # fmt: skip
"""Licences that are written as identifiers; any other is written by its name."""
DATA_ROLES = ("data", "dataset", "datasets")
_TYPES = {"model": "machine-learning-model", "datasets": "data"}


def bill_of_materials(
    kit: LoadedKit, requirements: Sequence[Requirement] = (), unread: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the document; `unread` are layers that were not searched for requirements."""
    kitfile, digest = kit.kitfile, kit.manifest.digest
    parts = [_part(kitfile, part, layer) for part, layer in kit.layers]
    remotes = [_remote(each) for each in kitfile.datasets if each.is_remote]
    parents = [_parent(each.digest, each.role) for each in read_parents(kit.manifest)]
    libraries = [_library(each) for each in requirements]
    root = _root(kit, parents)
    root_name = str(digest)
    if kitfile.model is not None:
        datasets = [each for each in (*parts, *remotes, *parents) if each["type"] == "data"]
        root["modelCard"] = _model_card(kitfile, datasets)
    if unread:
        root["properties"] += [_property("requirements-unread", each) for each in unread]
    components = _unique([*parts, *remotes, *parents, *libraries])
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": root},
        "components": components,
        "dependencies": [
            {"ref": root_name, "dependsOn": sorted(each["bom-ref"] for each in components)},
            *({"ref": each["bom-ref"]} for each in components),
        ],
    }


def bom_bytes(document: Mapping[str, Any]) -> bytes:
    """Return the bytes of a document, the same for equal ones."""
    return json.dumps(
        document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    ).encode()


def _root(kit: LoadedKit, parents: list[dict[str, Any]]) -> dict[str, Any]:
    kitfile, digest = kit.kitfile, kit.manifest.digest
    package, model = kitfile.package, kitfile.model
    name = package.name or (model.name if model else "") or "kit"
    kind = "machine-learning-model" if model else "data" if kitfile.datasets else "file"
    root: dict[str, Any] = {
        "type": kind,
        "bom-ref": str(digest),
        "name": name,
        "version": package.version or (model.version if model else "") or str(digest),
        "hashes": _hashes(digest),
        "purl": _purl(name, digest),
        "properties": [_property("digest", str(digest))],
    }
    description = package.description or (model.description if model else "")
    if description:
        root["description"] = description
    if package.authors:
        root["authors"] = [{"name": each} for each in package.authors]
    _add_licence(root, package.license or (model.license if model else ""))
    if kind == "data":
        root["data"] = [{"type": "dataset", "name": name}]
    if parents:
        root["pedigree"] = {
            "ancestors": [{**each, "bom-ref": f"ancestor-{each['bom-ref']}"} for each in parents]
        }
    return root


def _model_card(kitfile: Kitfile, datasets: list[dict[str, Any]]) -> dict[str, Any]:
    model = kitfile.model
    assert model is not None
    told = {"framework": model.framework, "format": model.format}
    properties = [_property(key, value) for key, value in told.items() if value]
    properties += [_property(f"parameter:{key}", value) for key, value in _flat(model.parameters)]
    card: dict[str, Any] = {"bom-ref": "model-card"}
    if datasets:
        card["modelParameters"] = {
            "datasets": [{"ref": each["bom-ref"]} for each in _unique(datasets)]
        }
    if properties:
        card["properties"] = properties
    return card


def _part(kitfile: Kitfile, part: KitPart, layer: Descriptor) -> dict[str, Any]:
    entry = _entry(kitfile, part)
    component: dict[str, Any] = {
        "type": _TYPES.get(part.drawer, "file"),
        "bom-ref": f"{part.field}:{layer.digest}",
        "name": part.name or part.clean_path,
        "hashes": _hashes(layer.digest),
        "properties": [
            _property("path", part.clean_path),
            _property("drawer", part.drawer),
            _property("media-type", layer.media_type),
            _property("size", layer.size),
        ],
    }
    if description := getattr(entry, "description", ""):
        component["description"] = description
    _add_licence(component, getattr(entry, "license", ""))
    if part.drawer == "datasets":
        component["data"] = [_data(entry, component["name"])]
    return component


def _remote(dataset: Dataset) -> dict[str, Any]:
    """Return a dataset that lies elsewhere; its address stays in the kit."""
    name = dataset.name or dataset.path or "dataset"
    component: dict[str, Any] = {
        "type": "data",
        "bom-ref": f"remote:{name}",
        "name": name,
        "data": [_data(dataset, name)],
        "properties": [_property("remote", "true")],
    }
    _add_licence(component, dataset.license)
    return component


def _parent(digest: Digest, role: str) -> dict[str, Any]:
    is_data = role in DATA_ROLES
    component: dict[str, Any] = {
        "type": "data" if is_data else "machine-learning-model" if role == "base" else "file",
        "bom-ref": f"parent:{digest}",
        "name": f"{role or 'parent'} {digest}",
        "hashes": _hashes(digest),
        "purl": _purl(role or "parent", digest),
        "properties": [_property("role", role)],
    }
    if is_data:
        component["data"] = [{"type": "dataset", "name": component["name"]}]
    return component


def _library(requirement: Requirement) -> dict[str, Any]:
    version = f"@{requirement.version}" if requirement.version else ""
    purl = f"pkg:pypi/{requirement.name}{version.replace('+', '%2B')}"
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": f"{purl}{'' if version else requirement.specifier}",
        "name": requirement.name,
        "purl": purl,
    }
    if requirement.version:
        component["version"] = requirement.version
    elif requirement.specifier:
        component["properties"] = [_property("specifier", requirement.specifier)]
    return component


def _data(entry: Any, name: str) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "dataset", "name": name}
    if description := getattr(entry, "description", ""):
        found["description"] = description
    properties = [_property(key, value) for key, value in _flat(getattr(entry, "parameters", None))]
    if properties:
        found["contents"] = {"properties": properties}
    return found


def _entry(kitfile: Kitfile, part: KitPart) -> Any:
    """Return the entry of the Kitfile that a part stands for."""
    if part.field == "model":
        return kitfile.model
    model_parts = kitfile.model.parts if kitfile.model else ()
    lists: dict[str, Sequence[Any]] = {
        "model.parts": model_parts,
        "code": kitfile.code,
        "datasets": kitfile.datasets,
        "docs": kitfile.docs,
        "prompts": kitfile.prompts,
        "mcpServers": kitfile.mcp_servers,
    }
    return lists[part.field.partition("[")[0]][part.index]


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the leaves of nested values with the way to them: `schedule.warmup`."""
    if isinstance(value, dict):
        for key in sorted(value, key=str):
            yield from _flat(value[key], f"{prefix}.{key}" if prefix else str(key))
    elif value is not None:
        text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
        yield prefix or "value", text


def _add_licence(component: dict[str, Any], licence: str) -> None:
    if not licence:
        return
    if licence in SPDX:
        component["licenses"] = [{"license": {"id": licence}}]
    elif re.search(r" (AND|OR|WITH) ", licence):
        component["licenses"] = [{"expression": licence}]
    else:
        component["licenses"] = [{"license": {"name": licence}}]


def _hashes(digest: Digest) -> list[dict[str, str]]:
    algorithm = {"sha256": "SHA-256", "sha512": "SHA-512"}[digest.algorithm]
    return [{"alg": algorithm, "content": digest.hex}]


def _purl(name: str, digest: Digest) -> str:
    plain = re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-.") or "kit"
    return f"pkg:oci/{plain}@{digest.algorithm}%3A{digest.hex}"


def _property(name: str, value: object) -> dict[str, str]:
    return {"name": f"kitline:{name}", "value": str(value)}


def _unique(components: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({each["bom-ref"]: each for each in components}.values())
