"""Events: which kits started a run, also when one run got several of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from kitline_airflow.asset_uris import repository_of
from kitline_airflow.partition_keys import PartitionKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


@dataclass(frozen=True, kw_only=True)
class KitEvent:
    """One event about a kit; `str()` of it is the pinned reference."""

    digest: str
    reference: str
    tag: str | None = None
    stage: str | None = None
    seq: int | None = None
    record: str | None = None
    """The digest of the promotion record: the same for an event that is told twice."""

    def __str__(self) -> str:
        return self.reference

    @property
    def partition_key(self) -> PartitionKey:
        """The key that a run about this event has."""
        return PartitionKey(digest=self.digest, stage=self.stage, seq=self.seq)

    @classmethod
    def find(cls, extra: object) -> KitEvent | None:
        """Read the extra of an asset event, of our operators or our triggers; None if foreign."""
        if isinstance(extra, dict) and isinstance(extra.get("payload"), dict):
            extra = extra["payload"]
        if not isinstance(extra, dict):
            return None
        digest, reference = extra.get("digest"), extra.get("reference")
        if not isinstance(digest, str) or not isinstance(reference, str):
            return None
        if not reference.endswith(f"@{digest}"):
            return None  # two fields that disagree are believed in neither
        seq = extra.get("seq")
        return cls(
            digest=digest,
            reference=reference,
            tag=_text(extra.get("tag")),
            stage=_text(extra.get("stage")),
            seq=seq if isinstance(seq, int) else None,
            record=_text(extra.get("record")),
        )


def kit_events(context: Mapping[str, Any], asset: Any = None) -> list[KitEvent]:
    """Return the events that started this run, oldest first, each once.

    Airflow puts events that come close together into one run, so loop over them:

        for kit in kit_events(context):
            deploy(kit.reference)

    An event that a trigger told twice is here once. `asset` chooses the events of one asset. In a
    partitioned run use `partition_kit` instead.
    """
    found: dict[tuple[str, ...], KitEvent] = {}
    for event in sorted(_triggering(context, asset), key=_moment):
        kit = KitEvent.find(getattr(event, "extra", None))
        if kit is not None:
            found.setdefault(_identity(kit, event), kit)
    return list(found.values())


def partition_kit(context: Mapping[str, Any], repository: str | None = None) -> KitEvent:
    """Return the kit that a partitioned run is about.

    The repository is that of the events that started the run; give it for runs that were started
    by hand with a partition key.

    Raises:
        ValueError: if the run has no partition key, or nothing says which repository it is about.
    """
    run = context.get("dag_run")
    text = getattr(run, "partition_key", None)
    if not text:
        raise ValueError(
            "this run has no partition key; schedule the DAG with PartitionedAssetTimetable, or use"
            " kit_events"
        )
    key = PartitionKey.parse(text)
    same = [each for each in kit_events(context) if each.digest == key.digest]
    if repository is None and not same:
        raise ValueError(f"nothing says where the kit of partition {text!r} is; give repository=")
    reference = f"{repository}@{key.digest}" if repository else same[0].reference
    return KitEvent(digest=key.digest, reference=reference, stage=key.stage, seq=key.seq)


def relay_partitions(context: Mapping[str, Any], outlet: Any) -> list[KitEvent]:
    """Give an outlet one partition key for each event that started this run (Airflow 3.3).

    Events of watchers carry no partition key; a DAG of one task that calls this stands between a
    watched asset and DAGs that want one run for each digest. What the outlet was told before, such
    as a promotion that a trigger told again after a restart, is left out.
    """
    from kitline_airflow.asset_history import recent_keys

    told = recent_keys(outlet)
    kits = []
    for kit in kit_events(context):
        key = str(kit.partition_key)
        # a move has a number and is told once; a digest may come back, but not twice in a row
        if key in (told if kit.seq is not None else told[:1]):
            continue
        kits.append(kit)
        told.insert(0, key)
    if kits:
        keys = [str(each.partition_key) for each in kits]
        accessor = context["outlet_events"][outlet]
        accessor.extra = {
            "digest": kits[-1].digest,
            "reference": kits[-1].reference,
            "partition_keys": keys,
        }
        accessor.add_partitions(keys)
    return kits


def event_kits(context: Mapping[str, Any], inlet: Any) -> list[KitEvent]:
    """Return the kits that an inlet stands for in this run; see `parents.read_parents`."""
    found = kit_events(context, inlet)
    if found:
        return found
    events = context.get("inlet_events")
    try:
        known = list(events[inlet]) if events is not None else []
    except (KeyError, TypeError):
        return []
    began = _began(context)
    for event in sorted(known, key=_moment, reverse=True):
        kit = KitEvent.find(getattr(event, "extra", None))
        if kit is not None and (began is None or _moment(event) <= began):
            return [kit]
    return []


def _triggering(context: Mapping[str, Any], asset: Any) -> Iterator[Any]:
    groups = context.get("triggering_asset_events") or context.get("triggering_dataset_events")
    wanted = None if asset is None else repository_of(asset.uri)
    for key, events in _items(groups):
        uri = key if isinstance(key, str) else getattr(key, "uri", "")
        if wanted is None or repository_of(uri) == wanted:
            yield from events


def _items(groups: Any) -> Iterable[tuple[Any, Any]]:
    return groups.items() if groups is not None and hasattr(groups, "items") else ()


def _identity(kit: KitEvent, event: Any) -> tuple[str, ...]:
    """Return what makes an event the same when it is told again: a record, else its own time."""
    if kit.record is not None:
        return ("record", kit.record)
    return ("move", kit.reference, str(_moment(event)))


def _moment(event: Any) -> str:
    moment = getattr(event, "timestamp", None)
    return moment.isoformat() if isinstance(moment, datetime) else str(moment or "")


def _began(context: Mapping[str, Any]) -> str | None:
    run = context.get("dag_run")
    moment = getattr(run, "run_after", None) or getattr(run, "start_date", None)
    return moment.isoformat() if isinstance(moment, datetime) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
