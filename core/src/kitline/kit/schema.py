"""The JSON Schema of Kitfiles, for editors; made from the same declarations as the reader.

`docs/kitfile.schema.json` is `schema_text()`; a test keeps it so. What a schema cannot say, such as
paths that clash, only `kitfile_yaml.read_kitfile` finds.
"""

from __future__ import annotations

import json
from typing import Any

from kitline.kit import kitfile as values
from kitline.kit.keys import Key, keys_of
from kitline.kit.kitfile import Kitfile

_DIALECT = "https://json-schema.org/draft/2020-12/schema"

# Plain scalars of any kind are texts to kit: `version: 1.10` is "1.10"
_TEXT = {"type": ["string", "number", "boolean", "null"]}
_LOCAL_PATH = {
    "type": ["string", "number", "boolean", "null"],
    "not": {"type": "string", "pattern": r"^/|[:@\u0000-\u001f]|\.\.[^/]|[^/]\.\.|^\.\.(/|$)"},
}
_RULES: dict[str, dict[str, Any]] = {
    "Part": {
        "properties": {
            "type": {
                **_TEXT,
                "anyOf": [
                    {"type": ["number", "boolean", "null"]},
                    {"pattern": "^$|^[A-Za-z0-9_][A-Za-z0-9_.-]*$", "maxLength": 64},
                ],
            }
        }
    },
    "Model": {
        "if": {
            "properties": {"parts": {"type": "array", "minItems": 1}},
            "required": ["parts"],
        },
        "then": {"required": ["path"]},
    },
    "McpServer": {
        "required": ["name", "path"],
        "properties": {"path": {"type": "string", "pattern": r"\.mcpb$"}},
    },
}


def schema() -> dict[str, Any]:
    """Return the schema as a dict."""
    return {
        "$schema": _DIALECT,
        "title": "Kitfile",
        "description": "What a ModelKit says of itself, as kit 1.15 and kitline read it.",
        **_object(Kitfile),
        "required": ["manifestVersion"],
        "$defs": {
            kind.__name__: _object(kind)
            for kind in (
                values.Package,
                values.Model,
                values.Part,
                values.Code,
                values.Dataset,
                values.Docs,
                values.Prompt,
                values.McpServer,
            )
        },
    }


def schema_text() -> str:
    """Return the schema as it stands in `docs/`."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _object(kind: type) -> dict[str, Any]:
    rules = dict(_RULES.get(kind.__name__, {}))
    special = rules.pop("properties", {})
    properties = {
        key.name: {
            "description": key.summary,
            **_value(key, is_model=kind is values.Model),
            **special.get(key.name, {}),
        }
        for key in keys_of(kind)
        if key.is_yaml
    }
    return {"type": "object", "properties": properties, "additionalProperties": False, **rules}


def _value(key: Key, *, is_model: bool) -> dict[str, Any]:
    nothing = {"type": "null"}
    if key.kind == "object":
        return {"anyOf": [{"$ref": f"#/$defs/{key.of}"}, nothing]}
    if key.kind == "objects":
        items = {"anyOf": [{"$ref": f"#/$defs/{key.of}"}, nothing]}
        return {"type": ["array", "null"], "items": items}
    if key.kind == "texts":
        return {"type": ["array", "null"], "items": _TEXT}
    if key.kind == "free":
        return {}
    # a model's path may be a reference to another kit
    return _LOCAL_PATH if key.name == "path" and not is_model else _TEXT
