"""Provenance by default: one statement about a kit for each run that makes or pushes it.

The build type is documented in docs/lineage.md. Whoever retries a run adds nothing; another run
adds one statement, never a kit.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kitline.errors import KitlineError, UsageError
from kitline.oci import media_types
from kitline.oci.json import decode
from kitline.oci.reference import Reference
from kitline.operations.attached import NOTHING_ATTACHED, Attached
from kitline.operations.statements import attach, find_statements
from kitline.plugin.invocation import BUILDER, Invocation
from kitline.plugin.redact import without_passwords
from kitline.plugin.slsa import PREDICATE_TYPE, provenance

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kitline.oci.digest import Digest
    from kitline.oci.manifest import Manifest
    from kitline.operations.settings import Settings
    from kitline.plugin.parent import Parent
    from kitline.plugin.records import Origin, Statement
    from kitline.store.interface import Store
    from kitline.trust.keys import Signer

BUILD_TYPE = "https://kitline.io/kit/v1"
_SHOWN = 24
"""Parents that are told by address; a provenance is small, and all of them are in the manifest."""
_SECRET = re.compile(r"(?i)token|secret|passw|credential|api_?key|access_?key|private_?key")


def attach_provenance(
    store: Store,
    manifest: Manifest,
    settings: Settings,
    *,
    invocation: Invocation | None,
    parents: Sequence[Parent] = (),
    origin: Origin | None = None,
) -> Attached:
    """Say which run made a kit and where its parents lay, unless that was said before.

    Without a run it is only said where parents lay; if nothing is known of that either, nothing is
    said. With the setting `sign_key` it is signed. What fails is a warning, and the kit stands.
    """
    if invocation is None and not any(_address(each.reference) for each in parents):
        return NOTHING_ATTACHED
    try:
        statement, left_out = invocation_statement(invocation, parents=parents, origin=origin)
        signer = _load_signer(settings)
        if invocation is not None and _was_said(store, manifest.digest, invocation, signer):
            return NOTHING_ATTACHED
        digest = _attach(store, manifest, statement, signer)
    except KitlineError as cause:
        pinned = store.pin(manifest.digest)
        warning = f"the kit stands, but its provenance was not attached to {pinned}: {cause}"
        return Attached(warnings=(warning,))
    return Attached(said=((digest, statement),), warnings=left_out)


def attach_signed(store: Store, manifest: Manifest, statement: Statement, *, key: str) -> Digest:
    """Attach a statement signed by a key; one that this key signed is not written again."""
    from kitline.trust.key_source import load_signer

    return _attach(store, manifest, statement, load_signer(key))


def _attach(
    store: Store, manifest: Manifest, statement: Statement, signer: Signer | None
) -> Digest:
    if signer is None:
        return attach(store, manifest, statement)
    from kitline.trust.sign import attest

    kind, predicate = statement.predicate_type, statement.predicate
    return attest(store, manifest, kind, predicate, signer).digest


def invocation_statement(
    invocation: Invocation | None,
    *,
    parents: Sequence[Parent] = (),
    origin: Origin | None = None,
) -> tuple[Statement, tuple[str, ...]]:
    """Return the provenance of a kit, and a sentence if something was too long for it.

    Raises:
        UsageError: if the run's parameters are not JSON.
    """
    parameters = {} if invocation is None else _without_secrets(invocation.parameters)
    try:
        return _statement(invocation, parameters, parents, origin), ()
    except UsageError:
        if not parameters and len(parents) <= _SHOWN:
            raise
    short = _statement(invocation, {}, parents[:_SHOWN], origin)
    if not parameters:
        return short, ()  # all parents are in the manifest
    return short, (
        "the parameters of the run are too long for its provenance and were left out; attach them"
        " as a statement of their own",
    )


def _statement(
    invocation: Invocation | None,
    parameters: Mapping[str, Any],
    parents: Sequence[Parent],
    origin: Origin | None,
) -> Statement:
    external: dict[str, Any] = {}
    if parameters:
        external["parameters"] = parameters
    if origin is not None:
        external["source"] = without_passwords(origin.source)
    if invocation is None:
        return provenance(
            build_type=BUILD_TYPE,
            external_parameters=external,
            resolved_dependencies=_parents(parents),
            builder_id=f"{BUILDER}/v1",
        )
    external["system"] = invocation.system
    internal = {"run": without_passwords(invocation.url)} if invocation.url else None
    return provenance(
        build_type=BUILD_TYPE,
        external_parameters=external,
        internal_parameters=internal,
        resolved_dependencies=[*_parents(parents), *_code(invocation)],
        invocation_id=invocation.id,
        started=invocation.started,
        finished=invocation.finished,
        builder_id=invocation.builder,
    )


def _parents(parents: Iterable[Parent]) -> Iterator[dict[str, Any]]:
    for each in sorted(parents, key=lambda p: (p.digest, p.role)):
        told: dict[str, Any] = {
            "digest": {each.digest.algorithm: each.digest.hex},
            "annotations": {"role": each.role},
            "mediaType": media_types.IMAGE_MANIFEST,
        }
        if address := _address(each.reference):
            told["uri"] = f"oci://{address}"
        yield told


def _address(reference: str | None) -> str | None:
    """Return where others find a parent; names of this machine's store say nothing to them."""
    from kitline.operations.stores import read_reference

    try:
        found = read_reference(reference) if reference else None
    except UsageError:
        return None
    return str(found) if isinstance(found, Reference) and not found.is_bare else None


def _code(invocation: Invocation) -> list[dict[str, Any]]:
    if invocation.git_commit is None:
        return []
    told: dict[str, Any] = {"digest": {"gitCommit": invocation.git_commit}}
    if invocation.repository:
        address = without_passwords(invocation.repository)
        told["uri"] = address if address.startswith("git+") else f"git+{address}"
    return [told]


def _without_secrets(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the values of what is secret by its name, and passwords in addresses."""
    return {
        str(name): "…" if _SECRET.search(str(name)) else _clean(value)
        for name, value in parameters.items()
    }


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return without_passwords(value)
    if isinstance(value, dict):
        return _without_secrets(value)
    return [_clean(each) for each in value] if isinstance(value, list | tuple) else value


def _load_signer(settings: Settings) -> Signer | None:
    if settings.sign_key is None:
        return None
    from kitline.trust.key_source import load_signer

    return load_signer(settings.sign_key)


def _was_said(store: Store, subject: Digest, invocation: Invocation, signer: Signer | None) -> bool:
    """Tell whether this run's provenance is there; with a key, one that it signed."""
    if signer is None:
        said, _ = find_statements(store, subject, PREDICATE_TYPE, limit=64 << 10)
        found: Iterable[Any] = [each.predicate for each in said]
    else:
        from kitline.trust.authority import KeyAuthority
        from kitline.trust.verify import examine

        passed = examine(store, subject, KeyAuthority(key=signer.public), PREDICATE_TYPE).passed
        found = [_predicate(each.payload) for each in passed]
    return any(run_of(each) == (invocation.builder, invocation.id) for each in found)


def _predicate(payload: bytes) -> Any:
    try:
        fields = decode(payload)
    except ValueError:
        return None
    return fields.get("predicate") if isinstance(fields, dict) else None


def run_of(predicate: Any) -> tuple[str | None, str | None]:
    """Return builder and id of the run that a provenance from outside tells of."""
    details = _object(predicate).get("runDetails")
    builder = _object(_object(details).get("builder")).get("id")
    run = _object(_object(details).get("metadata")).get("invocationId")
    return (
        builder if isinstance(builder, str) else None,
        run if isinstance(run, str) else None,
    )


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
