"""A kit as a dataset of MLflow: `mlflow.data.load_modelkit(reference)`.

MLflow imports this module while it is half imported, and drops the constructor if that fails.
"""

from typing import Any  # annotations are read by MLflow, so they are no texts here

from mlflow.data.dataset import Dataset
from mlflow.data.dataset_source import DatasetSource

DATASETS = "datasets"
"""The drawer's word."""
_LONGEST = 36
"""Characters that MLflow's databases keep of a dataset's digest."""


class ModelKitDataset(Dataset):
    """Data in a kit; its source is the pinned address, its digest the beginning of the kit's.

    Log it with `mlflow.log_input(dataset, tags=dataset.tags)`, so that the kit is found by its
    whole digest.
    """

    def __init__(
        self,
        source: DatasetSource,
        kit_digest: str,
        name: str | None = None,
        digest: str | None = None,
    ) -> None:
        self.kit_digest = kit_digest
        """The digest of the kit, `sha256:…`."""
        super().__init__(source=source, name=name, digest=digest)

    def _compute_digest(self) -> str:
        return self.kit_digest.partition(":")[2][:_LONGEST]

    @property
    def tags(self) -> dict[str, str]:
        """The tag of a dataset input that makes the run's models descend from this kit."""
        return {"kitline.digest": self.kit_digest}

    @property
    def profile(self) -> Any | None:
        """The digest of the kit as a whole."""
        return self.tags

    @property
    def schema(self) -> Any | None:
        """None: kitline does not look into the data."""
        return None

    def to_dict(self) -> dict[str, str]:
        """Return what MLflow keeps of a dataset."""
        import json

        return {**super().to_dict(), "profile": json.dumps(self.profile)}

    def load(self) -> str:
        """Return the data as a local path, below the cache."""
        path: str = self.source.load()
        return path


def load_modelkit(
    reference: str, name: str | None = None, digest: str | None = None, path: str = ""
) -> ModelKitDataset:
    """Return a kit's datasets, or another path in it, as a dataset; only its manifest is read.

    A tag is looked up once. The active run remembers the kit as something that it used.

    Raises:
        MlflowException: if there is no such kit.
    """
    from mlflow.data.dataset_source_registry import resolve_dataset_source

    from kitline_mlflow.cache import outline, pin
    from kitline_mlflow.load import remember
    from kitline_mlflow.repo_reading import as_mlflow_errors

    with as_mlflow_errors():
        uri = pin(reference, path)
        if not uri.path and any(part.drawer == DATASETS for part in outline(uri).parts):
            uri = pin(uri, DATASETS)
        remember(uri)
        source = resolve_dataset_source(uri.text)
        return ModelKitDataset(
            source=source,
            kit_digest=str(uri.reference.digest),
            name=name or uri.reference.repository.rpartition("/")[2],
            digest=digest,
        )
