"""Provenance: small, free of clocks and passwords, and equal for equal runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import kitline.plugin
import pytest
from kitline.errors import UsageError
from kitline.plugin import Digest, Parent, Statement, provenance

DIGEST = Digest.of(b"data")


def test_provenance_is_slsa_v1() -> None:
    found = provenance(
        build_type="https://kitline.io/training/v1",
        external_parameters={"lr": 0.1},
        internal_parameters={"python": "3.11"},
        resolved_dependencies=[
            Parent(digest=DIGEST, role="data", reference="reg.example/data"),
            Parent(digest=DIGEST, role="base"),
            {"uri": "git+https://me:secret@host/repo", "digest": {"gitCommit": "0" * 40}},
        ],
        invocation_id="run 7",
        started=datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=timezone(timedelta(hours=2))),
        finished="2026-01-02T03:04:06Z",
        builder_id="https://example.com/builder",
    )

    assert found == Statement(
        predicate_type="https://slsa.dev/provenance/v1",
        predicate={
            "buildDefinition": {
                "buildType": "https://kitline.io/training/v1",
                "externalParameters": {"lr": 0.1},
                "internalParameters": {"python": "3.11"},
                "resolvedDependencies": [
                    {
                        "digest": {"sha256": DIGEST.hex},
                        "annotations": {"role": "data"},
                        "uri": "oci://reg.example/data",
                    },
                    {"digest": {"sha256": DIGEST.hex}, "annotations": {"role": "base"}},
                    {"uri": "git+https://host/repo", "digest": {"gitCommit": "0" * 40}},
                ],
            },
            "runDetails": {
                "builder": {"id": "https://example.com/builder"},
                "metadata": {
                    "invocationId": "run 7",
                    "startedOn": "2026-01-02T01:04:05Z",
                    "finishedOn": "2026-01-02T03:04:06Z",
                },
            },
        },
    )


def test_what_is_not_known_is_left_out() -> None:
    found = provenance(build_type="https://kitline.io/x/v1", external_parameters={})

    assert found.predicate == {
        "buildDefinition": {"buildType": "https://kitline.io/x/v1", "externalParameters": {}},
        "runDetails": {"builder": {"id": "https://kitline.io/builder/v1"}},
    }


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(UsageError, match="'2026-01-02T00:00:00' has no time zone"):
        provenance(
            build_type="x",
            external_parameters={},
            started=datetime(2026, 1, 2, tzinfo=UTC).replace(tzinfo=None),
        )


def test_more_than_8_kib_are_refused() -> None:
    with pytest.raises(UsageError, match=r"provenance of \d+ bytes is over the limit of 8192"):
        provenance(build_type="x", external_parameters={"x": "x" * 8200})


def test_what_json_does_not_have_is_refused() -> None:
    with pytest.raises(UsageError, match="its predicate is not JSON"):
        provenance(build_type="x", external_parameters={"x": float("nan")})


def test_the_name_stays_a_function_whatever_was_imported_before() -> None:
    assert callable(kitline.plugin.provenance)
