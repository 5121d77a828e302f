"""Marks on half-made copies, so that what a killed export left at a server goes with the next one.

A copy carries a tag while it is made: which home of kitline makes it, and the name of a locked
folder there. A mark of this home whose folder is gone belongs to a process that has ended; one of
another home is believed for a day.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import kitline
from kitline.errors import TargetError
from kitline.plugin import LockedFolder

from kitline_mlflow import tags

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kitline.plugin import Kit
    from mlflow.entities import LoggedModel

    from kitline_mlflow.export_server import TargetServer

MARK = "kitline.exporting"
"""On a run and a logged model while an export makes them."""
_PREFIX = "export-"
_DAY = 24 * 3600


@contextmanager
def marked() -> Iterator[str]:
    """Return the mark of this export; it counts for as long as this process lives.

    Raises:
        TargetError: if kitline's home cannot be written.
    """
    place = _place()
    try:
        place.mkdir(parents=True, exist_ok=True)
        folder = LockedFolder(_PREFIX, place)
        mark = f"{_home_id(place)}/{folder.path.name}/{int(time.time())}"
    except OSError as cause:
        raise TargetError(
            f"cannot make a folder in {str(place)!r}: {cause.strerror}; KITLINE_HOME names another"
            " place"
        ) from cause
    with folder:
        yield mark


def remove_leftovers(server: TargetServer, experiment_id: str, kit: Kit) -> None:
    """Delete runs and models of this kit whose export was killed."""
    client = server.client
    query = f"tags.`{tags.DIGEST}` = '{kit.manifest.digest}'"
    models: list[LoggedModel] = list(
        client.search_logged_models([experiment_id], filter_string=query)
    )
    whole = [each for each in models if str(each.status) == "READY"]
    for model in models:
        if model not in whole and _is_dead((model.tags or {}).get(MARK)):
            delete_model(server, model.model_id)
    kept = {each.source_run_id for each in whole}
    for run in client.search_runs([experiment_id], query):
        if run.info.run_id not in kept and _is_dead(run.data.tags.get(MARK)):
            client.delete_run(run.info.run_id)


def unmark(server: TargetServer, run_id: str | None, model_id: str) -> None:
    """Take the marks off what is complete; one that stays is on something READY and harmless."""
    with contextlib.suppress(Exception):
        server.client.delete_logged_model_tag(model_id, MARK)
    with contextlib.suppress(Exception):
        if run_id is not None:
            server.client.delete_tag(run_id, MARK)


def delete_model(server: TargetServer, model_id: str) -> None:
    """Delete a logged model that is not READY; MLflow keeps pending ones from being deleted."""
    with contextlib.suppress(Exception):
        server.client.finalize_logged_model(model_id, "FAILED")
    server.client.delete_logged_model(model_id)


def _is_dead(mark: str | None) -> bool:
    """Tell whether the export that left a mark is over."""
    home, _, rest = (mark or "").partition("/")
    name, _, since = rest.partition("/")
    if not since.isdecimal() or not name.startswith(_PREFIX):
        return False  # no mark of ours
    place = _place()
    if home == _home_id(place):
        return not (place / name).exists()  # those of dead processes went when ours was made
    return time.time() - int(since) > _DAY


def _place() -> Path:
    return kitline.Settings.load().home / "mlflow-exports"


def _home_id(place: Path) -> str:
    """Return what tells this home from others; made once, by whoever comes first."""
    path = place / "id"
    if not path.exists():
        aside = place / f"id.{secrets.token_hex(8)}"
        aside.write_text(secrets.token_hex(8))
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(aside)
        aside.unlink()
    return path.read_text()
