"""Landing: the READY model becomes a kit, the kit gets its place, MLflow learns the digest.

Steps: describe as the importer does, pack and push in one pass, tag, register. What fails after
MLflow has the model never takes the model away; the message says which command goes on.
"""

from __future__ import annotations

import shlex
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import kitline
from kitline.errors import KitlineError, NotPushed, WriteBackFailed
from kitline.plugin import PinnedReference, Reference, without_passwords

from kitline_mlflow.importer import MODEL_ID, RUN_ID
from kitline_mlflow.log_model_reference import LAYOUTS, Place
from kitline_mlflow.redact import reason_of
from kitline_mlflow.register import RegisteredVersion, register_version
from kitline_mlflow.write_back import Landed, client_of, import_command, tag_all

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kitline.plugin import Collected
    from mlflow.entities import LoggedModel

    from kitline_mlflow.log_model_info import ModelKitInfo
    from kitline_mlflow.log_model_parts import Parts
    from kitline_mlflow.registration import Registration
    from kitline_mlflow.server import Server


@dataclass(kw_only=True)
class Landing:
    """One model on its way to a kit; `result` and `version` are known once it is there."""

    server: Server
    settings: kitline.Settings
    place: Place
    parts: Parts
    registration: Registration
    result: Any = None  # kitline's KitResult, which has no public name yet
    version: RegisteredVersion | None = None
    error: NotPushed | None = None
    warnings: list[str] = field(default_factory=list)

    @property
    def pinned(self) -> PinnedReference:
        """The kit that landed."""
        assert self.result is not None
        return PinnedReference.parse(str(self.result.reference))

    def land(
        self,
        collected: Collected,
        model: LoggedModel,
        *,
        known_as: tuple[str, Mapping[str, str]] | None = None,
    ) -> bool:
        """Pack, push and tag; answer whether the kit is there. `error` says why not.

        `known_as` is source and options of a model that has a kit already, as far as MLflow knows.

        Raises:
            WriteBackFailed: if it is there, MLflow was not told and the settings require it.
        """
        to = ""
        try:
            to = self._fill(collected, model)
            collected = self.parts.add_to(collected)
            if known_as is not None:
                source, options = known_as
                self.result = kitline.import_(source, to, options=options, settings=self.settings)
            else:
                self.result = kitline.pack_collected(collected, to, settings=self.settings)
        except WriteBackFailed:
            raise
        except Exception as cause:  # nine hours of training are not lost to a registry's error
            self.fail(f"models:/{model.model_id}", cause, to)
            return False
        self.warnings += self.result.warnings
        self._tell(collected, to)
        return True

    def fail(self, source: str, cause: Exception, to: str = "") -> None:
        """Note that MLflow has the model and there is no kit of it."""
        to = to or self.place.template or "REFERENCE"
        reason = str(cause) if isinstance(cause, KitlineError) else reason_of(cause)
        self.error = NotPushed(
            f"MLflow has the model {source!r}, but its kit {to!r} was not made:"
            f" {without_passwords(reason)}{self._with_parts(source, to)}",
            source=source,
            command=import_command(source, to, self.server.name),
        )
        self.error.__cause__ = cause

    def register(self, info: ModelKitInfo, inner: Mapping[str, bytes]) -> ModelKitInfo:
        """Make the version that was asked for, and put what is known now into `info`.

        Raises:
            WriteBackFailed: if there is no version and the settings require one.
        """
        if self.result is not None:
            self._register(info, inner)
            info.digest, info.receipt = self.result.digest, self.result.receipt
            info.reference = self.pinned
        if self.version is not None:
            info.version = self.version
            info.registered_model_version = int(self.version.version)
        info.warnings = tuple(self.warnings)
        return info

    def _register(self, info: ModelKitInfo, inner: Mapping[str, bytes]) -> None:
        name = self.registration.name
        if name is None:
            return
        try:
            self.version = register_version(
                client_of(self.server),
                name,
                self.pinned,
                model_id=str(info.model_id),
                run_id=info.run_id,
                register_as=self.registration.kind,
                aliases=self.registration.aliases,
                inner=inner,
            )
            self.warnings += self.version.warnings
        except Exception as error:  # whatever MLflow raises: the kit is there
            self._not_told(
                f"{name!r} got no version: {reason_of(error)}; run '{self._export(name)}'"
            )

    def finish(self, *, raises: bool) -> None:
        """Say what went wrong: warnings as such, a kit that did not land as it was asked for."""
        for each in self.warnings:
            warnings.warn(each, stacklevel=4)
        if self.error is None:
            return
        if raises:
            raise self.error
        warnings.warn(str(self.error), stacklevel=4)

    def _with_parts(self, source: str, to: str) -> str:
        """Say how the kit gets what was given beside the model, which `import` knows nothing of."""
        given = {name: [str(each) for each in paths] for name, paths in self.parts.drawers.items()}
        words = [f"{name}={paths!r}" for name, paths in given.items() if paths]
        if not words:
            return ""
        call = f"log_modelkit(model_uri={source!r}, reference={to!r}, {', '.join(words)})"
        return (
            f"; 'kitline_mlflow.{call}' makes it with what was given beside the model, the command"
            " from the model alone"
        )

    def _fill(self, collected: Collected, model: LoggedModel) -> str:
        experiment = self.server.client.get_experiment(model.experiment_id)
        return self.place.fill(
            experiment=str(experiment.name),
            name=str(model.name or model.model_id),
            model_id=str(model.model_id),
            run_id=collected.annotations.get(RUN_ID),
        )

    def _tell(self, collected: Collected, to: str) -> None:
        """Collect what the hook said; a kit of the local store is told here, no hook is called."""
        assert self.result is not None
        told = self.result.write_backs
        is_registry = not to.startswith(LAYOUTS) and not Reference.parse(to).is_bare
        if not is_registry and self.settings.write_back != "off":
            landed = Landed(
                reference=str(self.result.reference),
                digest=str(self.result.digest),
                run_id=collected.annotations.get(RUN_ID),
                model_id=collected.annotations.get(MODEL_ID),
                parents=tuple(sorted({str(each.digest) for each in collected.parents})),
            )
            again = import_command(collected.origin.source, to, self.server.name)
            told = (tag_all(self.server, landed, again=again),)
        for each in told:
            if each.warning is not None:
                self._not_told(each.warning)

    def _not_told(self, problem: str) -> None:
        assert self.result is not None
        if self.settings.write_back == "require":
            raise WriteBackFailed(
                f"pushed {self.result.reference}, but not written back: {problem}"
            )
        self.warnings.append(problem)

    def _export(self, name: str) -> str:
        assert self.result is not None
        words = [
            "kitline",
            "export",
            str(self.result.reference),
            "mlflow",
            "-o",
            f"register={name}",
        ]
        for alias in self.registration.aliases:
            words += ["-o", f"alias={alias}"]
        return shlex.join([*words, "-o", f"tracking_uri={self.server.name}"])
