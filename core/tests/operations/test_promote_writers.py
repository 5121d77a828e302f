"""Several writers move one stage at once and may crash between any two requests.

Whatever happens: no acknowledged record is lost, all readers see the same state, any writer repairs
a tag that differs, and a rollback lands on a kit that was good.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

import kitline
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kitline.errors import KitlineError, PromotionLost
from kitline.oci.manifest import EMPTY_CONFIG, ImageManifest
from kitline.oci.reference import LayoutReference, Reference
from kitline.operations.stages.move import Mover
from kitline.operations.stages.records import RecordReader
from kitline.promotion.record import PROMOTE, ROLLBACK
from kitline.store.layout import LayoutStore
from kitline.store.memory import MemoryStore
from kitline.store.registry import open_registry
from kitline.store.source import BytesSource
from kitline.testing import Fault, LocalRegistry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kitline.oci.digest import Digest
    from kitline.oci.manifest import Manifest
    from kitline.operations.stages.move import Moved
    from kitline.promotion.history import History
    from kitline.store.interface import Store
    from kitline.testing.processes import RunningRegistry

STAGE = "production"


class Crash(BaseException):
    """The process of a writer has ended, without a word."""


class NothingGood(Exception):
    """There is nothing to roll back to."""


class Turns:
    """Lets one writer at a time make one request, in the order that a test draws."""

    def __init__(self) -> None:
        self._parked = threading.Semaphore(0)
        self._gates: dict[int, threading.Semaphore] = {}
        self._crash_at: dict[int, int | None] = {}
        self._steps: dict[int, int] = {}
        self._done: set[int] = set()
        self.crashed = 0
        self._mine = threading.local()

    def pass_gate(self) -> None:
        """Wait for this writer's turn; crash if that is its end."""
        number = self._mine.number
        self._parked.release()
        self._gates[number].acquire()
        self._steps[number] += 1
        if self._steps[number] == self._crash_at[number]:
            raise Crash

    def run(
        self, writers: list[Callable[[], None]], order: list[int], crash_at: list[int | None]
    ) -> None:
        """Run writers until all have ended; `order` says who goes next while it lasts."""
        threads = []
        for number, writer in enumerate(writers):
            self._gates[number] = threading.Semaphore(0)
            self._crash_at[number] = crash_at[number]
            self._steps[number] = 0
            threads.append(threading.Thread(target=self._work, args=(number, writer)))
            threads[-1].start()
            self._parked.acquire()
        turn = 0
        while live := [each for each in range(len(writers)) if each not in self._done]:
            wish = order[turn] if turn < len(order) else turn
            self._gates[live[wish % len(live)]].release()
            self._parked.acquire()
            turn += 1
        for thread in threads:
            thread.join()

    def _work(self, number: int, writer: Callable[[], None]) -> None:
        self._mine.number = number
        try:
            writer()
        except Crash:
            self.crashed += 1
        finally:
            self._done.add(number)
            self._parked.release()


class GatedStore:
    """A store whose every request waits for its turn."""

    def __init__(self, store: Store, turns: Turns) -> None:
        self._store = store
        self._turns = turns
        self.name = store.name
        self.pin = store.pin

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)

        def request(*args: object, **kwargs: object) -> object:
            self._turns.pass_gate()
            return found(*args, **kwargs)

        return request


@dataclass
class Writer:
    """Moves the stage as told, and keeps what was acknowledged to it."""

    mover: Mover
    moves: list[int]
    kits: list[Digest]
    acknowledged: list[Digest] = field(default_factory=list)

    def __call__(self) -> None:
        for each in self.moves:
            try:
                moved = self._move(each)
            except PromotionLost as lost:
                self.acknowledged.append(kitline.Digest(lost.record))
            except NothingGood:
                continue
            else:
                self.acknowledged += [moved.record.digest] if moved.record else []

    def _move(self, number: int) -> Moved:
        if number < 0:
            return self.mover.move(ROLLBACK, roll_back)
        return self.mover.move(PROMOTE, lambda _: self.kits[number])


def roll_back(history: History) -> Digest:
    for kit in history.good():
        return kit
    raise NothingGood


def push_kits(store: Store, count: int = 4) -> list[Digest]:
    found = []
    store.push_blob(BytesSource(b"{}"), digest=EMPTY_CONFIG.digest)
    for number in range(count):
        manifest = ImageManifest.build(
            config=EMPTY_CONFIG, layers=[], annotations={"n": str(number)}
        )
        store.push_manifest(manifest)
        found.append(manifest.digest)
    return found


def read(store: Store) -> History:
    return RecordReader(store, STAGE, workers=1).read().history


def check_rollbacks(history: History) -> None:
    """Look at each rollback with a model of its own."""
    held: list[Digest] = []
    bad: set[Digest] = set()
    for each in history.line:
        if each.action == ROLLBACK:
            bad.add(held[-1])
            assert each.kit == next(kit for kit in reversed(held) if kit not in bad)
        else:
            bad.discard(each.kit)
        held.append(each.kit)


plans = st.lists(st.lists(st.integers(-1, 3), min_size=1, max_size=3), min_size=2, max_size=4)
# Most races need one writer to stand still while another makes many requests.
orders = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 12)), max_size=40).map(
    lambda runs: [writer for writer, count in runs for _ in range(count)]
)
crashes = st.just([None] * 4) | st.lists(st.none() | st.integers(1, 40), min_size=4, max_size=4)


def check_writers(
    open_store: Callable[[], Store],
    plan: list[list[int]],
    order: list[int],
    crash_at: list[int | None],
) -> None:
    kits = push_kits(open_store())
    turns = Turns()
    writers = [
        Writer(
            mover=Mover(
                store=cast("Store", GatedStore(open_store(), turns)), stage=STAGE, workers=1
            ),
            moves=moves,
            kits=kits,
        )
        for moves in plan
    ]
    turns.run(list(writers), order, crash_at)

    store = open_store()
    history = read(store)
    acknowledged = {each for writer in writers for each in writer.acknowledged}
    assert acknowledged <= {each.digest for each in history.records}
    assert read(open_store()) == history
    check_rollbacks(history)
    if not turns.crashed and history.kit is not None:
        tagged = store.find_tag(STAGE)
        assert tagged is not None
        assert tagged.digest == history.kit

    Mover(store=store, stage=STAGE, workers=1).move(PROMOTE, lambda seen: seen.kit or kits[0])
    repaired = store.find_tag(STAGE)
    assert repaired is not None
    assert repaired.digest == (history.kit or kits[0])
    Mover(store=store, stage=STAGE, workers=1).move(PROMOTE, lambda _: kits[1])
    moved = store.find_tag(STAGE)
    assert moved is not None
    assert moved.digest == kits[1] == read(store).kit


@settings(max_examples=30, deadline=None)
@given(plans, orders, crashes)
def test_no_record_is_lost_whoever_writes_and_crashes_in_memory(
    plan: list[list[int]], order: list[int], crash_at: list[int | None]
) -> None:
    store = MemoryStore()
    check_writers(lambda: store, plan, order, crash_at)


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(plans, orders, crashes)
def test_no_record_is_lost_whoever_writes_and_crashes_tried_often(
    plan: list[list[int]], order: list[int], crash_at: list[int | None]
) -> None:
    store = MemoryStore()
    check_writers(lambda: store, plan, order, crash_at)


@settings(max_examples=5, deadline=None)
@given(plans, orders, crashes)
def test_no_record_is_lost_whoever_writes_and_crashes_in_a_layout(
    plan: list[list[int]], order: list[int], crash_at: list[int | None]
) -> None:
    with TemporaryDirectory() as folder:
        check_writers(lambda: layout(Path(folder)), plan, order, crash_at)


@pytest.fixture(scope="module", params=["with-api", "without-api"])
def shared_registry(request: pytest.FixtureRequest) -> Iterator[str]:
    with LocalRegistry(referrers_api=request.param == "with-api") as registry:
        yield registry.host


class Names:
    """A repository of its own for each example."""

    count = 0

    @classmethod
    def new(cls, host: str) -> Reference:
        cls.count += 1
        return Reference(registry=host, repository=f"stages/r{cls.count}")


@settings(max_examples=3, deadline=None)
@given(plans, orders, crashes)
def test_no_record_is_lost_whoever_writes_and_crashes_in_a_registry(
    shared_registry: str, plan: list[list[int]], order: list[int], crash_at: list[int | None]
) -> None:
    place = Names.new(shared_registry)
    with open_registry(place) as store:
        check_writers(lambda: store, plan, order, crash_at)


@pytest.mark.slow
@pytest.mark.registry
@pytest.mark.parametrize("program", ["distribution_3", "docker_registry_2", "olareg_registry"])
def test_no_record_is_lost_in_real_registries(request: pytest.FixtureRequest, program: str) -> None:
    running: RunningRegistry = request.getfixturevalue(program)

    @settings(max_examples=25, deadline=None)
    @given(plans, orders, crashes)
    def check(plan: list[list[int]], order: list[int], crash_at: list[int | None]) -> None:
        with open_registry(Names.new(running.host)) as store:
            check_writers(lambda: store, plan, order, crash_at)

    check()


@pytest.mark.slow
@pytest.mark.registry
@pytest.mark.parametrize("program", ["distribution_3", "docker_registry_2", "olareg_registry"])
def test_writers_that_really_run_at_once_lose_no_record(
    request: pytest.FixtureRequest, program: str
) -> None:
    running: RunningRegistry = request.getfixturevalue(program)
    place = Names.new(running.host)
    with open_registry(place) as store:
        kits = push_kits(store, 6)

        def make(number: int) -> Writer:
            mover = Mover(store=open_registry(place), stage=STAGE)
            return Writer(mover=mover, moves=[number, -1, number], kits=kits)

        writers = run_at_once([make(number) for number in range(6)])
        history = read(store)
        assert {each for writer in writers for each in writer.acknowledged} <= {
            each.digest for each in history.records
        }
        tagged = store.find_tag(STAGE)
        assert tagged is not None
        assert tagged.digest == history.kit


class Interrupted:
    """A store where something else happens once, just before a tag is set."""

    def __init__(
        self, store: Store, before: Callable[[str], bool], then: Callable[[], None]
    ) -> None:
        self._store = store
        self._before = before
        self._then: Callable[[], None] | None = then

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def set_tag(self, tag: str, manifest: Manifest, *, may_move: bool = True) -> Digest | None:
        if self._then is not None and self._before(tag):
            then, self._then = self._then, None
            then()
        return self._store.set_tag(tag, manifest, may_move=may_move)


def ignore(_: object) -> None:
    """Take a result that nobody looks at."""


def move(store: object, kit: Digest) -> Moved:
    return Mover(store=cast("Store", store), stage=STAGE).move(PROMOTE, lambda _: kit)


def test_a_slow_writer_that_overwrites_the_tag_of_a_later_move_repairs_it() -> None:
    store = MemoryStore()
    first, second, *_ = push_kits(store)
    slow = Interrupted(store, lambda tag: tag == STAGE, lambda: ignore(move(store, second)))

    moved = move(slow, first)

    assert [each.kit for each in read(store).line] == [first, second]
    tagged = store.find_tag(STAGE)
    assert tagged is not None
    assert tagged.digest == second
    assert moved.warnings == (
        f"stage '{STAGE}' has been moved on meanwhile; it holds {second} now",
    )


def test_of_two_moves_after_one_record_the_loser_is_told_and_both_stay_visible() -> None:
    store = MemoryStore()
    first, second, *_ = push_kits(store)
    told: list[PromotionLost] = []
    results: list[Moved] = []

    def attempt(place: object, kit: Digest) -> None:
        try:
            results.append(move(place, kit))
        except PromotionLost as lost:
            told.append(lost)

    slow = Interrupted(store, lambda tag: tag != STAGE, lambda: attempt(store, second))
    attempt(slow, first)

    history = read(store)
    assert [each.seq for each in history.records] == [1, 1]
    tagged = store.find_tag(STAGE)
    assert tagged is not None
    assert tagged.digest == history.kit
    if history.kit == second:  # the slow one reads back that it has lost
        assert [each.record for each in told] == [str(history.lost[0].digest)]
        assert "won, and the stage holds" in str(told[0])
    else:  # the fast one was gone by then: the next look tells
        assert told == []
        assert [each.kit for each in history.lost] == [second]


def layout(folder: Path) -> LayoutStore:
    place = LayoutReference(kind="oci", path=folder / "layout")
    return LayoutStore(place.path, name=place.name, pin=place.pin)


def run_at_once(writers: list[Writer]) -> list[Writer]:
    failures: list[BaseException] = []

    def work(writer: Writer) -> None:
        try:
            writer()
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(each,)) for each in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for failure in failures:
        raise failure
    return writers


def test_in_a_layout_one_wins_at_once_and_nobody_loses(tmp_path: Path) -> None:
    kits = push_kits(layout(tmp_path), 6)

    writers = run_at_once(
        [
            Writer(mover=Mover(store=layout(tmp_path), stage=STAGE), moves=[each], kits=kits)
            for each in range(6)
        ]
    )

    history = read(layout(tmp_path))
    assert [each.seq for each in history.records] == [1, 2, 3, 4, 5, 6]
    assert history.lost == ()
    assert sum(len(each.acknowledged) for each in writers) == 6


@pytest.mark.parametrize(
    ("has_api", "step"),
    [
        (True, 4),
        pytest.param(True, 1, marks=pytest.mark.slow),
        pytest.param(False, 1, marks=pytest.mark.slow),
    ],
)
def test_a_crash_between_any_two_requests_to_a_registry_leaves_what_a_writer_repairs(
    has_api: bool, step: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KITLINE_WHO", "somebody")
    crashed = 0
    with LocalRegistry(referrers_api=has_api) as registry:
        place = f"{registry.host}/team/iris"
        first = kitline.pack(folder, f"{place}:v1")
        (folder / "README.md").write_text("another")
        second = kitline.pack(folder, f"{place}:v2")
        kitline.promote(first.reference, STAGE)
        registry.forget()
        kitline.promote(second.reference, STAGE)
        requests = len(registry.requests)
        for number in range(0, requests, step):
            here = kitline.stages(place, history=STAGE)[0]
            target = first if here.digest == second.digest else second
            registry.inject(Fault.answer(status=403, path="/v2/", times=None, skip=number))
            try:
                kitline.promote(target.reference, STAGE)
            except KitlineError:
                crashed += 1
            registry.faults.clear()

            state = kitline.stages(place, history=STAGE)[0]
            assert state.digest in (here.digest, target.digest)
            assert not state.moved_outside
            assert [each.seq for each in state.history] == list(range(1, len(state.history) + 1))
            kitline.promote(f"{place}@{state.digest}", STAGE)
            assert not kitline.stages(place)[0].lags
    assert crashed > requests / step / 2
