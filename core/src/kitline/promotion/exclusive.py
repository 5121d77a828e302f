"""One at a time: the lock under which a stage of the local store moves.

A layout is the only store that can promise this; registries have no lock, so there the records
decide afterwards.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from kitline.store.file_lock import locked_folder
from kitline.store.layout import LayoutStore

if TYPE_CHECKING:
    from kitline.store.interface import Store


def exclusive(store: Store) -> AbstractContextManager[None]:
    """Keep other processes and threads from moving stages of this store, where that can be."""
    if isinstance(store, LayoutStore) and store.exists():
        return locked_folder(store.folder)
    return nullcontext()
