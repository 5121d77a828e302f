"""Doctor: what works here and against a registry, and why not. Nothing is left behind."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import asdict
from typing import TYPE_CHECKING

from kitline.errors import KitlineError, UsageError
from kitline.frozen import dataclass
from kitline.oci.reference import Reference
from kitline.operations.defaults import settings_or_default
from kitline.operations.stores import Stores

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kitline.operations.settings import Settings
    from kitline.store.registry.probe import Probe

PROBED = "kitline/doctor"
"""The repository that is asked about where only a registry is named."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One finding; `state` is `ok`, `note` (works, but mind) or `bad`."""

    name: str
    state: str
    finding: str

    def to_json(self) -> dict[str, str]:
        """Return the finding as `--json` prints it."""
        return asdict(self)


def doctor(target: str | None = None, *, settings: Settings | None = None) -> list[Check]:
    """Check the local store and, with `registry[/repository]`, what can be done there."""
    settings = settings_or_default(settings)
    checks = [_local(settings)]
    if target is None:
        return checks
    reference = read_target(target)
    with Stores(settings) as stores:
        from kitline.store.registry import RegistryStore

        store = stores.open(reference)
        assert isinstance(store, RegistryStore)
        checks += _registry(store.probe(), reference, asked=target)
        checks += _tags(store, reference, asked=target)
    return checks


def read_target(target: str) -> Reference:
    """Read `registry` or `registry/repository`; a tag or digest is left away."""
    text = target.removesuffix("/")
    reference = Reference.parse(text if "/" in text else f"{text}/{PROBED}")
    if reference.registry is None:
        raise UsageError(f"{target!r} names no registry; write 'host[:port][/repository]'")
    return reference.with_tag(None)


def _local(settings: Settings) -> Check:
    folder = settings.store_folder
    existing = _existing(folder)
    try:
        with tempfile.TemporaryFile(dir=existing):  # asking for rights says too much as root
            free = shutil.disk_usage(existing).free
    except OSError:
        problem = f"{str(folder)!r} cannot be written; set KITLINE_HOME to a folder that can"
        return Check(name="local store", state="bad", finding=problem)
    finding = f"{str(folder)!r}, {free >> 30} GiB free"
    return Check(name="local store", state="note" if free < 1 << 30 else "ok", finding=finding)


def _existing(folder: Path) -> Path:
    return next(each for each in (folder, *folder.parents) if each.exists())


def _registry(probe: Probe, reference: Reference, *, asked: str) -> Iterator[Check]:
    if not probe.reachable:
        yield Check(name="registry", state="bad", finding=probe.problem)
        return
    server = f" ({probe.server})" if probe.server else ""
    yield Check(name="registry", state="ok", finding=f"{probe.address} answers{server}")
    yield _transport(probe)
    if probe.proxy:
        yield Check(name="proxy", state="note", finding=f"requests go through {probe.proxy}")
    wanted = {"none": "asks for no credentials", "": "its way to log in is not known"}
    scheme = wanted.get(probe.auth, f"asks for {probe.auth} authentication")
    found = probe.credential or "no credentials found"
    yield Check(name="credentials", state="ok", finding=f"the registry {scheme}; {found}")
    about = reference.repository if "/" in asked else "a repository"
    yield _right("pull", probe.can_pull, probe.pull_problem, about)
    yield _right("push", probe.can_push, probe.push_problem, about)
    if probe.has_referrers_api is None:
        return
    finding = (
        "the registry lists referrers itself"
        if probe.has_referrers_api
        else "no referrers API; tags and the fallback index are used"
    )
    yield Check(name="referrers", state="ok", finding=finding)


def _transport(probe: Probe) -> Check:
    if not probe.is_encrypted:
        return Check(name="transport", state="note", finding="plain HTTP, nothing is encrypted")
    if not probe.is_verified:
        return Check(name="transport", state="note", finding="TLS, certificate not checked")
    return Check(name="transport", state="ok", finding="TLS, certificate checked")


def _right(name: str, can: bool, problem: str, about: str) -> Check:
    if can:
        return Check(name=name, state="ok", finding=f"allowed in {about}")
    return Check(name=name, state="bad", finding=problem or f"not allowed in {about}")


def _tags(store: object, reference: Reference, *, asked: str) -> Iterator[Check]:
    from kitline.store.interface import Store

    if "/" not in asked:
        return
    assert isinstance(store, Store)
    try:
        count = len(store.list_tags())
    except KitlineError as cause:
        yield Check(name="tags", state="note", finding=str(cause))
        return
    tags = "1 tag" if count == 1 else f"{count} tags"
    finding = f"{tags} in {reference.repository}; whether they can move shows only when one does"
    yield Check(name="tags", state="ok", finding=finding)
