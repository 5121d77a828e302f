"""Evaluations: what was measured of a model, said beside the kit and never in it."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import kitline
from kitline.errors import UsageError
from kitline.plugin import Statement

from kitline_kfp.steps.failure import speaks_plainly
from kitline_kfp.steps.pushed import Pushed
from kitline_kfp.steps.target import require_pinned
from kitline_kfp.steps.values import whole_numbers

if TYPE_CHECKING:
    from kitline_kfp.steps.pushed import StepArtifact

PREDICATE_TYPE = "https://kitline.io/evaluation/v1"
_OWN = ("oci_digest", "oci_reference", "media_type", "display_name", "store_session_info")


@speaks_plainly
def evaluate(reference: str, metrics: Mapping[str, Any] | StepArtifact, *, key: str = "") -> Pushed:
    """Attach metrics to a kit that exists, named by digest: later numbers change no digest.

    Args:
        reference: With a digest.
        metrics: Numbers, or an artifact of type `Metrics`.
        key: A private key that signs; without, the one of the setting `sign_key`, else nobody does.

    Raises:
        UsageError: if a metric is no number, or there are none.
        NotFound: if the kit is not there any more.
    """
    numbers = numbers_of(metrics if isinstance(metrics, Mapping) else metrics.metadata)
    if not numbers:
        raise UsageError("there is nothing to attach: no metric is given")
    name, predicate = require_pinned(reference), {"metrics": numbers}
    if signer := key or kitline.Settings.load().sign_key:
        done = kitline.attest_signed(name, PREDICATE_TYPE, predicate, key=signer)
    else:
        done = kitline.attest_unsigned(name, PREDICATE_TYPE, predicate)
    return Pushed(digest=str(done.digest), reference=str(done.reference))


def evaluation(metrics: Mapping[str, Any]) -> tuple[Statement, ...]:
    """Return metrics as a statement, to be attached to a kit; none if there are none.

    Raises:
        UsageError: if one is no number.
    """
    numbers = numbers_of(metrics)
    if not numbers:
        return ()
    return (Statement(predicate_type=PREDICATE_TYPE, predicate={"metrics": numbers}),)


def numbers_of(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return metrics without what KFP and kitline keep among an artifact's metadata.

    Raises:
        UsageError: if one is no number.
    """
    found = {}
    for name, value in metrics.items():
        if name in _OWN or name.startswith("_kfp"):
            continue
        number = _number(value)
        if number is None:
            raise UsageError(
                f"metric {name!r} is {value!r:.80}, which is no number; leave it away, or give the"
                " artifact as docs"
            )
        found[str(name)] = whole_numbers(number)
    return found


def _number(value: object) -> numbers.Real | None:
    if isinstance(value, str):  # clusters and other languages may hand numbers on as texts
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    try:
        finite = math.isfinite(value)
    except OverflowError:  # an integer that no float holds, which readers in other languages lose
        return None
    return value if finite else None
