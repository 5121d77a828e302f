from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, ClassVar

import pytest
from kitline.oci.reference import LayoutReference, Reference
from kitline.store.layout import LayoutStore
from kitline.store.memory import MemoryStore
from kitline.store.registry import RegistryOptions, RetryPolicy, open_registry
from kitline.testing import LocalRegistry, Rules
from kitline.testing.rules import DISTRIBUTION, DOCKER_REGISTRY, OLAREG
from kitline.testing.store_contract import StoreContract

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from kitline.store.interface import Store
    from kitline.testing.processes import RunningRegistry

_NUMBERS = itertools.count()


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore()


class TestLayoutStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        folder = tmp_path / "layout"
        name = f"oci:{folder}"
        with LayoutStore(folder, name=name, pin=LayoutReference.parse(name).pin) as store:
            yield store


class RegistryContract(StoreContract):
    """The contract on the in-process registry, with other rules in each subclass."""

    rules: ClassVar[Rules] = Rules()

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        with LocalRegistry(self.rules) as registry, open_repository(registry.host) as store:
            yield store


class TestLocalRegistry(RegistryContract):
    rules = Rules()


class TestLocalRegistryWithoutReferrers(RegistryContract):
    rules = DISTRIBUTION


class TestLocalRegistryLikeOlareg(RegistryContract):
    rules = OLAREG


class TestLocalRegistryInSmallPages(RegistryContract):
    rules = Rules(page_limit=1, filters_referrers=False)


OLD_REGISTRY: Mapping[str, str] = {
    "test_a_removed_tag_leaves_the_manifest": "docker-registry 2.8 cannot delete a tag alone",
}


class TestLocalRegistryLikeDockerRegistry(RegistryContract):
    rules = DOCKER_REGISTRY
    skipped = OLD_REGISTRY


@pytest.mark.registry
@pytest.mark.peer
class TestDistribution(StoreContract):
    @pytest.fixture
    def store(self, distribution_3: RunningRegistry) -> Iterator[Store]:
        with open_repository(distribution_3.host) as store:
            yield store


@pytest.mark.registry
@pytest.mark.peer
class TestDockerRegistry(StoreContract):
    skipped = OLD_REGISTRY

    @pytest.fixture
    def store(self, docker_registry_2: RunningRegistry) -> Iterator[Store]:
        with open_repository(docker_registry_2.host) as store:
            yield store


@pytest.mark.registry
@pytest.mark.peer
class TestOlareg(StoreContract):
    @pytest.fixture
    def store(self, olareg_registry: RunningRegistry) -> Iterator[Store]:
        with open_repository(olareg_registry.host) as store:
            yield store


def open_repository(host: str) -> Store:
    """Open a repository that no other test uses."""
    reference = Reference(registry=host, repository=f"contract/r{next(_NUMBERS)}")
    return open_registry(reference, RegistryOptions(retry=RetryPolicy(least=0.001, most=0.01)))
