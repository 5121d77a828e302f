"""A finished run on a cluster: what the API server tells, and the objects that it left.

Artifacts are found where KFP's launcher puts them: `<root>/<pipeline>/<run>/<task>/<salt>/<name>`.
Metadata of artifacts, and with it metrics, is kept in MLMD only, which nothing here reads.
"""

from __future__ import annotations

import os
import re
import warnings
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kitline.errors import SourceError, UsageError
from kitline.plugin import without_passwords

from kitline_kfp.object_store import FsspecStore, ObjectSource
from kitline_kfp.pipeline_spec import PipelineSpec
from kitline_kfp.run_reader import RunArtifact, RunTask

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kitline_kfp.object_store import ObjectStore, StoredObject

_ADDRESS = re.compile(r"(?P<host>[^?#]+?)/runs/(?P<run>[A-Za-z0-9][A-Za-z0-9-]{0,62})\Z")
_SEGMENT = re.compile(r"[^/\\\s.][^/\\]{0,255}\Z")
_TOKEN = "KITLINE_KFP_TOKEN"
_STORES = ("s3://", "minio://", "gs://", "az://", "abfs://")


@dataclass(frozen=True, kw_only=True)
class ClusterRun:
    """A RunReader over a V2beta1Run, as JSON, and an object store."""

    run: Mapping[str, Any]
    server: str
    objects: ObjectStore

    @property
    def run_id(self) -> str:
        """The UUID of the run."""
        return str(self.run.get("run_id", ""))

    @property
    def times(self) -> tuple[str | None, str | None]:
        """When the run was made and when it ended."""
        return _time(self.run.get("created_at")), _time(self.run.get("finished_at"))

    @property
    def pipeline(self) -> str:
        """The name of the pipeline, the first folder below the root."""
        return str(_object(self._spec.get("pipelineInfo")).get("name") or "")

    @property
    def _spec(self) -> Mapping[str, Any]:
        spec = _object(self.run.get("pipeline_spec"))
        return _object(spec.get("pipeline_spec")) or spec  # a platform's settings may lie around it

    def tasks(self) -> Sequence[RunTask]:
        """Return the tasks that ended well, with the outputs that lie in the object store.

        Raises:
            SourceError: if the run has not ended well, or its objects cannot be read.
        """
        state = self.run.get("state")
        if state != "SUCCEEDED":
            raise SourceError(f"run {self.run_id!r} is {state}, not SUCCEEDED")
        if not _SEGMENT.match(self.pipeline):
            raise SourceError(f"run {self.run_id!r} does not tell the name of its pipeline")
        kinds = PipelineSpec.from_json(self._spec)
        prefix = f"{self.pipeline}/{self.run_id}/"
        by_task: dict[str, list[StoredObject]] = {}
        for each in self.objects.list(prefix):
            task = each.key.removeprefix(prefix).partition("/")[0]
            by_task.setdefault(task, []).append(each)
        done = self._done()
        if not by_task:
            raise SourceError(
                f"the object store has nothing below {prefix!r}; name the pipeline root with -o"
                " objects=ADDRESS, such as s3://mlpipeline/v2/artifacts"
            )
        return tuple(
            RunTask(name=task, artifacts=self._artifacts(task, f"{prefix}{task}/", found, kinds))
            for task, found in sorted(by_task.items())
            if done is None or task in done
        )

    def _done(self) -> set[str] | None:
        """Return the names of tasks that ended well; None if the server tells no tasks."""
        details = _object(self.run.get("run_details")).get("task_details")
        if not isinstance(details, list) or not details:
            return None
        return {
            str(each.get("display_name"))
            for each in map(_object, details)
            if each.get("state") in ("SUCCEEDED", "SKIPPED")
        }

    def _artifacts(
        self, task: str, prefix: str, found: Sequence[StoredObject], kinds: PipelineSpec
    ) -> tuple[RunArtifact, ...]:
        groups: dict[str, dict[str, list[StoredObject]]] = {}
        for each in found:
            salt, _, rest = each.key.removeprefix(prefix).partition("/")
            name = rest.partition("/")[0]
            if name:
                groups.setdefault(name, {}).setdefault(salt, []).append(each)
        return tuple(
            self._artifact(task, name, prefix, by_salt, kinds)
            for name, by_salt in sorted(groups.items())
        )

    def _artifact(
        self,
        task: str,
        name: str,
        prefix: str,
        by_salt: Mapping[str, Sequence[StoredObject]],
        kinds: PipelineSpec,
    ) -> RunArtifact:
        # each attempt at a task has a salt of its own: the last one is what the run handed on
        salt = max(by_salt, key=lambda each: max(one.modified for one in by_salt[each]))
        said: tuple[str, ...] = ()
        if len(by_salt) > 1:
            said = (
                f"output {task}/{name} was written {len(by_salt)} times, by attempts or rounds of a"
                " loop; the last was taken",
            )
        source = partial(
            ObjectSource,
            store=self.objects,
            key=f"{prefix}{salt}/{name}",
            objects=tuple(by_salt[salt]),
            warnings=said,
        )
        return RunArtifact(task=task, name=name, kind=kinds.find(task, name), open=source)


def open_cluster_run(address: str, *, objects: str = "", namespace: str = "") -> ClusterRun:
    """Ask an API server for a run, `HOST/runs/ID`.

    Plain HTTP is spoken to loopback only. A bearer token comes from `KITLINE_KFP_TOKEN`, other
    credentials from where kfp's own client looks.

    Raises:
        UsageError: if the address cannot be understood.
        SourceError: if there is no such run, or the server cannot be reached.
    """
    host, run_id = _split(address)
    server = _server(host)
    run = _ask(server, run_id, namespace)
    root = objects or str(_object(run.get("runtime_config")).get("pipeline_root") or "")
    if not root:
        raise UsageError(
            f"run {run_id!r} does not tell where its outputs lie; name the pipeline root with -o"
            " objects=ADDRESS, such as s3://mlpipeline/v2/artifacts"
        )
    if not objects and (not root.startswith(_STORES) or "::" in root):
        # a server may not lead anybody to files of their own machine, or to other servers
        raise SourceError(
            f"run {run_id!r} says that its outputs lie at {without_passwords(root)!r}, which is no"
            " object store; if that is right, name it with -o objects=ADDRESS"
        )
    return ClusterRun(run=run, server=server, objects=FsspecStore(root))


def _split(address: str) -> tuple[str, str]:
    found = _ADDRESS.match(address)
    shown = without_passwords(f"kfp://{address}")
    if found is None:
        raise UsageError(f"{shown!r} is not 'kfp://HOST/runs/ID'")
    if "@" in found["host"]:
        raise UsageError(f"{shown!r} holds a password; set {_TOKEN} instead")
    return found["host"], found["run"]


def _server(host: str) -> str:
    parts = urlsplit(f"//{host}")
    name = parts.hostname or ""
    is_loopback = name in ("localhost", "127.0.0.1", "::1")
    return f"{'http' if is_loopback else 'https'}://{host}"


def _ask(server: str, run_id: str, namespace: str) -> dict[str, Any]:
    import kfp

    more: dict[str, Any] = {"namespace": namespace} if namespace else {}
    if token := os.environ.get(_TOKEN):
        more["existing_token"] = token
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # it says which servers it works with
        try:
            client = kfp.Client(host=server, **more)
            found = client.get_run(run_id).to_dict()
        except Exception as cause:
            raise SourceError(
                f"cannot read run {run_id!r} of {server}: {_reason(cause)}"
            ) from cause
    if not isinstance(found, dict) or found.get("run_id") != run_id:
        raise SourceError(f"{server} answered something else than run {run_id!r}")
    return found


def _reason(cause: BaseException) -> str:
    status = getattr(cause, "status", None)
    if status == 404:
        return "there is no such run"
    if status in (401, 403):
        return f"the server refuses (status {status}); set {_TOKEN}"
    if status:
        return f"the server answered with status {status}"
    return without_passwords(" ".join(str(cause).split())) or type(cause).__name__


def _object(value: object) -> Mapping[str, Any]:
    """Return what a server said, or nothing if it is no object."""
    return value if isinstance(value, dict) else {}


def _time(value: object) -> str | None:
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, str) and len(value) < 64 and value.isprintable() else None
