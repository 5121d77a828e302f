"""Parents: the kits that a task's kit is made from, from XCom references and from inlets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kitline_airflow.asset_uris import repository_of
from kitline_airflow.events import event_kits
from kitline_airflow.inputs import read_reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

DATA = "data"
_ROLE = re.compile(r"(?P<role>[A-Za-z0-9][A-Za-z0-9._-]*)=(?P<rest>.+)\Z", re.DOTALL)


def read_parents(
    given: Any,
    context: Mapping[str, Any],
    inlets: Iterable[Any],
    locate: Callable[[str], str],
) -> list[str]:
    """Return each parent once, as `role=reference`, in the order in which they are named.

    An inlet stands for the kits whose events started this run; if none of its events did, for its
    newest kit before the run began, so that a retry finds the same.
    """
    found = dict.fromkeys(_named(each, locate) for each in _listed(given))
    for inlet in inlets or ():
        uri = getattr(inlet, "uri", "")
        if not uri or repository_of(uri) is None:
            continue
        role = (getattr(inlet, "extra", None) or {}).get("role", DATA)
        for kit in event_kits(context, inlet):
            if not any(each.endswith(kit.digest) for each in found):
                found[f"{role}={kit.reference}"] = None
    return list(found)


def _listed(given: Any) -> list[Any]:
    if given is None or given == "":
        return []
    if isinstance(given, str) or hasattr(given, "keys"):
        return [given]
    return [each for each in given if each is not None]


def _named(given: Any, locate: Callable[[str], str]) -> str:
    role = DATA
    if isinstance(given, str) and (match := _ROLE.match(given.strip())):
        role, given = match["role"], match["rest"]
    return f"{role}={locate(read_reference(given))}"
