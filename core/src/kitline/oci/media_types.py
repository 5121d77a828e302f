"""Media types and annotation keys that kitline reads or writes, with their sources."""

from __future__ import annotations

from typing import Final

# OCI image specification 1.1
IMAGE_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
IMAGE_INDEX: Final = "application/vnd.oci.image.index.v1+json"
EMPTY: Final = "application/vnd.oci.empty.v1+json"
# Docker's image manifest version 2, schema 2: accepted on reading
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX: Final = "application/vnd.docker.distribution.manifest.list.v2+json"

MANIFESTS: Final = (IMAGE_MANIFEST, DOCKER_MANIFEST)
INDEXES: Final = (IMAGE_INDEX, DOCKER_INDEX)

# KitOps ModelKit
MODELKIT_MANIFEST: Final = "application/vnd.kitops.modelkit.manifest.v1+json"
MODELKIT_CONFIG: Final = "application/vnd.kitops.modelkit.config.v1+json"
MODELKIT_PREFIX: Final = "application/vnd.kitops.modelkit."

# CNCF ModelPack, with the names it had before
MODELPACK_MANIFEST: Final = "application/vnd.cncf.model.manifest.v1+json"
MODELPACK_CONFIG: Final = "application/vnd.cncf.model.config.v1+json"
MODELPACK_OLD_MANIFEST: Final = "application/vnd.cnai.model.manifest.v1+json"
MODELPACK_OLD_CONFIG: Final = "application/vnd.cnai.model.config.v1+json"

# Annotation keys
REF_NAME: Final = "org.opencontainers.image.ref.name"
CREATED: Final = "org.opencontainers.image.created"
TITLE: Final = "org.opencontainers.image.title"
FILEPATH: Final = "org.cncf.model.filepath"
FILE_METADATA: Final = "org.cncf.model.file.metadata+json"
OLD_FILEPATH: Final = "org.cnai.model.filepath"
OLD_FILE_METADATA: Final = "org.cnai.model.file.metadata+json"
LAYER_SUBTYPE: Final = "ml.kitops.modelkit.layer-subtype"
KITFILE: Final = "ml.kitops.modelkit.kitfile"
PARENTS: Final = "io.kitline.parents"
RECIPE: Final = "io.kitline.recipe"
BY_REFERENCE: Final = "io.kitline.by-reference"
"""Layers that list data that lies elsewhere: JSON of layer path and digest algorithm."""
# as BuildKit writes it beside its attestations
PREDICATE_TYPE: Final = "in-toto.io/predicate-type"

# Signatures, attestations and bills of materials: the referrers that are also entered into a
# fallback index, because tools other than kitline look there for them
IN_TOTO: Final = "application/vnd.in-toto+json"
COSIGN_BUNDLE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
TRUST_TYPES: Final = (
    COSIGN_BUNDLE,
    "application/vnd.dev.cosign.artifact.sig.v1+json",
    "application/vnd.cncf.notary.signature",
    IN_TOTO,
    "application/spdx+json",
    "application/vnd.cyclonedx+json",
)

# What grows with time and may be long: each is found by a tag of its own
DERIVED: Final = "application/vnd.kitline.derived.v1+json"
PROMOTION: Final = "application/vnd.kitline.promotion.v1+json"
HISTORY_TYPES: Final = (DERIVED, PROMOTION)
