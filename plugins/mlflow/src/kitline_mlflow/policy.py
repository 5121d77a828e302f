"""Policy: which registries an MLflow server may be sent to by those who talk to it.

Anybody who can register a model version or an experiment makes the server read its source, so in a
server process only listed hosts are asked. MLflow's own list of that kind does not cover the
schemes of plugins.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from kitline import Settings
from kitline.errors import InvalidReference, InvalidSetting, UsageError
from kitline.plugin import Reference

if TYPE_CHECKING:
    from kitline_mlflow.uri import ModelkitURI

ALLOWED = "KITLINE_MLFLOW_ALLOWED_REGISTRIES"
"""Hosts with commas between them; a port that is not said is 443."""
_HTTPS = ":443"


class RefusedByServer(UsageError):
    """An MLflow server process was asked for a kit where it may not look."""


def is_server_process() -> bool:
    """Tell whether this process serves MLflow's clients; the variable is MLflow's own."""
    return "_MLFLOW_SERVER_ARTIFACT_ROOT" in os.environ


def settings_for(uri: ModelkitURI) -> Settings:
    """Return the settings to read a kit with; call it before the first byte is asked for.

    In a server process they hold for every registry that the kit leads to, such as its base
    model's.

    Raises:
        RefusedByServer: in a server process, for the local store and hosts that are not listed.
    """
    settings = Settings.load()
    if not is_server_process():
        return settings
    registry = uri.reference.registry
    if registry is None:
        raise RefusedByServer(
            f"refused to read {uri.text!r}: an MLflow server does not open its own local store"
        )
    allowed = allowed_registries()
    if registry not in allowed:
        raise RefusedByServer(
            f"refused to read {uri.text!r}: an MLflow server asks only the registries in {ALLOWED},"
            f" and {registry!r} is not one of them"
        )
    policy = settings.policy
    server = type(policy)(allow_plain_http=False, registries=allowed, public_only=True)
    # a listed registry on loopback is still spoken to as everywhere
    return replace(settings, plain_http=(), policy=policy.tighten(server))


def check_base(target: str) -> None:
    """Refuse a base model in the local store or a folder of a server; `settings_for` does the rest.

    Raises:
        RefusedByServer: in a server process, if a kit says that its model lies there.
    """
    if is_server_process() and Reference.parse(target).registry is None:
        raise RefusedByServer(
            f"refused to read the base model {target!r} of a kit: an MLflow server does not open"
            " its own local store"
        )


def allowed_registries() -> tuple[str, ...]:
    """Return the listed hosts in lower case, those on port 443 in both spellings.

    Raises:
        InvalidSetting: naming what is no host; a list that cannot be read allows nothing.
    """
    found: list[str] = []
    for text in os.environ.get(ALLOWED, "").split(","):
        host = text.strip().lower()
        if not host:
            continue
        try:
            Reference(registry=host, repository="x")
        except InvalidReference as cause:
            raise InvalidSetting(
                ALLOWED, "environment", f"{host!r} is not 'host[:port]': {cause.reason}"
            ) from cause
        bare = host.removesuffix(_HTTPS)
        is_https = bare != host or ":" not in host.rpartition("]")[2]
        found += [bare, bare + _HTTPS] if is_https else [host]
    return tuple(found)
