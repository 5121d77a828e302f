"""Tags and params: the names under which kitline writes into MLflow."""

from __future__ import annotations

DIGEST = "kitline.digest"
"""On run, logged model, model version and dataset input: `sha256:…` of the kit."""
REFERENCE = "kitline.reference"
"""On run, logged model and model version: the pinned reference of the kit."""
PARENT = "kitline.parent.digest"
"""On run, logged model and model version: digests of the kit's parents, with commas between."""
INPUT = "kitline.input.digest"
"""On a run, from its start: the kits that it was given, with commas between."""
SOURCE_KIND = "kitline.source"
"""On a model version: what its source is, `model`, `modelkit` or `pointer`."""
PARENTS_PARAM = "kitline.parents"
"""Param of a logged model, which cannot change: JSON `[{"digest", "role", "reference"}]`."""
PREFIX = "kitline."
"""What no kit holds of MLflow's tags and params: a kit with its own digest could not be remade."""
