"""Assets: one for each repository; the digest is in their events, and in partition keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kitline_airflow.asset_uris import asset_uri, repository_of
from kitline_airflow.connection import DEFAULT
from kitline_airflow.polling import INTERVAL

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Asset


def modelkit_asset(
    repository: str,
    *,
    stage: str | None = None,
    tag: str | None = None,
    name: str | None = None,
    role: str | None = None,
    **fields: Any,
) -> Asset:
    """Return the asset of a repository, for `outlets`, `inlets` and `schedule`.

    With `stage` or `tag` it is the asset of what moves that name, another one: promotions usually
    have outlets of their own.

    Args:
        repository: `registry/repository`; a tag or digest is left away, for an asset per digest
            could not be subscribed to.
        stage: A stage such as `production`.
        tag: A tag.
        name: Its name in Airflow 3; by default the repository.
        role: What kits of it are to kits made from them: `data` by default, `base`, `code`.
        fields: What else an asset of Airflow takes.

    Raises:
        ValueError: if it names no registry and repository.
    """
    from airflow.providers.common.compat.sdk import Asset

    moves = {"stage": stage} if stage else {"tag": tag} if tag else {}
    uri = asset_uri(repository, **moves)
    extra = {**fields.pop("extra", {}), **({"role": role} if role else {})}
    if extra:
        fields["extra"] = extra
    if _has_names():
        moved = ":" + (stage or tag or "") if moves else ""
        fields["name"] = name or f"{repository_of(uri)}{moved}"
    return Asset(uri=uri, **fields)


def watch_tag(
    reference: str,
    *,
    modelkit_conn_id: str | None = DEFAULT,
    interval: float = INTERVAL,
    name: str | None = None,
    **fields: Any,
) -> Asset:
    """Return an asset that gets an event when a tag has moved (Airflow 3).

    `reference` is `registry/repository:tag`. Look at `TagMovedTrigger` for what is told.
    """
    from kitline_airflow.triggers import TagMovedTrigger

    tag = reference.rpartition("/")[2].partition(":")[2]
    if not tag:
        raise ValueError(f"{reference!r} names no tag to watch; write 'registry/repository:tag'")
    name = name or reference
    trigger = TagMovedTrigger(reference, modelkit_conn_id, interval, name)
    return modelkit_asset(
        reference.removesuffix(f":{tag}"),
        tag=tag,
        name=name,
        watchers=_watcher(name, trigger),
        **fields,
    )


def watch_stage(
    repository: str,
    stage: str,
    *,
    modelkit_conn_id: str | None = DEFAULT,
    interval: float = INTERVAL,
    name: str | None = None,
    replay: str = "latest",
    **fields: Any,
) -> Asset:
    """Return an asset that gets an event for each promotion and rollback of a stage (Airflow 3).

    Look at `StageMovedTrigger` for what is told.
    """
    from kitline_airflow.triggers import StageMovedTrigger

    name = name or f"{repository}:{stage}"
    trigger = StageMovedTrigger(repository, stage, modelkit_conn_id, interval, name, replay)
    return modelkit_asset(
        repository, stage=stage, name=name, watchers=_watcher(name, trigger), **fields
    )


def create_asset(
    *, reference: str | None = None, repository: str | None = None, extra: Any = None
) -> Asset:
    """Return the asset of a kit, for hooks that report lineage; Airflow calls this by scheme."""
    return modelkit_asset(str(reference or repository), extra=dict(extra or {}))


def _watcher(name: str, trigger: Any) -> list[Any]:
    try:
        from airflow.sdk import AssetWatcher
    except ImportError as cause:
        raise ImportError(
            "asset watchers need Airflow 3; on Airflow 2 wait with ModelKitSensor and skip what was"
            " handled with ModelKitNewDigestOperator"
        ) from cause
    return [AssetWatcher(name=f"{name} moves", trigger=trigger)]


def _has_names() -> bool:
    from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

    return bool(AIRFLOW_V_3_0_PLUS)
