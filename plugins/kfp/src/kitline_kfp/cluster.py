"""What a task needs on a cluster: registry, credentials and authorities, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kitline.errors import PluginError

if TYPE_CHECKING:
    from kitline_kfp.configuration import Configuration

DOCKER_CONFIG = "/kitline/docker"
CA = "/kitline/ca"
POLICY = "/kitline/policy"


def dress(task: Any, configuration: Configuration, *, cached: bool) -> Any:
    """Give a task what the configuration says, and the cache that it may have.

    Secrets are mounted as files: nothing of them is in the pipeline.
    """
    if not cached:
        task.set_caching_options(False)
    variables = {}
    if configuration.registry:
        variables["KITLINE_REGISTRY"] = configuration.registry
    if configuration.git_commit and not cached:  # a new commit must not make a cached task run
        variables["KITLINE_GIT_COMMIT"] = configuration.git_commit
    if configuration.docker_config_secret:
        secret = configuration.docker_config_secret
        _kubernetes().use_secret_as_volume(task, secret_name=secret, mount_path=DOCKER_CONFIG)
        variables["DOCKER_CONFIG"] = DOCKER_CONFIG
    if configuration.ca_secret:
        _kubernetes().use_secret_as_volume(task, secret_name=configuration.ca_secret, mount_path=CA)
    if configuration.ca_config_map:
        _kubernetes().use_config_map_as_volume(
            task, config_map_name=configuration.ca_config_map, mount_path=CA
        )
    if configuration.ca_secret or configuration.ca_config_map:
        variables["KITLINE_CA_FILE"] = f"{CA}/ca.crt"
    if configuration.policy_config_map:
        _kubernetes().use_config_map_as_volume(
            task, config_map_name=configuration.policy_config_map, mount_path=POLICY
        )
        variables["KITLINE_POLICY"] = f"{POLICY}/policy.toml"
    for name, value in variables.items():
        task.set_env_variable(name, value)
    return task


def _kubernetes() -> Any:
    try:
        from kfp import kubernetes
    except ImportError as cause:
        raise PluginError(
            "secrets and config maps of a cluster need kfp-kubernetes; install"
            " 'kitline-kfp[kubernetes]'"
        ) from cause
    return kubernetes
