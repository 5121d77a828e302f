"""The history of a stage is decided by its records alone, whoever reads them in whatever order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from kitline.oci.digest import Digest
from kitline.promotion.history import History
from kitline.promotion.record import PROMOTE, ROLLBACK, PromotionRecord

KITS = {name: Digest.of(name.encode()) for name in "ABCDE"}
NAMES = {digest: name for name, digest in KITS.items()}
START = datetime(2026, 1, 1, tzinfo=UTC)


def record(
    seq: int,
    kit: str,
    previous: Digest | None,
    action: str = PROMOTE,
    *,
    nonce: str = "",
    at: float | None = None,
) -> PromotionRecord:
    return PromotionRecord(
        stage="production",
        kit=KITS[kit],
        seq=seq,
        previous=previous,
        action=action,
        nonce=nonce,
        when=START + timedelta(hours=seq if at is None else at),
        digest=Digest.of(f"{seq}{kit}{previous}{action}{nonce}".encode()),
    )


def line(*moves: str) -> History:
    """Make a history of moves such as `A` and `<A`, which rolls back to A."""
    found: list[PromotionRecord] = []
    for move in moves:
        action = ROLLBACK if move[0] == "<" else PROMOTE
        last = found[-1].digest if found else None
        found.append(record(len(found) + 1, move[-1], last, action))
    return History.of(found)


def good(history: History) -> str:
    return "".join(NAMES[each] for each in history.good())


@st.composite
def records(draw: st.DrawFn) -> list[PromotionRecord]:
    """Records of writers that each followed any record there was, as if they had seen no other."""
    found: list[PromotionRecord] = []
    for number in range(draw(st.integers(0, 12))):
        before = draw(st.sampled_from([None, *found]))
        seq = 1 if before is None else before.seq + 1
        kit, action = draw(st.sampled_from("ABCDE")), draw(st.sampled_from([PROMOTE, ROLLBACK]))
        digest = None if before is None else before.digest
        found.append(record(seq, kit, digest, action, nonce=str(number)))
    return found


def test_a_stage_without_records_holds_nothing() -> None:
    assert History.of([]).kit is None
    assert good(History.of([])) == ""


def test_the_last_of_a_line_holds() -> None:
    assert line("A", "B").kit == KITS["B"]


@given(records(), st.randoms(use_true_random=False))
def test_all_readers_of_the_same_records_compute_the_same_state(
    found: list[PromotionRecord], random: object
) -> None:
    shuffled = [*found, *found[:3]]
    random.shuffle(shuffled)  # type: ignore[attr-defined] # hypothesis does not type its randoms

    assert History.of(shuffled) == History.of(found)


@given(records())
def test_every_record_stays_visible_and_one_line_leads_to_the_head(
    found: list[PromotionRecord],
) -> None:
    history = History.of(found)

    assert {each.digest for each in history.records} == {each.digest for each in found}
    assert [each.previous for each in history.line[1:]] == [
        each.digest for each in history.line[:-1]
    ]
    assert [each.seq for each in history.line] == list(range(1, len(history.line) + 1))


@given(records(), st.data())
def test_a_line_with_a_hole_still_leads_on_below_it(
    found: list[PromotionRecord], data: st.DataObject
) -> None:
    left = [each for each in found if data.draw(st.booleans())]
    history = History.of(left)

    assert len(history.records) == len(left)
    if left:
        lowest = min(each.seq for each in left)
        assert history.line[0].seq == lowest
        assert history.line[-1] == history.head


def test_of_two_records_after_one_the_higher_digest_wins_and_the_other_has_lost() -> None:
    first = record(1, "A", None)
    two = [record(2, "B", first.digest), record(2, "C", first.digest)]
    winner = max(two, key=lambda each: each.digest)

    history = History.of([*two, first])

    assert history.head is not None
    assert history.head.digest == winner.digest
    assert [each.kit for each in history.lost] == [each.kit for each in two if each is not winner]
    assert good(history) == "A"


def test_rollback_goes_to_the_last_good_kit() -> None:
    assert good(line("A", "B", "C")) == "BA"
    assert good(line("A", "B", "A", "C")) == "AB"


def test_what_was_rolled_back_from_is_not_good_until_it_is_promoted_again() -> None:
    assert good(line("A", "B", "<A")) == ""
    assert good(line("A", "B", "C", "<B")) == "A"
    assert good(line("A", "B", "<A", "B")) == "A"
    assert good(line("A", "B", "<A", "B", "C")) == "BA"


def test_a_b_a_b_works() -> None:
    assert good(line("A", "B", "A", "B")) == "A"
    assert good(line("A", "B", "<A", "B", "<A")) == ""


def test_rollback_to_a_time_goes_to_what_was_good_then() -> None:
    history = line("A", "B", "C")

    found = list(history.good(until=START + timedelta(hours=1.5)))

    assert found == [KITS["A"]]
    assert list(history.good(until=START)) == []


def test_the_line_until_a_time_is_what_held_then() -> None:
    assert [NAMES[each.kit] for each in line("A", "B").until(START + timedelta(hours=1))] == ["A"]
    assert line("A", "B").until(START) == ()


def test_those_who_believe_some_records_only_see_the_history_of_these() -> None:
    history = line("A", "B", "C")
    believed = {each.digest for each in history.records[:2]}

    assert history.only(believed).kit == KITS["B"]
