"""OpenLineage: kits as datasets whose version is the digest; loaded only when asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kitline_airflow.asset_uris import repository_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def operator_lineage(done: Mapping[str, Any] | None, inputs: Iterable[str]) -> Any:
    """Return what went in and came out of a task: references of kits, by digest."""
    from airflow.providers.openlineage.extractors import OperatorLineage

    found = [each for text in inputs if (each := dataset(text)) is not None]
    made = dataset(str(done["reference"])) if done else None
    parents = (done or {}).get("receipt") or {}
    for each in parents.get("parents", ()):
        parent = dataset(str(each.get("reference") or ""))
        if parent is not None and parent not in found:
            found.append(parent)
    return OperatorLineage(inputs=found, outputs=[made] if made is not None else [])


def dataset(reference: str) -> Any:
    """Return a kit as a dataset, `oci://<registry>` and `<repository>`; None if it is none."""
    from kitline.errors import KitlineError
    from kitline.plugin import Reference
    from openlineage.client.event_v2 import Dataset
    from openlineage.client.facet_v2 import dataset_version_dataset

    try:
        found = Reference.parse(reference)
    except KitlineError:
        return None
    if found.digest is None:
        return None
    version = dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=str(found.digest))
    return Dataset(
        namespace=f"oci://{found.registry or 'local'}",
        name=found.repository,
        facets={"version": version},
    )


def convert_asset(asset: Any, lineage_context: Any) -> Any:
    """Return an asset `modelkit://registry/repository` as a dataset, for Airflow's own lineage."""
    from openlineage.client.event_v2 import Dataset

    repository = repository_of(asset.uri)
    if repository is None:
        return None
    registry, _, name = repository.partition("/")
    return Dataset(namespace=f"oci://{registry}", name=name)
