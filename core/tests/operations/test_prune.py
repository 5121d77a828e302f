"""Prune removes what nothing needs, and never what a stage, its history or a child needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import kitline
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kitline.errors import RegistryError, UsageError
from kitline.lineage.edge import build_edge
from kitline.oci import media_types
from kitline.oci.descriptor import Descriptor
from kitline.oci.digest import Digest
from kitline.oci.manifest import ImageIndex, ImageManifest
from kitline.oci.reference import PinnedReference, Reference
from kitline.operations.claimed import ClaimedPlaces
from kitline.operations.prune.edges import EdgeReader
from kitline.operations.stores import Stores
from kitline.plugin import Statement
from kitline.plugin.records import Parent, parents_text
from kitline.store.memory import MemoryStore
from kitline.store.registry import open_registry
from kitline.store.source import BytesSource
from kitline.testing import Fault, LocalRegistry
from kitline.testing.rules import Rules

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from kitline.operations.prune.prune import Pruned
    from kitline.store.interface import Store

NOTHING = timedelta(0)
CONFIG = b'{"manifestVersion":"1.0.0"}'
CONFIG_DESCRIPTOR = Descriptor(
    media_type=media_types.MODELKIT_CONFIG, digest=Digest.of(CONFIG), size=len(CONFIG)
)
EVALUATION = "https://kitline.io/evaluation/v1"


@pytest.fixture(autouse=True)
def who(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KITLINE_WHO", "somebody")
    monkeypatch.setenv("KITLINE_DISABLE_PLUGINS", "all")


@pytest.fixture(params=["local", pytest.param("registry", marks=pytest.mark.slow)])
def place(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "local":
        yield "team/iris"
    else:
        with LocalRegistry() as registry:
            yield f"{registry.host}/team/iris"


def put(
    store: Store, name: str, parents: Sequence[Parent] = (), *, tag: str | None = None
) -> PinnedReference:
    """Store a kit of a few bytes that names its parents."""
    content = name.encode() * 100
    layer = Descriptor(
        media_type="application/vnd.kitops.modelkit.model.v1.tar",
        digest=Digest.of(content),
        size=len(content),
    )
    annotations = {media_types.PARENTS: parents_text(tuple(parents))} if parents else {}
    manifest = ImageManifest.build(
        artifact_type=media_types.MODELKIT_MANIFEST,
        config=CONFIG_DESCRIPTOR,
        layers=[layer],
        annotations=annotations,
    )
    store.push_blob(BytesSource(CONFIG), digest=CONFIG_DESCRIPTOR.digest)
    store.push_blob(BytesSource(content), digest=layer.digest)
    store.push_manifest(manifest)
    store.set_tag(tag or f"kit-{manifest.digest.hex[:32]}", manifest)
    pinned = store.pin(manifest.digest)
    assert isinstance(pinned, PinnedReference)
    return pinned


def note_child(store: Store, parent: Digest, child: PinnedReference) -> None:
    """Leave a derived edge beside a parent."""
    edge = build_edge(store.get_manifest(parent).descriptor, child, "data")
    store.push_blob(BytesSource(b"{}"), digest=edge.config.digest)
    store.push_manifest(edge)


@pytest.fixture
def store(place: str) -> Iterator[Store]:
    reference = Reference.parse(place)
    if reference.is_bare:
        from kitline.store.local import LocalStores

        with LocalStores(kitline.Settings.load().store_folder).open(place) as local:
            yield local
    else:
        with open_registry(reference) as remote:
            yield remote


def left(store: Store, kits: Sequence[PinnedReference]) -> list[int]:
    """Return the numbers of the kits that are still there."""
    return [n for n, each in enumerate(kits) if store.find_manifest(each.digest) is not None]


def run_prune(place: str, **rules: Any) -> Pruned:
    return kitline.prune(place, grace=NOTHING, **rules)


def test_what_a_stage_holds_and_held_stays(place: str, store: Store) -> None:
    kits = [put(store, str(n), tag=f"v{n}") for n in range(5)]
    kitline.promote(kits[1], "production")
    kitline.promote(kits[3], "production")
    kitline.promote(kits[0], "staging")

    result = run_prune(place)

    assert left(store, kits) == [0, 1, 3]
    assert sorted(result.removed) == sorted(kits[n].digest for n in (2, 4))
    kitline.rollback(place, "production")
    assert kitline.stages(place, history="production")[0].digest == kits[1].digest


def test_what_a_stage_was_moved_to_outside_stays(place: str, store: Store) -> None:
    kits = [put(store, str(n), tag=f"v{n}") for n in range(3)]
    kitline.promote(kits[0], "production")
    kitline.tag(kits[1], "production")
    kitline.tag(kits[2], "champion")

    run_prune(place)

    assert left(store, kits) == [0, 1, 2]


def test_a_dry_run_says_what_it_would_free_and_removes_nothing(place: str, store: Store) -> None:
    kits = [put(store, str(n), tag=f"v{n}") for n in range(3)]
    kitline.promote(kits[0], "production")

    result = run_prune(place, dry_run=True)

    assert left(store, kits) == [0, 1, 2]
    assert result.removed == ()
    assert sorted(each.digest for each in result.plan.going) == sorted(
        each.digest for each in kits[1:]
    )
    # the config is shared with what stays
    sizes = [store.get_manifest(each.digest).size for each in kits[1:]]
    assert result.plan.frees == sum(sizes) + 2 * 100
    assert [each.kept for each in result.plan.staying] == [("production points at it",)]


def test_the_newest_stay(place: str, store: Store) -> None:
    kits = [put(store, str(n), tag=f"v{n}") for n in (8, 9, 10, 11)]

    run_prune(place, keep_last=2)

    assert left(store, kits) == [2, 3]


def test_what_is_young_stays(place: str, store: Store) -> None:
    kits = [put(store, str(n), tag=f"v{n}") for n in range(2)]

    kitline.prune(place)
    assert left(store, kits) == [0, 1]
    run_prune(place, keep_newer="30d")
    assert left(store, kits) == [0, 1]


def test_kits_with_tags_that_are_named_stay(place: str, store: Store) -> None:
    kits = [put(store, "a", tag="v1"), put(store, "b", tag="test-1")]

    run_prune(place, keep_tags=["v*"])

    assert left(store, kits) == [0]


def test_what_is_attached_goes_with_its_kit(place: str, store: Store) -> None:
    kits = [put(store, str(n), tag=f"v{n}") for n in range(2)]
    said = [
        kitline.attest(each, Statement(predicate_type=EVALUATION, predicate={"a": n}))
        for n, each in enumerate(kits)
    ]
    kitline.promote(kits[1], "production")

    run_prune(place)

    assert left(store, kits) == [1]
    assert [store.find_manifest(each.digest) is not None for each in said if each.digest] == [
        False,
        True,
    ]


def test_what_is_no_kit_and_what_an_index_refers_to_is_left_alone(place: str, store: Store) -> None:
    kits = [put(store, str(n), tag=f"v{n}") for n in range(2)]
    index = ImageIndex.build(manifests=[store.get_manifest(kits[0].digest).descriptor])
    store.push_manifest(index)
    store.set_tag("both", index)

    run_prune(place)

    assert left(store, kits) == [0]
    assert store.find_tag("both") is not None


def test_parents_of_what_stays_stay(place: str, store: Store) -> None:
    grandparent = put(store, "grandparent", tag="g")
    parent = put(store, "parent", [Parent(digest=grandparent.digest, role="data")], tag="p")
    child = put(store, "child", [Parent(digest=parent.digest, role="data")], tag="c")
    stranger = put(store, "stranger", tag="s")
    kitline.promote(child, "production")

    result = run_prune(place)

    assert left(store, [grandparent, parent, child, stranger]) == [0, 1, 2]
    reasons = {each.digest: each.kept for each in result.plan.kits}
    assert reasons[parent.digest] == (f"{child.digest.hex[:12]} descends from it",)


def test_a_kit_whose_child_lies_elsewhere_stays_until_the_child_is_gone(
    place: str, store: Store
) -> None:
    with (
        LocalRegistry() as registry,
        open_registry(Reference(registry=registry.host, repository="models/iris")) as models,
    ):
        data = put(store, "data", tag="d")
        child = put(models, "child", [Parent(digest=data.digest, role="data")])
        note_child(store, data.digest, child)

        result = run_prune(place)
        assert left(store, [data]) == [0]
        assert result.plan.kits[0].kept == (
            f"{child.digest.hex[:12]}, made from it, is in {models.name}",
        )
        models.remove_manifest(child.digest)
        run_prune(place)
        assert left(store, [data]) == []


def test_a_kit_whose_child_cannot_be_reached_stays_unless_edges_are_ignored(
    place: str, store: Store
) -> None:
    data = put(store, "data", tag="d")
    with (
        LocalRegistry() as registry,
        open_registry(Reference(registry=registry.host, repository="models/iris")) as models,
    ):
        child = put(models, "child", [Parent(digest=data.digest, role="data")])
        note_child(store, data.digest, child)
        registry.inject(Fault.answer(status=403, path="/v2/models", times=None))

        result = run_prune(place)
        assert left(store, [data]) == [0]
        assert "cannot be reached" in result.plan.kits[0].kept[0]
        assert "cannot be looked for" in result.warnings[0]
        run_prune(place, ignore_edges=True)
        assert left(store, [data]) == []


def test_a_kit_stays_while_a_child_lies_elsewhere_in_the_local_store() -> None:
    from kitline.store.local import LocalStores

    locals_ = LocalStores(kitline.Settings.load().store_folder)
    with locals_.open("data/train") as data, locals_.open("team/iris") as models:
        train = put(data, "train", tag="v1")
        unused = put(data, "unused", tag="v2")
        model = put(models, "model", [Parent(digest=train.digest, role="data")], tag="v1")

        first = run_prune("data/train")
        assert left(data, [train, unused]) == [0]
        assert [each.kept for each in first.plan.kits if each.digest == train.digest] == [
            (f"{model.digest.hex[:12]}, made from it, is in team/iris",)
        ]

        models.remove_manifest(model.digest)
        run_prune("data/train")
        assert left(data, [train]) == []


def test_an_edge_beside_a_public_kit_leads_to_no_private_address() -> None:
    public = MemoryStore("registry.example/team/data")
    data = put(public, "data", tag="d")
    with LocalRegistry() as trap, Stores(kitline.Settings.load()) as stores:
        stranger = Reference(registry=trap.host, repository="x/y").pin(Digest.of(b"stranger"))
        note_child(public, data.digest, stranger)
        with ClaimedPlaces(stores) as claimed, EdgeReader(public, stores, claimed) as reader:
            reason = reader.find_living(data.digest)

        assert trap.requests == []
    assert reason is not None
    assert "cannot be reached" in reason
    assert "it has a private address" in reader.warnings[0]


def test_nothing_goes_unless_the_plan_is_agreed_to(place: str, store: Store) -> None:
    kits = [put(store, "a", tag="a")]

    result = run_prune(place, agree=lambda plan: len(plan.going) == 7)

    assert left(store, kits) == [0]
    assert result.dry_run


def test_what_is_promoted_after_the_plan_was_made_stays(place: str, store: Store) -> None:
    kits = [put(store, str(n), tag=f"v{n}") for n in range(2)]

    def agree(_: object) -> bool:
        return kitline.promote(kits[0], "production").changed

    result = run_prune(place, agree=agree)

    assert left(store, kits) == [0]
    assert result.warnings == (
        f"{kits[0].digest} stays: something needs it since the plan was made",
    )


def test_a_registry_that_does_not_delete_says_so_and_nothing_has_gone() -> None:
    with LocalRegistry(Rules(deletes=False)) as registry:
        place = f"{registry.host}/team/iris"
        with open_registry(Reference.parse(place)) as store:
            kits = [put(store, "a", tag="a")]

            with pytest.raises(RegistryError, match="has deletion switched off"):
                run_prune(place)
            assert left(store, kits) == [0]


def test_stages_cannot_be_given_up() -> None:
    with pytest.raises(UsageError, match="stages are kept in any case"):
        kitline.prune("iris", keep_stages=False)


def test_blobs_of_a_local_store_are_freed(tmp_path: Path) -> None:
    from kitline.store.local import LocalStores

    with LocalStores(kitline.Settings.load().store_folder).open("team/iris") as store:
        kits = [put(store, str(n), tag=f"v{n}") for n in range(2)]
        kitline.promote(kits[0], "production")
        store.close()  # what is just being taken in is not freed

        result = run_prune("team/iris")

        assert result.freed > 100
        assert left(store, kits) == [0]
        assert not store.has_blob(Digest.of(b"1" * 100))
        assert store.has_blob(Digest.of(b"0" * 100))


def test_pruning_a_layout_itself_keeps_the_kits_that_records_are_about() -> None:
    from kitline.store.local import LocalStores

    with LocalStores(kitline.Settings.load().store_folder).open("team/iris") as store:
        kits = [put(store, str(n), tag=f"v{n}") for n in range(3)]
        for each in kits[:2]:
            kitline.promote(each, "production")
        for n in range(3):
            store.remove_tag(f"v{n}")

        store.prune(grace=0.0)

        assert left(store, kits) == [0, 1]
    kitline.rollback("team/iris", "production")


@dataclass
class World:
    """Kits in two repositories on two registries, made from each other."""

    stores: list[Store]
    kits: list[PinnedReference] = field(default_factory=list)
    homes: list[int] = field(default_factory=list)
    parents: list[set[int]] = field(default_factory=list)
    staged: set[int] = field(default_factory=set)

    def add(self, home: int, parents: set[int]) -> None:
        named = [Parent(digest=self.kits[each].digest, role="data") for each in sorted(parents)]
        number = len(self.kits)
        pinned = put(self.stores[home], f"kit {number}", named)
        self.kits.append(pinned)
        self.homes.append(home)
        self.parents.append(parents)
        for each in parents:
            note_child(self.stores[self.homes[each]], self.kits[each].digest, pinned)

    def needed(self) -> set[int]:
        """Return what stages and their history need, up to the last ancestor."""
        found: set[int] = set()
        waiting = list(self.staged)
        while waiting:
            number = waiting.pop()
            if number not in found:
                found.add(number)
                waiting += self.parents[number]
        return found

    def there(self) -> set[int]:
        return {
            number
            for number, (kit, home) in enumerate(zip(self.kits, self.homes, strict=True))
            if self.stores[home].find_manifest(kit.digest) is not None
        }


@st.composite
def plans(draw: st.DrawFn) -> list[tuple[int, set[int], int]]:
    """Draw kits: where each lies, what it is made from, and how often it is promoted."""
    found: list[tuple[int, set[int], int]] = []
    for number in range(draw(st.integers(1, 6))):
        earlier = st.integers(0, number - 1) if number else st.nothing()
        parents = draw(st.sets(earlier, max_size=2)) if number else set()
        found.append((draw(st.integers(0, 1)), parents, draw(st.sampled_from([0, 0, 1]))))
    return found


@settings(max_examples=2, deadline=None)
@given(plans(), st.lists(st.integers(0, 1), min_size=1, max_size=4))
def test_prune_never_removes_what_stages_need_and_in_the_end_all_else(
    plan: list[tuple[int, set[int], int]], order: list[int]
) -> None:
    check_world(plan, order)


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(plans(), st.lists(st.integers(0, 1), min_size=1, max_size=4))
def test_prune_never_removes_what_stages_need_tried_often(
    plan: list[tuple[int, set[int], int]], order: list[int]
) -> None:
    check_world(plan, order)


def check_world(plan: list[tuple[int, set[int], int]], order: list[int]) -> None:
    with LocalRegistry() as one, LocalRegistry(referrers_api=False) as other:
        places = [Reference(registry=each.host, repository="team/x") for each in (one, other)]
        with open_registry(places[0]) as first, open_registry(places[1]) as second:
            world = World([first, second])
            for home, parents, promoted in plan:
                world.add(home, parents)
                if promoted:
                    kitline.promote(world.kits[-1], "production")
                    world.staged.add(len(world.kits) - 1)

            for number in order:
                result = run_prune(str(places[number]))
                assert world.needed() <= world.there()
                assert {each.digest for each in result.plan.going} == set(result.removed)
            # each run may free the parents of what the one before it removed
            for _ in plan:
                for each in places:
                    run_prune(str(each))
            assert world.there() == world.needed()
