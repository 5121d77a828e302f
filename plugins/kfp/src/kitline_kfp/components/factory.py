"""How a function becomes a component: base image and packages, pinned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kfp import dsl

from kitline_kfp.configuration import current

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def make_component(
    function: Callable[..., Any],
    *,
    base_image: str | None = None,
    packages_to_install: Sequence[str] | None = None,
    extra: Sequence[str] = (),
) -> Any:
    """Return a KFP component.

    Args:
        function: What it runs; KFP embeds its text.
        base_image: The image; None for the configured one.
        packages_to_install: What pip installs when the step starts; None for what is configured
            and `extra`, `()` for nothing: an image that holds everything, or a local test.
        extra: Distributions that this component needs beside the configured ones.
    """
    configuration = current()
    if packages_to_install is None:
        packages_to_install = configuration.packages_with(extra)
    return dsl.component(
        function,
        base_image=base_image or configuration.base_image,
        packages_to_install=list(packages_to_install),
        # KFP's own pip line installs kfp in the version that compiles; none where nothing is
        install_kfp_package=bool(packages_to_install),
        pip_index_urls=list(configuration.index_urls) or None,
    )
