"""A promotion record round-trips, and what is malformed is refused by the name of its field."""

from __future__ import annotations

import string
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kitline.errors import MalformedContent, UsageError
from kitline.oci.digest import Digest
from kitline.promotion.record import ROLLBACK, Move
from kitline.promotion.times import read_moment, read_span, read_time, time_text

KIT = Digest.of(b"kit")
MOVE = Move(
    stage="production",
    kit=KIT,
    seq=2,
    previous=Digest.of(b"first"),
    action=ROLLBACK,
    nonce="00ff",
    when=datetime(2026, 1, 31, 17, 0, 0, 123000, tzinfo=UTC),
    who="ann@example.org",
    who_from="git config user.email",
    reason="drifts – é",
    repository="registry.example/team/iris",
    run={"system": "airflow", "id": "run 1"},
)
texts = st.text(string.printable + "é–", max_size=40)


def test_a_record_reads_back_as_it_was_written() -> None:
    assert Move.from_predicate(KIT, MOVE.to_predicate()) == MOVE


@given(who=texts, reason=texts, nonce=texts, when=st.datetimes(timezones=st.just(UTC)))
def test_any_record_reads_back(who: str, reason: str, nonce: str, when: datetime) -> None:
    when = when.replace(microsecond=when.microsecond // 1000 * 1000)
    move = replace(MOVE, who=who, reason=reason, nonce=nonce, when=when)

    assert Move.from_predicate(KIT, move.to_predicate()) == move


def test_fields_of_later_versions_are_left_alone() -> None:
    assert Move.from_predicate(KIT, {**MOVE.to_predicate(), "later": {}}) == MOVE


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seq", 0),
        ("seq", True),
        ("seq", "2"),
        ("seq", 10**9),
        ("previous", 7),
        ("previous", "sha256:../../etc"),
        ("previous", None),
        ("action", "delete"),
        ("stage", "sha256-00"),
        ("stage", ["production"]),
        ("when", "yesterday"),
        ("when", "2026-01-31T17:00:00"),
        ("reason", "x" * 5000),
        ("who", {}),
        ("run", []),
        ("run", {"id": 3}),
    ],
)
def test_what_is_malformed_is_refused(field: str, value: Any) -> None:
    with pytest.raises(MalformedContent):
        Move.from_predicate(KIT, {**MOVE.to_predicate(), field: value})


def test_a_first_record_follows_none() -> None:
    with pytest.raises(MalformedContent, match="the first record alone has none"):
        Move.from_predicate(KIT, {**MOVE.to_predicate(), "seq": 1})


def test_times_are_written_in_utc_to_the_millisecond() -> None:
    noon = datetime(2026, 1, 31, 12, 0, 0, 999, tzinfo=timezone(timedelta(hours=2)))

    assert time_text(noon) == "2026-01-31T10:00:00.000Z"
    assert read_time("2026-01-31T12:00:00+02:00") == noon.replace(microsecond=0)


def test_people_may_write_a_date_or_a_span() -> None:
    now = datetime(2026, 1, 31, tzinfo=UTC)

    assert read_moment("2026-01-30", now) == now - timedelta(days=1)
    assert read_moment("2h", now) == now - timedelta(hours=2)
    assert read_span("2w") == timedelta(days=14)


@pytest.mark.parametrize(
    "text", ["", "soon", "2026-13-01", "2026-01-01T00:00:00", "-3d", "9" * 50, "999999w"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        read_moment(text, datetime(2026, 1, 31, tzinfo=UTC))
