"""Promote and roll back, in every kind of store: what the history says, the tag follows."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import kitline
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from kitline.errors import (
    NotAModelKit,
    NotFound,
    PolicyError,
    PromotionUndone,
    TagConflict,
    UsageError,
    WriteBackFailed,
)
from kitline.operations.stages.identity import find_identity
from kitline.plugin import Plugins, PromotedEvent, Statement, WriteBack, hookimpl
from kitline.plugin.invocation import Invocation
from kitline.testing import LocalRegistry
from kitline.testing.rules import Rules
from kitline.testing.trees import write_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kitline.operations.stages.result import Promotion

EVALUATION = "https://kitline.io/evaluation/v1"
REVOCATION = "https://kitline.io/revocation/v1"


@pytest.fixture(autouse=True)
def who(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking git for a name takes longer than a promotion."""
    monkeypatch.setenv("KITLINE_WHO", "somebody")
    monkeypatch.setenv("KITLINE_DISABLE_PLUGINS", "all")


@pytest.fixture(
    params=[
        "local",
        pytest.param("without-api", marks=pytest.mark.slow),
        pytest.param("layout", marks=pytest.mark.slow),
        pytest.param("with-api", marks=pytest.mark.slow),
    ]
)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The name of a repository of each kind, without tag."""
    if request.param == "local":
        yield "team/iris"
    elif request.param == "layout":
        yield f"oci:{tmp_path / 'disk'}"
    else:
        with LocalRegistry(referrers_api=request.param == "with-api") as registry:
            yield f"{registry.host}/team/iris"


@pytest.fixture
def remote(local_registry: LocalRegistry) -> str:
    return f"{local_registry.host}/team/iris"


def pack(folder: Path, place: str, name: str, created: int | None = None) -> str:
    """Pack a kit of its own for each name; return its pinned reference."""
    tree = write_tree(
        folder / f"tree-{name}",
        {
            "Kitfile": f'manifestVersion: "1.0.0"\nmodel:\n  name: {name}\n  path: w.bin\n',
            "w.bin": name.encode(),
        },
    )
    settings = replace(kitline.Settings.load(), source_date_epoch=created)
    return str(kitline.pack(tree, f"{place}:{name}", settings=settings))


@pytest.fixture
def kits(tmp_path: Path, place: str) -> list[str]:
    return [pack(tmp_path, place, name) for name in ("a", "b", "c")]


def keys(folder: Path, name: str = "ours") -> tuple[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    private, public = folder / f"{name}.key", folder / f"{name}.pub"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    return str(private), str(public)


def held(place: str, stage: str = "production") -> str:
    found = kitline.resolve(f"{place}:{stage}")
    assert found is not None
    return str(found.digest)


def digest(reference: str) -> str:
    return reference.rpartition("@")[2]


def names(kits: list[str], place: str) -> str:
    """Return what production held, move by move, as the letters of the kits."""
    letters = {digest(kit): letter for kit, letter in zip(kits, "abc", strict=True)}
    return "".join(letters[str(each.kit)] for each in kitline.stage_history(place, "production"))


# Promote


def test_promote_moves_the_tag_and_puts_it_on_record(place: str, kits: list[str]) -> None:
    first = kitline.promote(kits[0], "production", reason="first")
    second = kitline.promote(kits[1], "production")

    assert held(place) == digest(kits[1]) == str(second.digest)
    assert str(second) == kits[1]
    assert (first.seq, second.seq) == (1, 2)
    assert first.previous is None
    assert second.previous == first.digest
    history = kitline.stage_history(place, "production")
    assert [each.digest for each in history] == [first.record, second.record]
    assert [each.previous for each in history] == [None, first.record]
    assert [each.reason for each in history] == ["first", ""]
    assert {each.repository for each in history} == {place}
    assert history[0].nonce != history[1].nonce


def test_promoting_what_a_stage_holds_records_nothing(place: str, kits: list[str]) -> None:
    first = kitline.promote(kits[0], "production")
    again = kitline.promote(kits[0], "production", reason="once more")

    assert not again.changed
    assert (again.record, again.seq) == (first.record, 1)
    assert len(kitline.stage_history(place, "production")) == 1


def test_promoting_again_repairs_a_tag_that_differs(place: str, kits: list[str]) -> None:
    kitline.promote(kits[0], "production")
    kitline.promote(kits[1], "production")
    kitline.tag(kits[0], "production")
    (state,) = kitline.stages(place)
    assert not state.moved_outside
    assert state.note.startswith(f"the tag lags: it points at {digest(kits[0])}, as if a move had")

    again = kitline.promote(kits[1], "production")

    assert not again.changed
    assert held(place) == digest(kits[1])


def test_a_tag_that_was_moved_outside_is_shown_and_repaired_with_a_warning(
    place: str, kits: list[str]
) -> None:
    kitline.promote(kits[0], "production")
    kitline.tag(kits[2], "production")

    (state,) = kitline.stages(place)
    assert state.moved_outside
    assert str(state.digest) == digest(kits[0])
    assert state.note == f"moved outside kitline: the tag points at {digest(kits[2])}"
    moved = kitline.promote(kits[1], "production")
    assert "which no record explains: it had been moved outside kitline" in moved.warnings[-1]
    assert not kitline.stages(place)[0].moved_outside


def test_a_tag_at_what_a_stage_held_long_ago_was_moved_outside(place: str, kits: list[str]) -> None:
    for kit in kits:
        kitline.promote(kit, "production")
    kitline.tag(kits[0], "production")

    assert kitline.stages(place)[0].moved_outside


def test_a_customary_stage_without_any_record_was_moved_outside(
    place: str, kits: list[str]
) -> None:
    kitline.tag(kits[0], "champion")

    (state,) = kitline.stages(place)

    assert (state.stage, state.digest, state.moved_outside) == ("champion", None, True)


def test_the_record_is_a_referrer_of_the_kit_under_a_tag_of_its_own(
    remote: str, tmp_path: Path
) -> None:
    kit = pack(tmp_path, remote, "a")
    moved = kitline.promote(kit, "production")

    (record,) = kitline.inspect(kit).referrers
    assert record.digest == moved.record
    assert record.artifact_type == "application/vnd.kitline.promotion.v1+json"
    tagged = held(remote, f"production.p-1-{record.digest.hex[:16]}")
    assert tagged == str(record.digest)


def test_tags_of_records_are_not_listed_as_kits(place: str, kits: list[str]) -> None:
    kitline.promote(kits[0], "production")

    tags = [tag for kit in kitline.list_(place) for tag in kit.tags]

    assert sorted(tags) == ["a", "b", "c", "production"]


def test_a_registry_with_immutable_tags_keeps_the_record_and_says_so(tmp_path: Path) -> None:
    with LocalRegistry(Rules(immutable_tags="harbor")) as registry:
        place = f"{registry.host}/team/iris"
        kits = [pack(tmp_path, place, name) for name in "ab"]
        kitline.promote(kits[0], "production")

        with pytest.raises(TagConflict, match="its tag cannot follow"):
            kitline.promote(kits[1], "production")

        (state,) = kitline.stages(place)
        assert str(state.digest) == digest(kits[1])
        assert state.lags


def test_a_stage_in_a_repository_of_its_own_gets_kit_and_referrers_under_the_same_digest(
    local_registry: LocalRegistry, tmp_path: Path
) -> None:
    work, live = f"{local_registry.host}/work/iris", f"{local_registry.host}/live/iris"
    kit = pack(tmp_path, work, "a")
    kitline.attest(kit, Statement(predicate_type=EVALUATION, predicate={"accuracy": 0.9}))
    local_registry.forget()

    moved = kitline.promote(kit, "production", to=live)

    assert str(moved.reference) == f"{live}@{digest(kit)}"
    assert local_registry.count("POST", r"live/iris/blobs/uploads/", status=201) > 0  # mounted
    assert [each.predicate for each in kitline.read_statements(moved.reference)] == [
        {"accuracy": 0.9}
    ]
    assert kitline.stage_history(work, "production") == []
    assert held(live) == digest(kit)


def test_a_kit_that_is_not_there_cannot_be_promoted(place: str, kits: list[str]) -> None:
    with pytest.raises(NotFound):
        kitline.promote(f"{place}:missing", "production")
    assert len(kitline.stages(place)) == 0


def test_what_cannot_be_a_stage_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(UsageError, match="cannot be a stage"):
        kitline.promote("127.0.0.1:1/x:y", "sha256-00")


# Who, why, by which run


def test_a_record_says_who_moved_it_and_where_that_name_comes_from(
    remote: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kit = pack(tmp_path, remote, "a")
    monkeypatch.setenv("KITLINE_WHO", "ann@example.org")
    run = Invocation(system="airflow", id="run 7", url="https://u:secret@airflow.example/run/7")

    before = datetime.now(UTC)
    kitline.promote(kit, "production", reason="see https://u:secret@wiki.example", invocation=run)

    (record,) = kitline.stage_history(remote, "production")
    assert (record.who, record.who_from) == ("ann@example.org", "environment KITLINE_WHO")
    assert record.run == {
        "system": "airflow",
        "id": "run 7",
        "url": "https://airflow.example/run/7",
    }
    assert record.reason == "see https://wiki.example"
    assert abs((record.when - before).total_seconds()) < 60


def test_a_name_comes_from_the_nearest_that_knows_one() -> None:
    everything = {"KITLINE_WHO": "ann", "GITHUB_ACTOR": "bob", "USER": "eve"}

    assert find_identity(everything) == ("ann", "environment KITLINE_WHO")
    assert find_identity({**everything, "KITLINE_WHO": ""}) == ("bob", "environment GITHUB_ACTOR")
    assert find_identity({"KITLINE_WHO": "a\nb\x1b[31m"})[0] == "ab[31m"


def test_a_reason_that_is_no_reason_but_a_book_is_refused(place: str, kits: list[str]) -> None:
    with pytest.raises(UsageError, match="the reason has 5000 characters"):
        kitline.promote(kits[0], "production", reason="x" * 5000)


# Rollback


def test_rollback_lands_on_the_last_good_one_and_can_be_repeated(
    place: str, kits: list[str]
) -> None:
    for kit in kits:
        kitline.promote(kit, "production")

    first = kitline.rollback(place, "production", reason="drifts")
    assert (held(place), first.action, first.reason) == (digest(kits[1]), "rollback", "drifts")
    kitline.rollback(place, "production")
    assert held(place) == digest(kits[0])
    with pytest.raises(NotFound) as nothing:
        kitline.rollback(place, "production")

    assert held(place) == digest(kits[0])
    assert "it held nothing else good" in str(nothing.value)
    assert digest(kits[2]) in str(nothing.value)


def test_a_b_a_b_works(place: str, kits: list[str]) -> None:
    a, b, _ = kits
    kitline.promote(a, "production")
    kitline.promote(b, "production")
    kitline.rollback(place, "production")
    kitline.promote(b, "production")
    kitline.rollback(place, "production")

    assert names(kits, place) == "ababa"
    assert held(place) == digest(a)


def test_what_was_rolled_back_from_is_good_again_when_it_is_promoted_again(
    place: str, kits: list[str]
) -> None:
    a, b, c = kits
    for kit in (a, b):
        kitline.promote(kit, "production")
    kitline.rollback(place, "production")
    for kit in (b, c):
        kitline.promote(kit, "production")

    kitline.rollback(place, "production")

    assert held(place) == digest(b)


def test_revoked_kits_are_passed_over(place: str, kits: list[str]) -> None:
    for kit in kits:
        kitline.promote(kit, "production")
    kitline.attest(kits[1], Statement(predicate_type=REVOCATION, predicate={"reason": "leak"}))

    moved = kitline.rollback(place, "production")

    assert held(place) == digest(kits[0])
    assert moved.warnings == (f"passed over {digest(kits[1])}: it is revoked: leak",)


def test_rollback_goes_to_a_kit_that_is_named_by_some_of_its_digits(
    place: str, kits: list[str]
) -> None:
    for kit in kits:
        kitline.promote(kit, "production")

    kitline.rollback(place, "production", to=digest(kits[0]).removeprefix("sha256:")[:12])

    assert held(place) == digest(kits[0])


@pytest.mark.parametrize("to", ["sha256:" + "0" * 64, "00000000", "abc", "latest"])
def test_rollback_to_what_a_stage_never_held_is_refused(
    place: str, kits: list[str], to: str
) -> None:
    kitline.promote(kits[0], "production")

    with pytest.raises(UsageError):
        kitline.rollback(place, "production", to=to)
    assert names(kits, place) == "a"


def test_rollback_to_what_was_rolled_back_from_says_how_to_get_it(
    remote: str, tmp_path: Path
) -> None:
    kits = [pack(tmp_path, remote, name) for name in "ab"]
    for kit in kits:
        kitline.promote(kit, "production")
    kitline.rollback(remote, "production")

    with pytest.raises(UsageError) as refused:
        kitline.rollback(remote, "production", to=digest(kits[1]))

    assert str(refused.value) == (
        f"stage 'production' of '{remote}' was rolled back from {digest(kits[1])};"
        f" 'kitline promote {kits[1]} production' makes it good again"
    )


def test_rollback_to_a_time_goes_to_what_was_good_then(place: str, kits: list[str]) -> None:
    for kit in kits:
        kitline.promote(kit, "production")
    times = [each.when for each in kitline.stage_history(place, "production")]

    kitline.rollback(place, "production", before=times[0])

    assert held(place) == digest(kits[0])
    assert str(kitline.stages(place, at=times[1])[0].digest) in (digest(kits[1]), digest(kits[2]))
    assert len(kitline.stages(place, at="2020-01-01")) == 1
    assert kitline.stages(place, at="2020-01-01")[0].digest is None


def test_a_stage_without_history_has_nothing_to_go_back_to(place: str, kits: list[str]) -> None:
    with pytest.raises(NotFound, match="nothing was ever promoted to it"):
        kitline.rollback(place, "production")


def test_a_repository_is_named_without_tag(place: str, kits: list[str]) -> None:
    with pytest.raises(UsageError, match="name the repository"):
        kitline.rollback(f"{place}:a", "production")


# Requirements


@pytest.mark.parametrize(
    ("requirement", "met"),
    [
        ("metric:accuracy:ge:0.9", True),
        pytest.param("metric:accuracy:gt:0.9", False, marks=pytest.mark.slow),
        pytest.param("metric:accuracy:le:0.9,metric:accuracy:eq:0.9", True, marks=pytest.mark.slow),
        pytest.param("metric:accuracy:lt:0.9", False, marks=pytest.mark.slow),
        pytest.param("metric:accuracy:ne:0.9", False, marks=pytest.mark.slow),
        ("metric:f1:ge:0", False),
        ("attestation:evaluation", True),
        ("attestation:spdx", False),
        ("newer-than:champion", True),
        pytest.param("newer-than:production", True, marks=pytest.mark.slow),
        ("newer-than:challenger", False),
    ],
)
def test_a_stage_moves_only_to_what_meets_the_requirements(
    remote: str, tmp_path: Path, requirement: str, met: bool
) -> None:
    old, new = (pack(tmp_path, remote, name, created=1000 + ord(name)) for name in "ab")
    kitline.promote(old, "champion")
    kitline.promote(new, "challenger")
    said = {"metrics": {"accuracy": 0.9}}
    kitline.attest(new, Statement(predicate_type=EVALUATION, predicate=said))

    if met:
        assert kitline.promote(new, "production", require=[requirement]).changed
    else:
        with pytest.raises(PolicyError) as refused:
            kitline.promote(new, "production", require=[requirement])
        assert refused.value.exit_code == 3
        assert kitline.stage_history(remote, "production") == []


def test_all_that_is_not_met_is_told_at_once(remote: str, tmp_path: Path) -> None:
    kit = pack(tmp_path, remote, "a")
    _, public = keys(tmp_path)
    kitline.attest(kit, Statement(predicate_type=EVALUATION, predicate={"accuracy": 0.8}))

    with pytest.raises(PolicyError) as refused:
        kitline.promote(
            kit,
            "production",
            require=["attestation:spdx,metric:accuracy:ge:0.9", "newer-than:production"],
        )
    assert str(refused.value).splitlines() == [
        f"{kit} is not promoted to 'production'; of what is required:",
        "  attestation:spdx: nothing of type 'https://spdx.dev/Document' is attached",
        "  metric:accuracy:ge:0.9: 'accuracy' is 0.8, and has to be at least 0.9",
    ]
    with pytest.raises(PolicyError, match="is not signed by key"):
        kitline.promote(kit, "production", require=["signed"], verify_key=public)


def test_each_value_that_is_told_of_a_metric_has_to_be_good(remote: str, tmp_path: Path) -> None:
    kit = pack(tmp_path, remote, "a")
    for value in (0.99, 0.5):
        kitline.attest(kit, Statement(predicate_type=EVALUATION, predicate={"accuracy": value}))

    with pytest.raises(PolicyError, match=r"'accuracy' is 0\.5"):
        kitline.promote(kit, "production", require=["metric:accuracy:ge:0.9"])


def test_with_a_key_only_signed_evaluations_count(remote: str, tmp_path: Path) -> None:
    kit = pack(tmp_path, remote, "a")
    private, public = keys(tmp_path)
    kitline.attest(kit, Statement(predicate_type=EVALUATION, predicate={"accuracy": 0.99}))
    require = ["signed,metric:accuracy:ge:0.9,attestation:evaluation"]

    with pytest.raises(PolicyError):
        kitline.promote(kit, "production", require=require, verify_key=public)
    kitline.sign(kit, key=private)
    kitline.attest_signed(kit, "evaluation", {"accuracy": 0.95}, key=private)

    assert kitline.promote(kit, "production", require=require, verify_key=public).changed


def test_signed_by_nobody_in_particular_means_nothing(remote: str, tmp_path: Path) -> None:
    kit = pack(tmp_path, remote, "a")

    with pytest.raises(UsageError, match="--verify-key"):
        kitline.promote(kit, "production", require=["signed"])


@pytest.mark.parametrize(
    "text",
    ["nice", "metric:x:ge", "metric:x:about:1", "metric:x:ge:nan", "newer-than:", "signed:x"],
)
def test_a_requirement_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="cannot be read; the forms are"):
        kitline.promote("iris:v1", "production", require=[text])


# The check


def test_a_check_that_fails_rolls_back_by_itself(place: str, kits: list[str]) -> None:
    kitline.promote(kits[0], "production")

    with pytest.raises(PromotionUndone) as undone:
        kitline.promote(kits[1], "production", check="exit 7")

    assert str(undone.value) == (
        f"the check 'exit 7' ended with 7; stage 'production' of '{place}' went back to"
        f" {digest(kits[0])}"
    )
    assert held(place) == digest(kits[0])
    history = kitline.stage_history(place, "production")
    assert [each.action for each in history] == ["promote", "promote", "rollback"]
    assert history[-1].reason == "the check 'exit 7' ended with 7"


def test_a_check_sees_the_stage_and_the_kit(place: str, kits: list[str], tmp_path: Path) -> None:
    kitline.promote(kits[0], "production")
    told = tmp_path / "told"

    kitline.promote(
        kits[1],
        "production",
        check=f'echo "$KITLINE_STAGE $KITLINE_REFERENCE $KITLINE_PREVIOUS" > {told}',
    )

    assert told.read_text() == f"production {kits[1]} {digest(kits[0])}\n"
    assert held(place) == digest(kits[1])


def test_a_first_promotion_whose_check_fails_says_that_it_stays(
    remote: str, tmp_path: Path
) -> None:
    kit = pack(tmp_path, remote, "a")

    with pytest.raises(PromotionUndone, match="could not go back and still holds"):
        kitline.promote(kit, "production", check="false")


# Hooks


@dataclass(eq=False)
class Tool:
    """A plugin that is told of promotions."""

    told: list[PromotedEvent] = field(default_factory=list)
    fails: bool = False

    @hookimpl
    def kitline_promoted(self, event: PromotedEvent) -> WriteBack:
        self.told.append(event)
        if self.fails:
            raise RuntimeError("no route to the tool")
        return WriteBack(plugin="tool", target=f"alias {event.stage}")


def with_tool(tool: Tool) -> Plugins:
    plugins = Plugins()
    plugins.register(tool, name="tool")
    return plugins


def test_tools_are_told_of_each_move_but_not_of_none(place: str, kits: list[str]) -> None:
    tool = Tool()

    def promote(kit: str) -> Promotion:
        return kitline.promote(kit, "production", reason="why", plugins=with_tool(tool))

    first = promote(kits[0])
    promote(kits[0])
    second = promote(kits[1])
    back = kitline.rollback(place, "production", plugins=with_tool(tool))

    assert [(str(each.reference), each.seq) for each in tool.told] == [
        (kits[0], 1),
        (kits[1], 2),
        (kits[0], 3),
    ]
    assert [each.record for each in tool.told] == [first.record, second.record, back.record]
    assert [each.action for each in tool.told] == ["promote", "promote", "rollback"]
    assert [each.previous for each in tool.told] == [None, first.digest, second.digest]
    assert tool.told[0].reason == "why"
    assert [each.target for each in first.write_backs] == ["alias production"]


def test_a_tool_that_fails_is_a_warning_or_an_error_as_the_settings_say(
    remote: str, tmp_path: Path
) -> None:
    kits = [pack(tmp_path, remote, name) for name in "ab"]
    plugins = with_tool(Tool(fails=True))

    moved = kitline.promote(kits[0], "production", plugins=plugins)
    assert "no route to the tool" in str(moved.write_backs[0].warning)
    strict = replace(kitline.Settings.load(), write_back="require")
    with pytest.raises(WriteBackFailed, match="but not written back"):
        kitline.promote(kits[1], "production", plugins=plugins, settings=strict)
    assert held(remote) == digest(kits[1])


def test_tools_are_not_told_of_a_kit_whose_check_fails(remote: str, tmp_path: Path) -> None:
    tool = Tool()
    with pytest.raises(PromotionUndone):
        kitline.promote(
            pack(tmp_path, remote, "a"), "production", check="false", plugins=with_tool(tool)
        )
    assert tool.told == []


def test_tools_are_not_told_of_a_move_that_another_has_followed(
    remote: str, tmp_path: Path
) -> None:
    tool = Tool()
    kits = [pack(tmp_path, remote, name) for name in "ab"]
    other = f"{sys.executable} -m kitline promote {kits[1]} production"

    moved = kitline.promote(kits[0], "production", check=other, plugins=with_tool(tool))

    assert held(remote) == digest(kits[1])
    assert (moved.changed, moved.seq) == (True, 1)
    assert tool.told == []


# Signed records


def test_a_record_is_signed_when_a_key_is_given_and_says_by_whom(
    place: str, kits: list[str], tmp_path: Path
) -> None:
    private, public = keys(tmp_path)
    _, foreign = keys(tmp_path, "theirs")
    kitline.promote(kits[0], "production", key=private)
    kitline.promote(kits[1], "production")

    seen = kitline.stage_history(place, "production", key=public)
    assert [each.signed_by for each in seen] == [f"key {public!r}", ""]
    assert [each.signed for each in seen] == [True, False]
    others = kitline.stage_history(place, "production", key=foreign)
    assert [each.signed_by for each in others] == ["", ""]


def test_the_setting_sign_key_signs_records_too(
    remote: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private, public = keys(tmp_path)
    monkeypatch.setenv("KITLINE_SIGN_KEY", private)

    kitline.promote(pack(tmp_path, remote, "a"), "production")

    assert kitline.stages(remote, key=public)[0].signed_by == f"key {public!r}"


# Looking again and again


def test_only_what_came_after_a_record_is_read_and_nothing_costs_one_request(
    local_registry: LocalRegistry, remote: str, tmp_path: Path
) -> None:
    for name in "abc":
        kitline.promote(pack(tmp_path, remote, name), "production")
    whole = kitline.stage_history(remote, "production")

    for number, each in enumerate(whole):
        after = kitline.stage_history(remote, "production", after=each.tag)
        assert after == whole[number + 1 :]
    local_registry.forget()
    assert kitline.stage_history(remote, "production", after=whole[-1].tag) == []
    assert len(local_registry.requests) == 1
    with pytest.raises(UsageError, match="is not the tag of a record of stage 'staging'"):
        kitline.stage_history(remote, "staging", after=whole[-1].tag)


# Hostile repositories


def test_what_is_attached_to_a_kit_cannot_be_promoted(remote: str, tmp_path: Path) -> None:
    moved = kitline.promote(pack(tmp_path, remote, "a"), "production")

    with pytest.raises(NotAModelKit, match=f"is attached to {moved.digest}, and no kit"):
        kitline.promote(f"{remote}@{moved.record}", "staging")


def test_tags_that_look_like_records_and_are_none_are_left_out_with_a_warning(
    local_registry: LocalRegistry, remote: str, tmp_path: Path
) -> None:
    kit = pack(tmp_path, remote, "a")
    moved = kitline.promote(kit, "production")
    assert moved.record is not None
    kitline.tag(f"{remote}@{moved.record}", "production.p-9-0123456789abcdef")  # other digits
    kitline.tag(kit, f"production.p-2-{moved.digest.hex[:16]}")  # a kit
    kitline.tag(f"{remote}@{moved.record}", f"staging.p-1-{moved.record.hex[:16]}")  # another stage

    states = {each.stage: each for each in kitline.stages(remote)}

    assert str(states["production"].digest) == digest(kit)
    assert len(states["production"].problems) == 2
    assert states["staging"].digest is None
    assert "it is number 1 of stage 'production'" in states["staging"].problems[0]
    assert kitline.promote(pack(tmp_path, remote, "b"), "production").seq == 2
