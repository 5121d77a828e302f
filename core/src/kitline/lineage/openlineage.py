"""The lineage as OpenLineage events, one for each kit that was made from others.

A kit is a dataset of the namespace `oci://<registry>`, and its version is the digest. Source:
OpenLineage specification 2-0-2, `RunEvent` and the facets `version` and `documentation`.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from kitline.oci.reference import LayoutReference, parse_reference

if TYPE_CHECKING:
    from kitline.lineage.graph import Lineage, Node

PRODUCER = "https://kitline.io/lineage"
_SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
_VERSION = "https://openlineage.io/spec/facets/1-0-1/DatasetVersionDatasetFacet.json"
_NO_TIME = "1970-01-01T00:00:00Z"
"""The time of a kit that says none: the same graph is the same events."""


def render_openlineage(lineage: Lineage) -> str:
    """Return a JSON array of events, parents as inputs and the kit as output."""
    events = [_event(lineage, each) for each in lineage.nodes if lineage.parents(each.digest)]
    return json.dumps(events, indent=2)


def _event(lineage: Lineage, kit: Node) -> dict[str, Any]:
    inputs = {each.parent: None for each in lineage.parents(kit.digest)}
    output = _dataset(kit)
    return {
        "eventType": "COMPLETE",
        "eventTime": kit.created or _NO_TIME,
        "producer": PRODUCER,
        "schemaURL": _SCHEMA,
        # the same kit is the same run, whoever renders it
        "run": {"runId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{PRODUCER}/{kit.digest}"))},
        "job": {"namespace": output["namespace"], "name": f"make {output['name']}"},
        "inputs": [_dataset(lineage.by_digest[each]) for each in inputs],
        "outputs": [output],
    }


def _dataset(kit: Node) -> dict[str, Any]:
    namespace, name = _address(kit)
    facet = {
        "_producer": PRODUCER,
        "_schemaURL": _VERSION,
        "datasetVersion": str(kit.digest),
    }
    return {"namespace": namespace, "name": name, "facets": {"version": facet}}


def _address(kit: Node) -> tuple[str, str]:
    if not kit.places:
        return "oci://unknown", str(kit.digest)
    place = parse_reference(kit.places[0])
    if isinstance(place, LayoutReference):
        return "oci://layout", place.path.name
    return f"oci://{place.registry or 'local'}", place.repository
