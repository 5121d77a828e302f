"""The verbs of stages, end to end: what they print where, and how they end."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import kitline
import pytest
from kitline.oci.reference import Reference
from kitline.operations.stages.records import write_record
from kitline.promotion.record import Move
from kitline.store.registry import open_registry
from kitline.testing import BasicAuth, Fault, LocalRegistry
from kitline.testing.rules import Rules
from kitline.testing.trees import write_tree

if TYPE_CHECKING:
    from kitline.testing.command_line import CommandLine


@pytest.fixture(autouse=True)
def who(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KITLINE_WHO", "ann")
    monkeypatch.setenv("KITLINE_DISABLE_PLUGINS", "all")
    monkeypatch.chdir(tmp_path)


def pack(run: CommandLine, reference: str, name: str) -> str:
    """Pack a kit with parameters of its own; return its digest."""
    kitfile = (
        'manifestVersion: "1.0.0"\n'
        f"model:\n  name: {name}\n  path: w.bin\n  parameters:\n    depth: {len(name)}\n"
    )
    folder = write_tree(Path(f"tree-{name}"), {"Kitfile": kitfile, "w.bin": name.encode()})
    return run("pack", folder, "-t", reference).digest


def test_promote_prints_the_pinned_reference_and_says_the_rest_on_stderr(
    run: CommandLine,
) -> None:
    first, second = pack(run, "iris:v1", "a"), pack(run, "iris:v2", "bb")

    moved = run("promote", "iris:v1", "production")
    assert moved.pinned == f"iris@{first}"
    assert moved.stderr == f"production moved to {first} (record 1)\n"
    again = run("promote", "iris:v1", "production")
    assert again.stderr == f"production holds {first} already (record 1)\n"
    assert run("promote", "iris:v2", "production").stderr == (
        f"production moved from {first} to {second} (record 2)\n"
    )
    back = run("rollback", "iris", "production")
    assert back.pinned == f"iris@{first}"
    assert back.stderr == f"production rolled back from {second} to {first} (record 3)\n"
    assert run("promote", "iris:v2", "production", "-q").stderr == ""


def test_promote_and_rollback_as_json(run: CommandLine) -> None:
    digest = pack(run, "iris:v1", "a")
    pack(run, "iris:v2", "bb")

    moved = run("promote", "iris:v1", "production", "--reason", "first", "--json").json
    assert moved["digest"] == digest
    assert (moved["stage"], moved["seq"], moved["changed"], moved["reason"]) == (
        "production", 1, True, "first",
    )  # fmt: skip
    run("promote", "iris:v2", "production")
    back = run("rollback", "iris", "production", "--json").json
    assert (back["digest"], back["action"], back["seq"]) == (digest, "rollback", 3)


def test_requirements_that_are_not_met_end_with_3_and_move_nothing(run: CommandLine) -> None:
    digest = pack(run, "iris:v1", "a")
    run("attest", "iris:v1", "--type", "evaluation", "--metric", "accuracy=0.8")

    refused = run(
        "promote",
        "iris:v1",
        "production",
        "--require",
        "attestation:evaluation,metric:accuracy:ge:0.9",
    )

    assert refused.code == 3
    assert refused.error == (
        f"iris@{digest} is not promoted to 'production'; of what is required:\n"
        "  metric:accuracy:ge:0.9: 'accuracy' is 0.8, and has to be at least 0.9"
    )
    assert run("stages", "iris").stderr == "no stage in 'iris'; 'kitline promote' makes one\n"


def test_a_check_that_fails_ends_with_1_after_going_back(run: CommandLine) -> None:
    first = pack(run, "iris:v1", "a")
    pack(run, "iris:v2", "bb")
    run("promote", "iris:v1", "production")

    failed = run("promote", "iris:v2", "production", "--check", "false")

    assert failed.code == 1
    assert failed.error.endswith(f"stage 'production' of 'iris' went back to {first}")


def test_stages_shows_a_readable_table(run: CommandLine) -> None:
    first, second = pack(run, "iris:v1", "a"), pack(run, "iris:v2", "bb")
    run("promote", "iris:v1", "production", "--reason", "passed review")
    run("promote", "iris:v2", "champion")

    lines = run("stages", "iris").stdout.splitlines()

    assert lines[0].split() == ["stage", "kit", "since", "by", "no.", "why", "note"]
    assert lines[1].split()[:2] == ["champion", second.removeprefix("sha256:")[:12]]
    assert lines[2].split()[:2] == ["production", first.removeprefix("sha256:")[:12]]
    assert "ann" in lines[2]
    assert lines[2].rstrip().endswith("passed review")


def test_the_history_of_a_stage_shows_every_move(run: CommandLine) -> None:
    for number in "12":
        pack(run, f"iris:v{number}", "a" * int(number))
        run("promote", f"iris:v{number}", "production")
    run("rollback", "iris", "production", "--reason", "drifts")

    lines = run("stages", "iris", "--history", "production").stdout.splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [
        ["1", "promote"],
        ["2", "promote"],
        ["3", "rollback"],
    ]
    assert lines[3].rstrip().endswith("held now")
    (state,) = run("stages", "iris", "--history", "production", "--json").json["stages"]
    assert [each["action"] for each in state["history"]] == ["promote", "promote", "rollback"]
    assert state["history"][2]["reason"] == "drifts"


def test_stages_at_a_time_shows_what_held_then(run: CommandLine) -> None:
    first, _ = pack(run, "iris:v1", "a"), pack(run, "iris:v2", "bb")
    run("promote", "iris:v1", "production")
    (then,) = run("stages", "iris", "--json").json["stages"]
    while run("stages", "iris", "--json").json["stages"][0]["seq"] < 2:
        run("promote", "iris:v2", "production")

    (state,) = run("stages", "iris", "--at", then["when"], "--json").json["stages"]

    assert (state["digest"], state["tag"]) == (first, None)


def test_a_stage_moved_outside_kitline_is_said_to(run: CommandLine) -> None:
    pack(run, "iris:v1", "a")
    second = pack(run, "iris:v2", "bb")
    run("promote", "iris:v1", "production")
    run("tag", "iris:v2", "production")

    shown = run("stages", "iris")

    assert shown.stdout.rstrip().endswith("moved outside kitline")
    assert shown.stderr == (
        f"warning: iris: production: moved outside kitline: the tag points at {second}\n"
    )
    assert run("stages", "iris", "--json").json["stages"][0]["movedOutside"] is True


def test_a_move_that_lost_against_another_is_told_by_the_next_look(
    run: CommandLine, local_registry: LocalRegistry
) -> None:
    place = f"{local_registry.host}/team/iris"
    kits = [pack(run, f"{place}:v{number}", "a" * number) for number in (1, 2)]
    with open_registry(Reference.parse(place)) as store:
        for who, kit in zip(("bob", "eve"), kits, strict=True):  # neither saw the other
            write_record(
                store,
                store.get_manifest(kitline.Digest(kit)),
                Move(
                    stage="production", kit=kitline.Digest(kit), seq=1, previous=None,
                    action="promote", nonce=who, when=datetime.now(UTC), who=who,
                ),
            )  # fmt: skip

    shown = run("stages", place, "--history", "production")

    loser, winner = kitline.stage_history(place, "production")
    assert (loser.lost, winner.lost) == (True, False)
    assert (
        f"production: record 1 by {loser.who} ({loser.kit}) lost against another move at the same"
        " time" in shown.stderr
    )
    assert [line.split()[-1] for line in shown.stdout.splitlines()[1:]] == ["lost", "now"]


def test_patterns_show_the_stages_of_many_repositories_in_one_table(
    run: CommandLine, local_registry: LocalRegistry
) -> None:
    for place in ("team/iris", "team/wine", "other/iris"):
        for where in (place, f"{local_registry.host}/{place}"):
            pack(run, f"{where}:v1", "a")
            run("promote", f"{where}:v1", "production")

    remote = run("stages", f"{local_registry.host}/team/*").stdout.splitlines()
    assert [line.split()[0] for line in remote[1:]] == [
        f"{local_registry.host}/team/iris",
        f"{local_registry.host}/team/wine",
    ]
    local = run("stages", "*/iris", "--json").json["stages"]
    assert [each["repository"] for each in local] == ["other/iris", "team/iris"]


def test_a_long_catalog_is_read_page_by_page(run: CommandLine) -> None:
    with LocalRegistry(Rules(page_limit=2)) as registry:
        for number in range(5):
            pack(run, f"{registry.host}/team/r{number}:v1", "a")
            run("promote", f"{registry.host}/team/r{number}:v1", "production")

        found = run("stages", f"{registry.host}/team/*", "--json").json["stages"]

    assert [each["repository"][-2:] for each in found] == ["r0", "r1", "r2", "r3", "r4"]


@pytest.mark.parametrize("rules", [Rules(catalog=False), Rules()])
def test_a_registry_that_does_not_tell_its_repositories_is_named(
    run: CommandLine, rules: Rules
) -> None:
    with LocalRegistry(rules, auth=None if not rules.catalog else BasicAuth()) as registry:
        refused = run("stages", f"{registry.host}/team/*")

    assert refused.code == 1
    assert f"list the repositories of {registry.host}: it does not tell" in refused.error
    assert refused.error.endswith("name each repository instead of a pattern")


def test_one_repository_that_cannot_be_read_hides_no_other(
    run: CommandLine, local_registry: LocalRegistry
) -> None:
    for name in ("iris", "wine"):
        pack(run, f"{local_registry.host}/team/{name}:v1", "a")
        run("promote", f"{local_registry.host}/team/{name}:v1", "production")
    local_registry.inject(Fault.answer(status=403, path="/v2/team/iris", times=None))

    shown = run("stages", f"{local_registry.host}/team/*")

    assert shown.code == 0
    assert "production" in shown.stdout
    assert "team/iris' was left out" in shown.stderr


def test_compare_shows_two_kits_side_by_side(run: CommandLine) -> None:
    data = pack(run, "data:v1", "ddd")
    pack(run, "iris:v1", "a")
    pack(run, "iris:v2", "bb")
    for tag, value in (("v1", "0.8"), ("v2", "0.9")):
        run("attest", f"iris:{tag}", "--type", "evaluation", "--metric", f"accuracy={value}")
        run("promote", f"iris:{tag}", {"v1": "champion", "v2": "challenger"}[tag])
    write_tree(Path("tree-child"), {"x.csv": b"1"})
    assert run("pack", "tree-child", "-t", "iris:child", "--parent", f"data@{data}").pinned

    shown = run("compare", "iris:champion", "challenger")
    assert [line.split() for line in shown.stdout.splitlines()] == [
        ["name", "iris:champion", "iris:challenger"],
        ["parameter", "depth", "1", "2", "≠"],
        ["metric", "accuracy", "0.8", "0.9", "+0.1"],
        ["file", "w.bin", *file_cell(b"a"), *file_cell(b"bb"), "≠"],
    ]
    both = run("compare", "champion", "challenger", "-r", "iris", "--json").json
    assert {each["section"] for each in both["rows"]} == {"parameter", "metric", "file"}
    child = run("compare", "iris:champion", "child", "--json").json["rows"]
    assert [each["right"] for each in child if each["section"] == "data"] == [data]


def file_cell(content: bytes) -> list[str]:
    return [kitline.Digest.of(content).hex[:12], f"({len(content)}", "B)"]


def test_compare_of_bare_words_says_how_to_name_the_repository(run: CommandLine) -> None:
    refused = run("compare", "champion", "challenger")

    assert refused.code == 2
    assert refused.error == (
        "'champion' names no kit; write 'REPO:champion', or name the repository of both with"
        " --repository"
    )


def test_compare_with_a_key_believes_what_its_owner_signed_alone(run: CommandLine) -> None:
    pack(run, "iris:v1", "a")
    run("attest", "iris:v1", "--type", "evaluation", "--metric", "accuracy=1")
    run("keygen", "ours", stdin="\n")

    rows = run("compare", "iris:v1", "v1", "--key", "ours.pub", "--json").json["rows"]

    assert [each["section"] for each in rows] == ["parameter"]


def test_prune_shows_the_plan_first_and_removes_what_nothing_needs(run: CommandLine) -> None:
    for number in "123":
        pack(run, f"iris:v{number}", "a" * int(number))
    run("promote", "iris:v1", "production")

    plan = run("prune", "iris", "--keep-stages", "--grace", "0s", "--dry-run")
    assert [line.split()[0] for line in plan.stderr.splitlines()[1:-1]].count("remove") == 2
    assert "would remove 2 kits and free" in plan.stderr
    done = run("prune", "iris", "--keep-stages", "--grace", "0s", "--json").json
    assert len(done["removed"]) == 2
    assert [each["keptBecause"] for each in done["keep"]] == [["production points at it"]]
    assert [each["tags"] for each in run("list", "iris", "--json").json["kits"]] == [
        ["production", "v1"]
    ]


def test_prune_has_to_be_told_what_to_keep(run: CommandLine) -> None:
    refused = run("prune", "iris")

    assert refused.code == 2
    assert "say what to keep" in refused.error


def test_results_show_themselves_in_notebooks_with_everything_escaped(run: CommandLine) -> None:
    pack(run, "iris:v1", "a")
    pack(run, "iris:v2", "bb")
    moved = kitline.promote("iris:v1", "production", reason="<script>alert(1)</script>")

    shown = [
        moved,
        kitline.stages("iris"),
        kitline.stages("iris")[0],
        kitline.inspect("iris:v1"),
        kitline.tag("iris:v1", "again"),
        kitline.compare("iris:v1", "v2"),
        kitline.diff("iris:v1", "iris:v2"),
    ]
    for each in shown:
        html = each._repr_html_()  # type: ignore[attr-defined] # each of them has one
        assert html.startswith("<table>")
        assert "<script" not in html
    assert "&lt;script&gt;" in moved._repr_html_()


@pytest.mark.parametrize("verb", ["promote", "rollback", "stages", "compare", "prune"])
def test_help_shows_an_example(run: CommandLine, verb: str) -> None:
    shown = run(verb, "--help")

    assert shown.code == 0
    assert f"Example: kitline {verb}" in " ".join(shown.stdout.split())


def test_errors_as_json_are_one_object(run: CommandLine) -> None:
    refused = run("rollback", "iris", "production", "--json")

    assert refused.code == 1
    assert json.loads(refused.stdout)["error"]["kind"] == "NotFound"
