"""Delivery: what a task hands on when it is done: XCom, and the events of its outlets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kitline_airflow.asset_uris import repository_of
from kitline_airflow.partition_keys import PartitionKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

RECEIPT_LIMIT = 32 << 10
"""Most bytes of a receipt in XCom: layers are left out of one that would be larger."""


def push_xcoms(context: Mapping[str, Any], done: Mapping[str, Any], *more: str) -> None:
    """Push digest, receipt and whatever else the verb answers under `more`; never content."""
    ti = context["ti"]
    ti.xcom_push(key="digest", value=done["digest"])
    ti.xcom_push(key="receipt", value=short_receipt(done))
    for name in more:
        if name in done:
            ti.xcom_push(key=name, value=done[name])


def short_receipt(done: Mapping[str, Any]) -> dict[str, Any]:
    """Return the receipt of a result; for verbs that make no kit, what is known of it."""
    receipt = dict(done.get("receipt") or {})
    if not receipt:
        reference = str(done["reference"])
        receipt = {
            "digest": done["digest"],
            "reference": reference,
            "repository": reference.rpartition("@")[0],
            "tag": done.get("tag"),
            "created": None,
            "source": None,
            "parents": [],
            "layers": [],
        }
    if len(json.dumps(receipt)) > RECEIPT_LIMIT:
        receipt = {**receipt, "layers": [], "layersLeftOut": len(receipt["layers"])}
    return receipt


def event_extra(done: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an asset event says of a kit: digest, reference, and the promotion if any."""
    reference = str(done["reference"])
    found = {
        "digest": done["digest"],
        "reference": reference,
        "repository": reference.rpartition("@")[0],
        "tag": done.get("tag"),
        **{name: done.get(name) for name in ("stage", "seq", "record", "action", "previous")},
    }
    return {name: value for name, value in found.items() if value is not None}


def partition_key(done: Mapping[str, Any]) -> str:
    """Return the partition key of a result."""
    stage, seq = done.get("stage"), done.get("seq")
    if isinstance(stage, str) and isinstance(seq, int):
        return str(PartitionKey(digest=str(done["digest"]), stage=stage, seq=seq))
    return str(PartitionKey(digest=str(done["digest"])))


def emit_events(
    context: Mapping[str, Any],
    outlets: Iterable[Any],
    done: Mapping[str, Any],
    log: Any,
    *,
    partition: bool = False,
    emit: str = "changed",
) -> None:
    """Tell each outlet's event which kit it is about; with `partition`, give it the key."""
    events = context.get("outlet_events")
    if events is None:
        return
    extra = event_extra(done)
    for outlet in outlets:
        if not hasattr(outlet, "uri"):
            continue  # an alias, a metric…: it has no event of its own
        repository = repository_of(outlet.uri)
        if repository is not None and repository != extra["repository"]:
            log.warning("outlet %s is another repository than %s", outlet.uri, extra["repository"])
        accessor = events[outlet]
        if not partition:
            accessor.extra = {**(accessor.extra or {}), **extra}
            continue
        key = partition_key(done)
        accessor.extra = {**(accessor.extra or {}), **extra, "partition_key": key}
        if emit != "always" and last_key(outlet) == key:
            log.info("%s had the partition key %s last; it is not emitted again", outlet.uri, key)
            continue
        accessor.add_partitions(key)


def last_key(outlet: Any) -> str | None:
    """Return the partition key that the outlet's last event of ours carried."""
    from kitline_airflow.asset_history import recent_keys

    return next(iter(recent_keys(outlet)), None)
