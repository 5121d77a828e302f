"""Loading a kit for a training step, which then counts among what its models were made from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kitline.plugin import Parent

if TYPE_CHECKING:
    from typing import Literal

    from kitline.plugin import Reference

    from kitline_mlflow.uri import ModelkitURI

_USED: dict[str | None, dict[tuple[str, str], Parent]] = {}
"""Kits by the run that used them, None for those used outside of any run; lost with the process."""


def load_modelkit(
    reference: str | Reference | ModelkitURI,
    folder: str | Path | None = None,
    *,
    path: str = "",
    role: str = "data",
    existing: Literal["refuse", "replace", "skip"] = "refuse",
) -> Path:
    """Fetch a kit, or one path of it, and remember it as used by the active run.

    `path` is a drawer's word such as `datasets`, or a path in the unpacked tree. Without `folder`
    the result lies in the cache and is read-only; in a folder it has the same path below it as in
    the kit. `log_model` records what was remembered as parents of the models that the run logs
    afterwards.

    Raises:
        TargetError: if `folder` holds files of the same names, unless `existing` says otherwise.
        NotFound: if there is no such kit, or nothing at the path.
    """
    from kitline_mlflow.cache import fetch, pin, unpack

    uri = pin(reference, path)
    found = fetch(uri) if folder is None else unpack(uri, Path(folder), existing=existing)
    remember(uri, role=role)
    return found


def remember(uri: ModelkitURI, *, role: str = "data") -> Parent:
    """Note a pinned kit as used by the active run of this process, or outside of any run."""
    import mlflow

    assert uri.reference.digest is not None  # what was read had a digest
    parent = Parent(
        digest=uri.reference.digest,
        role=role,
        reference=str(uri.reference.pin(uri.reference.digest)),
    )
    run = mlflow.active_run()
    used = _USED.setdefault(run.info.run_id if run else None, {})
    return used.setdefault((str(parent.digest), role), parent)


def used_kits(run_id: str | None) -> tuple[Parent, ...]:
    """Return the kits that a run has used in this process so far, sorted; None: outside a run."""
    return tuple(used for _, used in sorted(_USED.get(run_id, {}).items()))
