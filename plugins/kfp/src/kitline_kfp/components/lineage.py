"""lineage_report: a page that shows what a kit was made from, beside the step in KFP."""

from typing import NamedTuple, Optional, Sequence

from kfp.dsl import HTML, Output

from kitline_kfp.components.factory import make_component


def lineage_report(
    modelkit: str,
    report: Output[HTML],
    depth: int = 0,
) -> NamedTuple("Outputs", [("digest", str), ("reference", str)]):  # type: ignore[valid-type]
    """Show what a ModelKit was made from, and what was made from it, as one HTML page.

    Switch KFP's cache off for this task: what is made from a kit comes later. The function
    kitline_kfp.lineage_report does so; this form cannot carry the flag.

    Args:
        modelkit: registry/repository@sha256:…
        report: The page.
        depth: How many hops; 0 for all.
    """
    from kitline_kfp import steps

    return steps.lineage_report(modelkit, report, depth=depth)


def lineage_report_component(
    base_image: Optional[str] = None, packages_to_install: Optional[Sequence[str]] = None
) -> object:
    """Return the component; `packages_to_install=()` installs nothing, for local tests."""
    return make_component(
        lineage_report, base_image=base_image, packages_to_install=packages_to_install
    )
