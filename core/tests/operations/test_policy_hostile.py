"""Policies and what hostile writers attach: nothing hides a revocation, and nothing ends badly."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from kitline.errors import PolicyError, RegistryUnreachable
from kitline.oci.digest import Digest
from kitline.oci.manifest import EMPTY_CONFIG, ImageManifest
from kitline.oci.media_types import PARENTS
from kitline.oci.reference import Reference
from kitline.operations.policy.ancestors import ADDRESS_LIMIT, COUNT_LIMIT
from kitline.operations.policy.gate import check_use
from kitline.operations.settings import Policy, Settings
from kitline.operations.statements import attach
from kitline.plugin.records import Parent, Statement, parents_text
from kitline.store.memory import MemoryStore
from kitline.trust import predicate_types
from kitline.trust.bundle import bundle_bytes, bundle_manifest
from kitline.trust.dsse import seal
from kitline.trust.gate import Classification, Gate, Revocation, Rule, Voucher
from kitline.trust.keys import private_key
from kitline.trust.sign import attest, push
from kitline.trust.statement import statement_bytes
from kitline.trust.verify import CANDIDATES_LIMIT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kitline.oci.descriptor import Descriptor
    from kitline.testing import LocalRegistry
    from kitline.trust.keys import PrivateKey

NAME = "team/iris"
PROVENANCE = predicate_types.PROVENANCE


@pytest.fixture(scope="module")
def key() -> PrivateKey:
    return private_key(ec.generate_private_key(ec.SECP256R1()), "ours")


@pytest.fixture(scope="module")
def other_key() -> PrivateKey:
    return private_key(ec.generate_private_key(ec.SECP256R1()), "theirs")


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(NAME)


def put(store: MemoryStore, *parents: Digest | str) -> ImageManifest:
    """Store a small artifact with parents; a text is the annotation as it is."""
    texts = [each for each in parents if isinstance(each, str)]
    known = tuple(Parent(digest=e, role="data") for e in parents if isinstance(e, Digest))
    annotations = {PARENTS: texts[0] if texts else parents_text(known)} if parents else {}
    content = str(len(store.list_tags())).encode() + b"".join(str(e).encode() for e in parents)
    layer = replace(EMPTY_CONFIG, media_type="text/plain", digest=Digest.of(content),
                    size=len(content))  # fmt: skip
    manifest = ImageManifest.build(config=EMPTY_CONFIG, layers=[layer], annotations=annotations)
    push(store, manifest, content, b"{}")
    store.set_tag(f"t{len(store.list_tags())}", manifest)
    return manifest


def judge(
    store: MemoryStore,
    kit: ImageManifest,
    gate: Gate,
    *,
    asked: Reference | None = None,
    **more: Any,
) -> str:
    """Return what the gate says against a kit; empty if it may be used."""
    settings = replace(Settings.load(), policy=Policy(gates=(gate,)), **more)
    asked = asked or Reference(repository=NAME, digest=kit.digest)
    try:
        check_use(store, kit, asked, use="use", settings=settings)
    except PolicyError as refused:
        return str(refused)
    return ""


def revoking(key: PrivateKey, **more: Any) -> Gate:
    pem = key.public.pem.decode()
    return Gate(origin="test", revocation=Revocation(vouchers=(Voucher(key=pem),), **more))


def test_a_circle_of_stated_parents_ends(store: MemoryStore, key: PrivateKey) -> None:
    first = put(store)
    second = put(store, first.digest)
    attach(store, first, Statement(predicate_type=PROVENANCE, predicate=made_from(second.digest)))

    assert judge(store, second, revoking(key)) == ""
    attest(store, first, predicate_types.REVOCATION, {"reason": "x"}, key)
    assert f"parent {first.digest} (data) is revoked" in judge(store, second, revoking(key))


def made_from(*digests: Digest) -> dict[str, Any]:
    listed = [{"digest": {"sha256": each.hex}, "uri": ""} for each in digests]
    return {"buildDefinition": {"resolvedDependencies": listed}}


@pytest.mark.parametrize(
    "text",
    ["{", "[1]", '[{"digest": "sha256:1"}]', '[{"digest": 5, "role": []}]', '{"digest": "x"}'],
)
def test_parents_that_cannot_be_read_do_not_count_as_none(
    store: MemoryStore, key: PrivateKey, text: str
) -> None:
    said = judge(store, put(store, text), revoking(key))

    assert "revocations cannot be ruled out" in said
    assert judge(store, put(store, text), revoking(key, allow_unreachable=True)) == ""


@pytest.mark.parametrize(
    "predicate",
    [
        {},
        {"buildDefinition": []},
        {"buildDefinition": {"resolvedDependencies": {"digest": 1}}},
        {"buildDefinition": {"resolvedDependencies": ["x", None, {"digest": "x"}]}},
        {"buildDefinition": {"resolvedDependencies": [{"digest": {"sha256": 5}, "uri": 5}]}},
        {"buildDefinition": {"resolvedDependencies": [{"digest": {"sha256": "zz"}}]}},
        {"buildDefinition": {"resolvedDependencies": [{"digest": {"sha256": "ab" * 32},
                                                       "uri": "oci://[::1/x", "annotations": 1}]}},
    ],
)  # fmt: skip
def test_provenance_of_any_form_ends_nothing(
    store: MemoryStore, key: PrivateKey, predicate: dict[str, Any]
) -> None:
    kit = put(store)
    attach(store, kit, Statement(predicate_type=PROVENANCE, predicate=predicate))

    assert judge(store, kit, revoking(key)) == ""


def test_addresses_that_do_not_answer_end_the_search_and_the_mirrors_are_asked(
    store: MemoryStore, key: PrivateKey, local_registry: LocalRegistry
) -> None:
    """Nobody listens on port 1, wherever provenance says that parents lie."""
    parent = put(store)
    mirror = f"{local_registry.host}/mirror/data"
    local_registry.content.put_manifest("mirror/data", parent.raw)
    kit = put(store, parent.digest, Digest.of(b"missing"))
    store.remove_manifest(parent.digest)
    stated = made_from(*(Digest.of(str(number).encode()) for number in range(30)))
    for number, each in enumerate(stated["buildDefinition"]["resolvedDependencies"]):
        each["uri"] = f"oci://127.0.0.1:1/repository-{number}"
    attach(store, kit, Statement(predicate_type=PROVENANCE, predicate=stated))

    said = judge(store, kit, revoking(key), mirrors=(mirror,))

    assert f"parent {Digest.of(b'missing')} (data) cannot be found" in said
    assert f"parent {Digest.of(b'1')} cannot be found" in said
    assert f"{parent.digest} (data) cannot be found" not in said


def test_provenance_of_a_public_kit_leads_to_no_private_address(
    key: PrivateKey, local_registry: LocalRegistry
) -> None:
    public = MemoryStore("127.0.0.1.example/team/iris")
    kit = put(public)
    claim(public, kit, [f"{local_registry.host}/x/data"])
    asked = Reference(registry="127.0.0.1.example", repository=NAME, digest=kit.digest)

    said = judge(public, kit, revoking(key), asked=asked, tries=1)

    assert local_registry.requests == []
    assert "it has a private address" in said
    mirrors = (f"{local_registry.host}/mirror/data",)
    judge(public, kit, revoking(key), asked=asked, tries=1, mirrors=mirrors)
    assert any("/x/data/" in each.path for each in local_registry.requests)  # now they name it


def claim(store: MemoryStore, kit: ImageManifest, repositories: Sequence[str]) -> Digest:
    """State one parent for each repository, which is said to lie there; return the last one."""
    found = [Digest.of(each.encode()) for each in repositories]
    stated = made_from(*found)
    listed = stated["buildDefinition"]["resolvedDependencies"]
    for each, repository in zip(listed, repositories, strict=True):
        each["uri"] = f"oci://{repository}"
    attach(store, kit, Statement(predicate_type=PROVENANCE, predicate=stated))
    return found[-1]


def test_claims_without_end_hide_no_ancestor(
    store: MemoryStore, key: PrivateKey, local_registry: LocalRegistry
) -> None:
    """Repositories that are there and empty use up how many are asked; the last one is not."""
    names = [f"{local_registry.host}/empty/r{n}" for n in range(ADDRESS_LIMIT + 1)]
    kit = put(store)
    last = claim(store, kit, names)

    said = judge(store, kit, revoking(key))

    assert f"parent {last} cannot be found" in said
    assert "provenance names too many repositories" in said


@pytest.mark.parametrize("reason", [None, 5, [], "\x1b[2J" * 100, "x" * 10_000])
def test_a_revocation_counts_whatever_its_reason_is(
    store: MemoryStore, key: PrivateKey, reason: object
) -> None:
    kit = put(store)
    attest(store, kit, predicate_types.REVOCATION, {"reason": reason}, key)

    said = judge(store, kit, revoking(key))

    assert "it is revoked by key" in said
    assert len(said) < 1000


def test_a_flood_of_statements_hides_no_revocation(
    store: MemoryStore, key: PrivateKey, other_key: PrivateKey
) -> None:
    kit = put(store)
    attest(store, kit, predicate_types.REVOCATION, {"reason": "x"}, key)
    for number in range(CANDIDATES_LIMIT):
        payload = statement_bytes(kit.digest, predicate_types.REVOCATION, {"n": number})
        content = bundle_bytes(seal(payload, other_key), "")
        push(store, bundle_manifest(kit, content, predicate_types.REVOCATION), content, b"{}")

    said = judge(store, kit, revoking(key))

    assert "is revoked by key" in said or "too much is attached" in said


def test_more_ancestors_than_are_looked_at_are_not_taken_for_all(
    store: MemoryStore, key: PrivateKey
) -> None:
    kit = put(store)
    claimed = [Digest.of(str(number).encode()) for number in range(COUNT_LIMIT + 10)]
    attach(store, kit, Statement(predicate_type=PROVENANCE, predicate=made_from(*claimed)))

    assert f"it has more than {COUNT_LIMIT} ancestors" in judge(store, kit, revoking(key))


def test_a_place_that_does_not_answer_is_not_taken_for_an_empty_one(key: PrivateKey) -> None:
    class Silent(MemoryStore):
        def list_referrers(
            self, subject: Digest, *, artifact_type: str | None = None
        ) -> Sequence[Descriptor]:
            raise RegistryUnreachable("no answer")

    store = Silent(NAME)
    kit = put(store)
    pem = key.public.pem.decode()
    signed = Gate(origin="test", rules=(Rule(vouchers=(Voucher(key=pem),)),))
    classed = Gate(
        origin="test",
        rules=(Rule(max_sensitivity="public"),),
        classification=Classification(vouchers=(Voucher(key=pem),)),
    )

    assert "no answer" in judge(store, kit, revoking(key))
    assert "it is not signed" in judge(store, kit, signed)
    assert "its class is not certain" in judge(store, kit, classed)
    assert judge(store, kit, revoking(key, allow_unreachable=True)) == ""


def test_a_key_that_cannot_be_read_lets_nothing_through(store: MemoryStore) -> None:
    missing = (Voucher(key="/nowhere/key.pub"),)
    kit = put(store)
    gates = [
        Gate(origin="test", rules=(Rule(vouchers=missing),)),
        Gate(origin="test", revocation=Revocation(vouchers=missing)),
        Gate(
            origin="test",
            rules=(Rule(max_sensitivity="public"),),
            classification=Classification(vouchers=missing),
        ),
    ]

    for gate in gates:
        assert "cannot read key '/nowhere/key.pub'" in judge(store, kit, gate)
