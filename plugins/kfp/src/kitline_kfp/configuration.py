"""Configuration of all components at once: image, packages, registry, credentials by name.

Set it where pipelines are written, with `configure(...)` or in the environment as `KITLINE_KFP_…`;
it is read when a task is made. Secrets are named and never held here.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from kitline.errors import InvalidReference, InvalidSetting
from kitline.plugin import Reference, cloud_of, without_passwords

from kitline_kfp.versions import BASE_IMAGE, CONTAINER_IMAGE, PACKAGES, pin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PREFIX = "KITLINE_KFP_"


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """What the components of a pipeline have in common."""

    base_image: str = BASE_IMAGE
    """Of the Python components."""
    container_image: str = CONTAINER_IMAGE
    """Of the container components."""
    packages: tuple[str, ...] = PACKAGES
    """What pip installs in each step; empty for an image that holds it already.

    For a `registry` of AWS, Azure or Google Cloud, what its workload identity needs comes with it.
    """
    index_urls: tuple[str, ...] = ()
    """Package indexes, without passwords: these would be in the pipeline for all to read."""
    registry: str | None = None
    """In front of references that name none: `registry[/path]`."""
    docker_config_secret: str | None = None
    """A Kubernetes secret with the key `config.json`."""
    ca_secret: str | None = None
    """A Kubernetes secret with the key `ca.crt`."""
    ca_config_map: str | None = None
    """A Kubernetes config map with the key `ca.crt`."""
    policy_config_map: str | None = None
    """A Kubernetes config map with the key `policy.toml`, which every kit has to obey."""
    git_commit: str | None = None
    """The full commit of the pipeline's code, for provenance."""

    def __post_init__(self) -> None:
        for url in self.index_urls:
            if without_passwords(url) != url:  # a user, or a token in the query
                raise InvalidSetting(
                    "index_urls", "configure", "holds a password; put it into the image's pip.conf"
                )
        if self.registry is not None:
            _check_registry(self.registry)
        if self.ca_secret and self.ca_config_map:
            raise InvalidSetting(
                "ca_secret", "configure", "and ca_config_map are both set; name one"
            )

    def packages_with(self, extra: Sequence[str]) -> tuple[str, ...]:
        """Return the packages of a component that needs more; none if nothing is installed."""
        host = Reference.parse(f"{self.registry}/x").registry if self.registry else None
        cloud = cloud_of(host) if host else None
        more = (*extra, f"kitline[{cloud}]") if cloud else extra
        return (*self.packages, *map(pin, more)) if self.packages else ()


def _check_registry(registry: str) -> None:
    if "@" in registry:  # not shown: it may be a password
        raise InvalidSetting(
            "registry", "configure", "holds an '@'; write 'host[/path]', and credentials elsewhere"
        )
    try:
        is_bare = Reference.parse(f"{registry}/x").is_bare
    except InvalidReference as cause:
        raise InvalidSetting("registry", "configure", f"is not 'host[/path]': {cause}") from cause
    if is_bare:
        raise InvalidSetting(
            "registry", "configure", f"{registry!r} names no registry; write 'host[/path]'"
        )


_changes: dict[str, Any] = {}
"""What `configure` was told; the rest comes from the environment whenever it is asked for."""


def configure(**changes: Any) -> Configuration:
    """Set fields of the configuration for all tasks made from now on; None takes a value back.

    Raises:
        InvalidSetting: naming the field and what it should be.
    """
    known = {each.name for each in fields(Configuration)}
    for name in changes:
        if name not in known:
            raise InvalidSetting(name, "configure", f"is none of {', '.join(sorted(known))}")
    merged = {**_changes, **{name: _value(name, value) for name, value in changes.items()}}
    merged = {name: value for name, value in merged.items() if value is not None}
    found = _merge(merged, os.environ)
    _changes.clear()
    _changes.update(merged)
    return found


def current() -> Configuration:
    """Return the configuration as it is now: what `configure` said, else the environment."""
    return _merge(_changes, os.environ)


def _merge(changes: Mapping[str, Any], environ: Mapping[str, str]) -> Configuration:
    return replace(Configuration(**_from_environment(environ)), **changes)


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    found = {}
    for each in fields(Configuration):
        variable = PREFIX + each.name.upper()
        if variable in environ:
            text = environ[variable]
            if text or each.name in _LISTS:  # no packages is an answer, no image is none
                found[each.name] = _value(each.name, text)
    return found


_LISTS = ("packages", "index_urls")


def _value(name: str, value: Any) -> Any:
    if value is None or name not in _LISTS:
        return value
    return tuple(value.split()) if isinstance(value, str) else tuple(value)
