"""Every test gets a home of its own, so that nothing of the developer's machine leaks in."""

from __future__ import annotations

import pytest
from kitline.testing.fixtures import (
    distribution_3,
    docker_registry_2,
    isolated_home,
    local_registry,
    olareg_registry,
)

__all__ = [
    "distribution_3",
    "docker_registry_2",
    "isolated_home",
    "local_registry",
    "olareg_registry",
]

# so that a failing assert in a contract shows both sides
pytest.register_assert_rewrite("kitline.testing.store_contract", "kitline.testing.plugin_contracts")
