"""Facts: what manifests and statements tell about lineage, read from outside and not believed.

Texts are cut and counted, so that a hostile statement makes a long line and nothing worse.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kitline.errors import InvalidDigest, InvalidReference
from kitline.frozen import dataclass
from kitline.oci import media_types
from kitline.oci.digest import Digest
from kitline.oci.json import decode
from kitline.oci.manifest import ImageManifest
from kitline.oci.reference import PinnedReference, Reference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kitline.oci.manifest import Manifest

PROVENANCE = "https://slsa.dev/provenance/v1"
REVOCATION = "https://kitline.io/revocation/v1"
CLASSIFICATION = "https://kitline.io/classification/v1"
MLFLOW_RUN = "mlflow-run"
GIT_COMMIT = "git-commit"
DVC_MD5 = "dvc-md5"
LAYER = "layer"
RUN = "run"
MARK = "mark"
_RUN_ANNOTATION = "io.kitline.mlflow.run-id"
_TEXT_LIMIT = 200
_COUNT_LIMIT = 1000
"""Most parents or ids that one manifest or statement may name."""
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_BASE = re.compile(
    r"application/vnd\.(?:kitops\.modelkit|cncf\.model|cnai\.model)\."
    r"(model|modelpart|weight|dataset|code|docs?)\b"
)
_TYPES = {"model": "model", "modelpart": "model", "weight": "model", "dataset": "dataset"}


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A parent that a manifest or a statement names."""

    parent: Digest
    role: str = ""
    address: str | None = None
    """Repository where it was found then."""


@dataclass(frozen=True, kw_only=True)
class KitFacts:
    """What a kit's manifest and config tell."""

    digest: Digest
    type: str
    """`model`, `dataset` or what else its first drawer is."""
    name: str = ""
    version: str = ""
    created: str = ""
    parents: tuple[Claim, ...] = ()
    ids: tuple[tuple[str, str], ...] = ()
    """Kind and value: what other tools call it."""


@dataclass(frozen=True, kw_only=True)
class StatedFacts:
    """What a statement tells of a kit."""

    subject: Digest
    parents: tuple[Claim, ...] = ()
    ids: tuple[tuple[str, str], ...] = ()


def read_kit_facts(manifest: Manifest, config: bytes = b"") -> KitFacts:
    """Read a kit; `config` is its config blob, which tells names and datasets."""
    annotations = manifest.annotations
    fields = _read(config)
    package = _object(fields.get("package"))
    model = _object(fields.get("model"))
    ids = [*_kit_ids(annotations, fields)]
    if isinstance(manifest, ImageManifest):
        ids += [(LAYER, str(each.digest)) for each in manifest.layers[:_COUNT_LIMIT]]
    return KitFacts(
        digest=manifest.digest,
        type=_type(manifest, has_model=bool(model)),
        name=_text(package.get("name")) or _text(model.get("name")),
        version=_text(package.get("version")) or _text(model.get("version")),
        created=_text(annotations.get(media_types.CREATED)),
        parents=tuple(_named_parents(annotations.get(media_types.PARENTS, ""))),
        ids=tuple(dict.fromkeys(ids)),
    )


def read_stated_facts(
    subject: Digest, predicate_type: str, predicate: Mapping[str, Any]
) -> StatedFacts | None:
    """Read a statement; None if it tells nothing about lineage."""
    if predicate_type == PROVENANCE:
        return StatedFacts(
            subject=subject,
            parents=tuple(_dependencies(predicate)),
            ids=tuple(dict.fromkeys(_provenance_ids(predicate))),
        )
    if predicate_type == REVOCATION:
        reason = _text(predicate.get("reason"))
        return StatedFacts(subject=subject, ids=((MARK, f"revoked: {reason}".rstrip(": ")),))
    if predicate_type == CLASSIFICATION:
        level = _text(predicate.get("sensitivity")) or _text(predicate.get("level"))
        owner = _text(predicate.get("owner"))
        marks = [text for text in (level, f"owner {owner}" if owner else "") if text]
        return StatedFacts(subject=subject, ids=tuple((MARK, each) for each in marks))
    return None


def _type(manifest: Manifest, *, has_model: bool) -> str:
    layers = manifest.layers if isinstance(manifest, ImageManifest) else ()
    bases = [found[1] for each in layers if (found := _BASE.match(each.media_type))]
    types = [_TYPES.get(each, each) for each in bases]
    if has_model or "model" in types:
        return "model"
    if "dataset" in types:
        return "dataset"
    return types[0] if types else "kit"


def _named_parents(text: str) -> Iterator[Claim]:
    for each in _list(_parse(text.encode())):
        fields = _object(each)
        if (digest := _digest(fields.get("digest"))) is not None:
            yield Claim(parent=digest, role=_text(fields.get("role")))


def _kit_ids(
    annotations: Mapping[str, str], config: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    if run := _text(annotations.get(_RUN_ANNOTATION)):
        yield MLFLOW_RUN, run
    elsewhere = _object(_parse(annotations.get(media_types.BY_REFERENCE, "").encode()))
    for algorithm in list(elsewhere.values())[:_COUNT_LIMIT]:
        yield MARK, f"by reference, {_text(algorithm)}"
    for each in _list(config.get("datasets")):
        dvc = _object(_object(_object(each).get("parameters")).get("dvc"))
        if md5 := _text(dvc.get("md5")):
            yield DVC_MD5, md5


def _dependencies(predicate: Mapping[str, Any]) -> Iterator[Claim]:
    """Yield the kits among what went in: they have an OCI address or a manifest's media type."""
    for each in _list(_object(predicate.get("buildDefinition")).get("resolvedDependencies")):
        fields = _object(each)
        uri = fields.get("uri")
        is_kit = isinstance(uri, str) and uri.startswith("oci://")
        if not is_kit and (uri or not _says_kit(fields)):
            continue
        hexadecimal = _object(fields.get("digest")).get("sha256")
        digest = _digest(f"sha256:{hexadecimal}")
        if digest is None:
            continue
        role = _object(fields.get("annotations")).get("role")
        address = _address(str(uri).removeprefix("oci://")) if is_kit else None
        yield Claim(parent=digest, role=_text(role), address=address)


def _says_kit(fields: Mapping[str, Any]) -> bool:
    role = _object(fields.get("annotations")).get("role")
    return fields.get("mediaType") == media_types.IMAGE_MANIFEST or isinstance(role, str)


def _provenance_ids(predicate: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    definition = _object(predicate.get("buildDefinition"))
    for each in _list(definition.get("resolvedDependencies")):
        commit = _object(_object(each).get("digest")).get("gitCommit")
        if isinstance(commit, str) and _COMMIT.match(commit):
            yield GIT_COMMIT, commit
    parameters = _object(definition.get("externalParameters"))
    # a pipeline's step that MLflow tracks, too, belongs to a run of each
    if tracked := _text(_object(parameters.get("parameters")).get("mlflowRunId")):
        yield MLFLOW_RUN, tracked
    details = _object(predicate.get("runDetails"))
    metadata = _object(details.get("metadata"))
    run = _text(metadata.get("invocationId"))
    if not run:
        return
    system = _text(parameters.get("system"))
    if "mlflow" in _text(definition.get("buildType")):
        system = "mlflow"
        yield MLFLOW_RUN, run
    when = _text(metadata.get("finishedOn")) or _text(metadata.get("startedOn"))
    yield RUN, " ".join(each for each in (system or "run", run, when) if each)


def _address(text: str) -> str | None:
    """Return the repository in an address; None if it names none that can be asked."""
    try:
        found: Reference = Reference.parse(text)
    except (InvalidReference, InvalidDigest):
        return None
    return None if found.is_bare else found.name


def _digest(value: object) -> Digest | None:
    try:
        return Digest(value)  # type: ignore[arg-type]  # it checks
    except InvalidDigest:
        return None


def pinned(address: str, digest: Digest) -> str:
    """Return a pinned reference as text."""
    return str(PinnedReference.parse(f"{address}@{digest}"))


def _read(raw: bytes) -> Mapping[str, Any]:
    return _object(_parse(raw))


def _parse(raw: bytes) -> Any:
    try:
        return decode(raw) if raw else None
    except ValueError:
        return None


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value[:_COUNT_LIMIT] if isinstance(value, list) else []


def _text(value: object) -> str:
    """Return a text from outside, cut, without what could steer a terminal."""
    if not isinstance(value, str):
        return ""
    kept = "".join(each if each.isprintable() else "\ufffd" for each in value[: _TEXT_LIMIT + 1])
    return kept if len(kept) <= _TEXT_LIMIT else kept[:_TEXT_LIMIT] + "…"
