"""What runs inside a step; for the bodies of people's own components too.

    from kitline_kfp import steps

    folder = steps.fetch(data)
    return steps.push(to, model="model.pkl", parents={"data": data}, kit=kit)

Nothing here imports kfp: inside a step (`_KFP_RUNTIME`) half of it cannot be imported. Names are
loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.plugin import lazy_names

if TYPE_CHECKING:
    from kitline_kfp.steps.convert import import_source
    from kitline_kfp.steps.evaluation import evaluate
    from kitline_kfp.steps.fetching import Fetched, fetch
    from kitline_kfp.steps.name import resolve, tag
    from kitline_kfp.steps.promoting import promote
    from kitline_kfp.steps.pulling import pull
    from kitline_kfp.steps.pushed import Pushed, leave_receipt
    from kitline_kfp.steps.pushing import push, push_folder
    from kitline_kfp.steps.report import lineage_report
    from kitline_kfp.steps.run import find_invocation
    from kitline_kfp.steps.verifying import verify

__all__ = [
    "Fetched",
    "Pushed",
    "evaluate",
    "fetch",
    "find_invocation",
    "import_source",
    "leave_receipt",
    "lineage_report",
    "promote",
    "pull",
    "push",
    "push_folder",
    "resolve",
    "tag",
    "verify",
]

_HOMES = {
    "Fetched": ".fetching",
    "Pushed": ".pushed",
    "evaluate": ".evaluation",
    "fetch": ".fetching",
    "find_invocation": ".run",
    "import_source": ".convert",
    "leave_receipt": ".pushed",
    "lineage_report": ".report",
    "promote": ".promoting",
    "pull": ".pulling",
    "push": ".pushing",
    "push_folder": ".pushing",
    "resolve": ".name",
    "tag": ".name",
    "verify": ".verifying",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
