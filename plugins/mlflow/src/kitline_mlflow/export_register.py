"""Exports that copy nothing: a version whose source is the digest, or a pointer of a few KB."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.errors import SourceError, TargetError, UsageError
from kitline.plugin import ExportResult, PinnedReference

from kitline_mlflow.export_model import SmallFilesLater, find_inner_model
from kitline_mlflow.export_server import EXPORTED
from kitline_mlflow.importer import MODEL_ID
from kitline_mlflow.log_pointer import log_pointer
from kitline_mlflow.register import register_version

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kitline.plugin import Kit

    from kitline_mlflow.export_model import InnerModel
    from kitline_mlflow.export_options import ExportOptions
    from kitline_mlflow.export_server import TargetServer
    from kitline_mlflow.register import RegisteredVersion

DEFAULT_EXPERIMENT = "Default"


def export_source(kit: Kit, options: ExportOptions, server: TargetServer) -> ExportResult:
    """Register the digest itself; no file is read and none is copied.

    Raises:
        UsageError: if no name is given, or the kit lies where MLflow cannot name it.
        TargetError: if the server refuses for good.
    """
    if options.register is None:
        raise UsageError("'-o as=source' makes a version: add '-o register=NAME'")
    pinned = pinned_for_mlflow(kit)
    with server.explained(f"register {str(pinned)!r} as {options.register!r}"):
        version = register_version(
            server.client,
            options.register,
            pinned,
            register_as="modelkit",
            inner=SmallFilesLater(kit),  # read only if the server refuses the source
        )
        moved = set_aliases(server, options, version)
    _check_source(version, pinned)
    return ExportResult(
        target=version.uri,
        existed=version.existed and not moved,
        warnings=(*version.warnings, *_cautions(kit, pinned, server)),
    )


def export_pointer(kit: Kit, options: ExportOptions, server: TargetServer) -> ExportResult:
    """Log the pointer model, and register it if a name is given.

    Raises:
        SourceError: if the kit holds no MLflow model at the top of its model drawer.
        TargetError: if the server refuses.
    """
    pinned = pinned_for_mlflow(kit)
    experiment = options.experiment or DEFAULT_EXPERIMENT
    existing = server.find_logged_model(experiment, kit, "pointer")
    if existing is not None and options.register is None:
        return ExportResult(target=f"models:/{existing.model_id}", existed=True)
    inner = find_inner_model(kit)
    _check_folder(kit, inner)
    cautions = tuple(_local_caution(pinned, server))
    experiment_id = server.experiment_id(experiment)
    with server.explained(f"log a pointer to {str(pinned)!r}"):
        if options.register is not None:
            version = register_version(
                server.client,
                options.register,
                pinned,
                register_as="pointer",
                inner=inner.small,
                experiment_id=experiment_id,
            )
            moved = set_aliases(server, options, version)
            return ExportResult(
                target=version.uri,
                existed=version.existed and not moved,
                warnings=(*version.warnings, *cautions),
            )
        name = str(pinned.repository.rpartition("/")[2])
        model_id = log_pointer(
            server.client, pinned, name=name, experiment_id=experiment_id, inner=inner.small
        )
        server.client.set_logged_model_tags(model_id, {EXPORTED: "pointer"})
    return ExportResult(target=f"models:/{model_id}", warnings=cautions)


def set_aliases(server: TargetServer, options: ExportOptions, version: RegisteredVersion) -> bool:
    """Point the aliases at a version; tell whether any pointed elsewhere before."""
    if not options.aliases:
        return False
    pointing = server.client.get_registered_model(version.name).aliases
    wrong = [each for each in options.aliases if str(pointing.get(each)) != version.version]
    for alias in wrong:
        server.client.set_registered_model_alias(version.name, alias, version.version)
    return bool(wrong)


def pinned_for_mlflow(kit: Kit) -> PinnedReference:
    """Return the pinned reference that MLflow can keep.

    Raises:
        UsageError: if the kit lies in a folder or an archive.
    """
    if isinstance(kit.reference, PinnedReference):
        return kit.reference
    raise UsageError(
        f"{str(kit.reference)!r} has no name that MLflow could keep; push the kit to a registry"
        " with 'kitline copy', or use '-o as=copy'"
    )


def _check_source(version: RegisteredVersion, pinned: PinnedReference) -> None:
    """A tag can be written by anybody, so a version that was there is compared by its source."""
    if version.kind == "modelkit" and f"@{pinned.digest}" not in version.source:
        raise TargetError(
            f"{version.uri!r} has the tag of {str(pinned.digest)!r}, but its source is"
            f" {version.source!r}; remove the tag or the version, then export again"
        )


def _check_folder(kit: Kit, inner: InnerModel) -> None:
    """A pointer names the drawer, not a folder within it."""
    parts = [part for part in kit.kitfile.parts() if part.field == "model"]
    expected = parts[0].clean_path if parts else ""
    if inner.folder != ("" if expected == "." else expected):
        raise SourceError(
            f"the MLmodel of {str(kit.reference)!r} lies in {inner.folder!r} and its model drawer"
            f" is {expected!r}; pack it so that both are one folder, or use '-o as=copy'"
        )


def _cautions(kit: Kit, pinned: PinnedReference, server: TargetServer) -> Iterator[str]:
    yield from _local_caution(pinned, server)
    if MODEL_ID not in kit.manifest.annotations:
        yield (
            f"{str(pinned)!r} was not imported from MLflow: the version can be downloaded, and"
            " loads only if the kit's model drawer holds an MLmodel"
        )


def _local_caution(pinned: PinnedReference, server: TargetServer) -> Iterator[str]:
    if pinned.is_bare and server.is_shared:
        yield (
            f"{str(pinned)!r} lies in the local store, which other machines cannot read;"
            " push it and export the reference with the registry"
        )
