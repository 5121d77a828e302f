"""Provenance: how a kit came to be, as SLSA provenance v1.

Times and ids come from the tool's own record of the run, never from a clock: the same run told
twice is one statement. Source: slsa.dev/spec/v1.0/provenance.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kitline.errors import UsageError
from kitline.plugin.records import Statement
from kitline.plugin.redact import without_passwords

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kitline.plugin.parent import Parent

PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
BUILDER = "https://kitline.io/builder/v1"
SIZE_LIMIT = 8 << 10
"""The largest provenance, in bytes: it is read whenever a kit is looked at."""


def provenance(
    *,
    build_type: str,
    external_parameters: Mapping[str, Any],
    resolved_dependencies: Iterable[Mapping[str, Any] | Parent] = (),
    internal_parameters: Mapping[str, Any] | None = None,
    invocation_id: str | None = None,
    started: datetime | str | None = None,
    finished: datetime | str | None = None,
    builder_id: str | None = None,
) -> Statement:
    """Return the statement that tells how a kit came to be; to be attached to it.

    Args:
        build_type: A URI that says how to read the parameters.
        external_parameters: What the user chose: source, options, revision.
        resolved_dependencies: What went in: SLSA resource descriptors, or kits as `Parent`.
        internal_parameters: What the tool chose, such as its version.
        invocation_id: The tool's name for this run.
        started: When the tool says it began; a text is taken as it is.
        finished: When the tool says it ended.
        builder_id: Who built it, a URI.

    Raises:
        UsageError: if it would be larger than 8 KiB, or holds what JSON has not.
    """
    definition: dict[str, Any] = {
        "buildType": build_type,
        "externalParameters": dict(external_parameters),
    }
    if internal_parameters:
        definition["internalParameters"] = dict(internal_parameters)
    if dependencies := [_dependency(each) for each in resolved_dependencies]:
        definition["resolvedDependencies"] = dependencies
    run: dict[str, Any] = {"builder": {"id": builder_id or BUILDER}}
    told = {
        "invocationId": invocation_id,
        "startedOn": _time(started),
        "finishedOn": _time(finished),
    }
    if metadata := {key: value for key, value in told.items() if value is not None}:
        run["metadata"] = metadata
    predicate = {"buildDefinition": definition, "runDetails": run}
    _check_size(predicate)
    return Statement(predicate_type=PREDICATE_TYPE, predicate=predicate)


def _dependency(given: Mapping[str, Any] | Parent) -> dict[str, Any]:
    if isinstance(given, Mapping):
        found = dict(given)
        if isinstance(found.get("uri"), str):
            found["uri"] = without_passwords(found["uri"])
        return found
    found = {
        "digest": {given.digest.algorithm: given.digest.hex},
        "annotations": {"role": given.role},
    }
    if given.reference is not None:
        found["uri"] = f"oci://{given.reference}"
    return found


def _time(given: datetime | str | None) -> str | None:
    """Return a time as RFC 3339 in UTC, to the second."""
    if given is None or isinstance(given, str):
        return given
    if given.tzinfo is None:
        raise UsageError(
            f"provenance: {given.isoformat()!r} has no time zone; give one, such as UTC"
        )
    return given.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _check_size(predicate: Mapping[str, Any]) -> None:
    from kitline.oci.digest import Digest
    from kitline.trust.statement import statement_bytes

    size = len(statement_bytes(Digest.of(b""), PREDICATE_TYPE, predicate))
    if size > SIZE_LIMIT:
        raise UsageError(
            f"provenance of {size} bytes is over the limit of {SIZE_LIMIT}; name inputs by digest"
            " and put long lists into a statement of their own"
        )
