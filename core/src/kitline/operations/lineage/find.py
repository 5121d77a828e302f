"""Find: from any tool's id to the kits that it is about, by the lineage index."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.errors import UsageError
from kitline.lineage.facts import DVC_MD5, GIT_COMMIT, MLFLOW_RUN
from kitline.lineage.query import read_graph, select_by_id
from kitline.operations.defaults import settings_or_default
from kitline.operations.lineage.index import answer, open_index, refresh_local
from kitline.operations.stores import Stores

if TYPE_CHECKING:
    from kitline.lineage.graph import Node
    from kitline.operations.settings import Settings

KINDS = ("digest", MLFLOW_RUN, GIT_COMMIT, DVC_MD5)


def find(kind: str, value: str, *, settings: Settings | None = None) -> list[Node]:
    """Return the kits that a tool knows as `value`, sorted by digest.

    `kind` is `digest` (of a kit, or of a layer in it), `mlflow-run`, `git-commit` or `dvc-md5`.
    Kits are those of the local store, those that were written from here, and those of registries
    that `index_lineage` has read.

    Raises:
        UsageError: if there is no such kind.
    """
    if kind not in KINDS:
        raise UsageError(f"cannot find by {kind!r}; choose one of {', '.join(KINDS)}")
    settings = settings_or_default(settings)
    return answer(lambda: _find(kind, value, settings))


def _find(kind: str, value: str, settings: Settings) -> list[Node]:
    with Stores(settings) as stores, open_index(settings) as index:
        refresh_local(index, stores)
        select_by_id(index, kind, value.rpartition("@")[2] if kind == "digest" else value)
        return read_graph(index)[0]
