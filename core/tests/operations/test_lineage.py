"""Lineage: what a kit was made from and what was made from it, wherever the kits lie."""

from __future__ import annotations

import json
import shutil
import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import kitline
import pytest
from kitline.errors import HasChildren, RegistryUnreachable, UsageError
from kitline.lineage.edge import ARTIFACT_TYPE
from kitline.oci.digest import Digest
from kitline.operations.settings import Settings
from kitline.plugin import Invocation, Parent, Statement, provenance
from kitline.store.local import LocalStores
from kitline.testing import LocalRegistry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from kitline.lineage.graph import Lineage
    from kitline.operations.results import KitResult
    from kitline.testing.command_line import CommandLine

    Pack = Callable[..., KitResult]

RUN = Invocation(system="airflow", id="iris/train/7", git_commit="ab" * 20)


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    """Packs a kit with one file of the given content; `pack("data:v1", "train.csv")`."""

    def packed(to: str, file: str = "model.bin", content: str = "x", **more: Any) -> KitResult:
        folder = tmp_path / f"{to.replace('/', '_').replace(':', '_')}"
        folder.mkdir(exist_ok=True)
        (folder / file).write_text(content)
        return kitline.pack(folder, to, **more)

    return packed


@pytest.fixture(params=["with-api", "without-api"])
def registry(request: pytest.FixtureRequest) -> Iterator[LocalRegistry]:
    with LocalRegistry(referrers_api=request.param == "with-api") as found:
        yield found


@pytest.fixture
def other_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Goes on as somebody who has seen nothing of all this."""

    def go() -> None:
        monkeypatch.setenv("KITLINE_HOME", str(tmp_path / "another"))

    return go


def edges(found: Lineage) -> set[tuple[str, str, str]]:
    return {(str(each.parent), each.role, str(each.child)) for each in found.edges}


def edge(parent: KitResult, child: KitResult, role: str = "data") -> tuple[str, str, str]:
    return str(parent.digest), role, str(child.digest)


def test_the_local_store_answers_in_both_directions(pack: Pack) -> None:
    data = pack("data:v1", "train.csv")
    base = pack("zoo/base:v1", content="base")
    model = pack("iris:v1", parents=["data:v1", "base=zoo/base:v1"], invocation=RUN)
    tuned = pack("iris:v2", content="y", parents=["base=iris:v1"])

    up, down = kitline.trace_lineage("iris:v2", down=False), kitline.trace_lineage("data:v1")

    assert edges(up) == {edge(data, model), edge(base, model, "base"), edge(model, tuned, "base")}
    assert edges(down) == {edge(data, model), edge(model, tuned, "base")}
    assert up.complete
    assert down.complete
    assert up.by_digest[model.digest].runs == ("airflow iris/train/7",)
    assert (up.by_digest[data.digest].type, up.by_digest[model.digest].type) == ("dataset", "model")


def test_what_is_new_in_the_local_store_is_seen_and_what_is_gone_is_forgotten(
    pack: Pack, run: CommandLine
) -> None:
    data = pack("data:v1", "train.csv")
    assert edges(kitline.trace_lineage("data:v1")) == set()
    model = pack("iris:v1", parents=["data:v1"])
    assert edges(kitline.trace_lineage("data:v1")) == {edge(data, model)}

    assert run("remove", f"iris@{model.digest}").code == 0

    assert edges(kitline.trace_lineage("data:v1")) == set()


def test_edges_beside_a_parent_tell_others_what_was_made_from_it(
    registry: LocalRegistry, pack: Pack, other_machine: Callable[[], None]
) -> None:
    team = f"{registry.host}/team"
    data = pack(f"{team}/data:v1", "train.csv")
    model = pack(f"{team}/iris:v1", parents=[str(data)], invocation=RUN)
    kitline.promote(f"{team}/iris:v1", "production", reason="first")
    other_machine()

    found = kitline.trace_lineage(f"{team}/data:v1", up=False)

    assert edges(found) == {edge(data, model)}
    assert found.edges[0].sources == ("derived", "manifest", "statement")
    child = found.by_digest[model.digest]
    assert child.runs == ("airflow iris/train/7",)
    assert not found.complete
    assert "KITLINE_LINEAGE" in found.reasons[0]
    assert f"{team}/data" in {each.repository for each in found.rests_on}


def test_an_edge_is_one_referrer_with_a_tag_of_its_own(registry: LocalRegistry, pack: Pack) -> None:
    data = pack(f"{registry.host}/team/data:v1", "train.csv")
    pack(f"{registry.host}/team/iris:v1", parents=[str(data)], invocation=RUN)
    registry.forget()

    pack(f"{registry.host}/team/iris:v1", parents=[str(data)], invocation=RUN)

    tags = registry.content.create("team/data").tags
    assert len([each for each in tags if each.startswith(f"{data.digest.hex[:32]}.derived-")]) == 1
    assert f"sha256-{data.digest.hex}" not in tags
    assert registry.count("PUT") == registry.count("POST") == 0
    [listed] = kitline.inspect(data.reference).referrers
    assert listed.artifact_type == ARTIFACT_TYPE


@pytest.mark.parametrize(
    ("setting", "child", "beside"),
    [
        ("near", "team/iris", True),
        ("near", "elsewhere/iris", False),
        ("parent", "elsewhere/iris", True),
        ("off", "team/iris", False),
    ],
)
def test_edges_go_where_the_settings_say(
    setting: str,
    child: str,
    beside: bool,
    local_registry: LocalRegistry,
    pack: Pack,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KITLINE_EDGES", setting)
    data = pack(f"{local_registry.host}/team/data:v1", "train.csv")

    pack(f"{local_registry.host}/{child}:v1", parents=[str(data)])

    tags = local_registry.content.create("team/data").tags
    assert any(".derived-" in each for each in tags) is beside


def test_one_repository_may_collect_all_edges_and_outlives_the_parents(
    local_registry: LocalRegistry,
    pack: Pack,
    monkeypatch: pytest.MonkeyPatch,
    other_machine: Callable[[], None],
) -> None:
    monkeypatch.setenv("KITLINE_EDGES", f"{local_registry.host}/audit/edges")
    data = pack(f"{local_registry.host}/team/data:v1", "train.csv")
    model = pack(f"{local_registry.host}/else/iris:v1", parents=[str(data)])
    other_machine()

    found = kitline.trace_lineage(f"{local_registry.host}/team/data:v1", up=False)

    assert edges(found) == {edge(data, model)}
    assert not any(".derived-" in each for each in local_registry.content.create("team/data").tags)


def test_a_push_notes_edges_too(local_registry: LocalRegistry, pack: Pack) -> None:
    data = pack("data:v1", "train.csv")
    model = pack("iris:v1", parents=["data:v1"])
    kitline.push("data:v1", f"{local_registry.host}/team/data:v1")

    kitline.push("iris:v1", f"{local_registry.host}/team/iris:v1")

    found = kitline.trace_lineage(f"{local_registry.host}/team/data:v1", up=False)
    assert edges(found) == {edge(data, model)}
    assert any("derived" in each.sources for each in found.edges)


def test_a_refused_edge_is_a_warning_that_says_what_was_not_noted(
    local_registry: LocalRegistry, pack: Pack
) -> None:
    missing = f"{local_registry.host}/team/data@sha256:{'7' * 64}"

    made = pack(f"{local_registry.host}/team/iris:v1", parents=[missing])

    [warning] = made.warnings
    assert warning.startswith(
        f"the kit stands, but it was not noted that {made.reference} was made from {missing}: "
    )


def test_a_parent_is_found_beside_the_kit_by_provenance_and_in_mirrors(
    registry: LocalRegistry,
    pack: Pack,
    monkeypatch: pytest.MonkeyPatch,
    other_machine: Callable[[], None],
) -> None:
    with LocalRegistry() as far:
        beside = pack(f"{registry.host}/team/iris:data", "train.csv", "1")
        claimed = pack(f"{far.host}/data/claimed:v1", "train.csv", "2")
        mirrored = pack(f"{far.host}/mirror/all:v1", "train.csv", "3")
        parents = [
            Parent(digest=beside.digest, role="beside"),
            f"claimed={claimed.reference}",
            Parent(digest=mirrored.digest, role="mirrored"),
        ]
        pack(f"{registry.host}/team/iris:v1", parents=parents)
        other_machine()
        without = kitline.trace_lineage(f"{registry.host}/team/iris:v1", down=False)
        monkeypatch.setenv("KITLINE_MIRRORS", f"{far.host}/mirror/all")

        found = kitline.trace_lineage(f"{registry.host}/team/iris:v1", down=False)

    assert [each.digest for each in without.nodes if each.is_missing] == [mirrored.digest]
    assert not without.complete
    assert not any(each.is_missing for each in found.nodes)
    assert found.complete
    assert found.by_digest[claimed.digest].places == (f"{far.host}/data/claimed",)


def test_the_answer_stays_when_a_copy_with_parents_moves_through_a_folder(
    registry: LocalRegistry, pack: Pack, tmp_path: Path, other_machine: Callable[[], None]
) -> None:
    with LocalRegistry() as target:
        with LocalRegistry(referrers_api=False) as source:
            raw = pack(f"{source.host}/raw/files:v1", "raw.csv", "0")
            data = pack(f"{source.host}/team/data:v1", "train.csv", parents=[str(raw)])
            pack(f"{source.host}/team/iris:v1", parents=[str(data)], invocation=RUN)
            before = kitline.trace_lineage(f"{source.host}/team/iris:v1", down=False)
            folder = f"oci:{tmp_path / 'usb'}:v1"
            copied = kitline.copy(f"{source.host}/team/iris:v1", folder, with_parents=True)
            assert copied.warnings == ()
        other_machine()
        there = kitline.trace_lineage(folder, down=False)
        kitline.copy(folder, f"{target.host}/prod/iris:v1", with_parents=True)
        (tmp_path / "usb").rename(tmp_path / "gone")

        after = kitline.trace_lineage(f"{target.host}/prod/iris:v1", down=False)

    for each in (there, after):
        assert edges(each) == edges(before)
        assert each.complete
        assert [n.runs for n in each.nodes] == [n.runs for n in before.nodes]
    assert {str(raw.digest), str(data.digest)} < {str(each.digest) for each in after.nodes}


def test_without_its_registry_the_index_answers_and_says_so(pack: Pack) -> None:
    with LocalRegistry() as registry:
        data = pack(f"{registry.host}/team/data:v1", "train.csv")
        model = pack(f"{registry.host}/team/iris:v1", parents=[str(data)])
        kitline.index_lineage([f"{registry.host}/team/data", f"{registry.host}/team/iris"])

    found = kitline.trace_lineage(str(model))

    assert edges(found) == {edge(data, model)}
    assert not found.complete
    assert any("could not be read" in each for each in found.reasons)
    with pytest.raises(RegistryUnreachable):
        kitline.trace_lineage(f"{registry.host}/team/none@{data.digest.text[:-1]}0")


def test_an_indexed_registry_is_complete_and_found_by_every_id(
    registry: LocalRegistry,
    pack: Pack,
    monkeypatch: pytest.MonkeyPatch,
    run: CommandLine,
    other_machine: Callable[[], None],
) -> None:
    team = f"{registry.host}/team"
    data = pack(f"{team}/data:v1", "train.csv")
    annotations = {"io.kitline.mlflow.run-id": "0a1b"}
    model = pack(f"{team}/iris:v1", parents=[str(data)], invocation=RUN, annotations=annotations)
    kitline.promote(f"{team}/iris:v1", "production", reason="first")
    other_machine()
    monkeypatch.setenv("KITLINE_LINEAGE", f"{team}/data,{team}/iris")
    assert not kitline.trace_lineage(f"{team}/data:v1").complete

    indexed = run("lineage", "index", "--json")

    assert indexed.code == 0, indexed.stderr
    found = kitline.trace_lineage(f"{team}/data:v1")
    assert found.complete, found.reasons
    assert edges(found) == {edge(data, model)}
    assert found.by_digest[model.digest].stages == (f"{team}/iris:production",)
    for kind, value in (
        ("digest", str(model.digest)),
        ("mlflow-run", "0a1b"),
        ("git-commit", "ab" * 20),
    ):
        assert [each.digest for each in kitline.find(kind, value)] == [model.digest]
        assert run("find", kind, value).stdout == f"{team}/iris@{model.digest}\n"


def test_a_dataset_is_found_by_the_md5_that_dvc_gave_it(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "train.csv").write_text("a\n")
    (folder / "Kitfile").write_text(
        "manifestVersion: 1.0.0\ndatasets:\n  - path: train.csv\n"
        "    parameters:\n      dvc:\n        md5: 8741865a.dir\n"
    )
    made = kitline.pack(folder, "data:v1")

    assert [each.digest for each in kitline.find("dvc-md5", "8741865a.dir")] == [made.digest]
    assert kitline.find("dvc-md5", "other") == []


def test_a_kit_of_a_step_that_mlflow_tracks_is_found_by_the_run_of_mlflow(pack: Pack) -> None:
    step = Invocation(system="kfp", id="6f1b0c1e", parameters={"mlflowRunId": "0a1b"})
    made = pack("iris:v1", invocation=step)

    assert [each.digest for each in kitline.find("mlflow-run", "0a1b")] == [made.digest]
    assert kitline.find("mlflow-run", "6f1b0c1e") == []
    with pytest.raises(UsageError, match="cannot find by 'colour'"):
        kitline.find("colour", "red")


def test_indexing_again_reads_only_what_is_new_and_forgets_what_is_gone(
    registry: LocalRegistry, pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"{registry.host}/team/iris"
    data = pack("data:v1", "train.csv")
    first = pack(f"{name}:v1", content="1", parents=[str(data)])
    kitline.index_lineage([name])
    second = pack(f"{name}:v2", content="2", parents=[str(data)])
    kitline.index_lineage()
    registry.forget()
    kitline.index_lineage()
    again = [each for each in registry.requests if each.method == "GET" and "/blobs/" in each.path]

    kitline.remove(str(first))
    kitline.index_lineage()

    assert again == []
    assert edges(kitline.trace_lineage("data:v1")) == {edge(data, second)}


def test_a_damaged_index_is_made_anew(pack: Pack) -> None:
    data = pack("data:v1", "train.csv")
    model = pack("iris:v1", parents=["data:v1"])
    file = Settings.load().lineage_file
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"no database at all" * 100)
    assert edges(kitline.trace_lineage("data:v1")) == {edge(data, model)}

    with sqlite3.connect(file) as database:
        database.execute("PRAGMA user_version = 999")
    database.close()

    assert edges(kitline.trace_lineage("data:v1")) == {edge(data, model)}


@pytest.mark.parametrize("harm", ["pages", "tables"])
def test_an_index_that_is_damaged_inside_is_made_anew(pack: Pack, harm: str) -> None:
    data = pack("data:v1", "train.csv")
    model = pack("iris:v1", parents=["data:v1"])
    kitline.trace_lineage("data:v1")
    file = Settings.load().lineage_file
    if harm == "pages":
        with sqlite3.connect(file) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
        content = bytearray(file.read_bytes())
        content[4096:] = b"\xff" * (len(content) - 4096)
        file.write_bytes(content)
    else:
        with sqlite3.connect(file) as database:
            database.execute("DROP TABLE edges")
        database.close()

    assert edges(kitline.trace_lineage("data:v1")) == {edge(data, model)}
    assert [each.digest for each in kitline.find("digest", str(data.digest))] == [data.digest]


def test_a_pattern_indexes_all_repositories_that_it_means(
    local_registry: LocalRegistry, pack: Pack, other_machine: Callable[[], None]
) -> None:
    team = f"{local_registry.host}/team"
    data = pack(f"{team}/data:v1", "train.csv")
    model = pack(f"{team}/iris:v1", parents=[str(data)])
    pack(f"{local_registry.host}/other/x:v1")
    other_machine()

    read = kitline.index_lineage([f"{team}/*"])

    assert [each.repository for each in read] == [f"{team}/data", f"{team}/iris"]
    assert edges(kitline.trace_lineage(str(data), up=False)) == {edge(data, model)}
    for wrong in ("team/*", "*", "data:v1", f"{team}/iris:v1"):
        with pytest.raises(UsageError, match="cannot index"):
            kitline.index_lineage([wrong])


def test_where_no_index_can_be_written_the_answer_is_the_same(pack: Pack) -> None:
    data = pack("data:v1", "train.csv")
    model = pack("iris:v1", parents=["data:v1"])
    file = Settings.load().lineage_file
    file.parent.parent.joinpath("cache").mkdir(exist_ok=True)
    for each in file.parent.glob("lineage.sqlite*"):
        each.unlink()
    file.mkdir()  # nobody can open a folder as a database

    assert edges(kitline.trace_lineage("data:v1")) == {edge(data, model)}


def test_parents_that_a_statement_adds_afterwards_are_shown_as_claims(pack: Pack) -> None:
    data = pack("data:v1", "train.csv")
    model = pack("iris:v1")
    said = provenance(
        build_type="https://example.com/by-hand/v1",
        external_parameters={},
        resolved_dependencies=[Parent(digest=data.digest, role="train")],
    )
    kitline.attest(model.reference, said)

    found = kitline.trace_lineage("iris:v1")

    assert edges(found) == {edge(data, model, "train")}
    assert found.edges[0].is_claim
    assert "[train] (claimed)" in found.render()


def test_circles_are_shown_and_end(pack: Pack) -> None:
    a, b = pack("a:v1", content="a"), pack("b:v1", content="b")
    for child, parent in ((a, b), (b, a), (a, a)):
        said = provenance(
            build_type="https://example.com/x/v1",
            external_parameters={"n": str(parent.digest)},
            resolved_dependencies=[Parent(digest=parent.digest, role="base")],
        )
        kitline.attest(child.reference, said)

    found = kitline.trace_lineage("a:v1")

    assert len(found.nodes) == 2
    assert "(a circle: it is above)" in found.render()
    for form in ("mermaid", "dot", "openlineage", "html", "json"):
        assert found.render(form)
    assert len(kitline.trace_lineage("a:v1", depth=1).nodes) == 2


def test_depth_and_type_limit_what_is_shown(pack: Pack) -> None:
    raw = pack("raw:v1", "raw.csv", "0")
    data = pack("data:v1", "train.csv", parents=["raw:v1"])
    base = pack("base:v1", content="b", parents=["raw:v1"])
    pack("iris:v1", parents=["data:v1", "base=base:v1"])

    near = kitline.trace_lineage("iris:v1", depth=1)
    models = kitline.trace_lineage("iris:v1", kind="model")

    assert raw.digest not in near.by_digest
    assert {data.digest, base.digest} < near.by_digest.keys()
    assert base.digest in models.by_digest
    assert data.digest not in models.by_digest


def test_a_revoked_kit_marks_what_was_made_from_it(pack: Pack) -> None:
    data = pack("data:v1", "train.csv")
    pack("iris:v1", parents=["data:v1"])
    revoked = Statement(
        predicate_type="https://kitline.io/revocation/v1", predicate={"reason": "personal data"}
    )
    kitline.attest(data.reference, revoked)

    found = kitline.trace_lineage("iris:v1")

    assert found.by_digest[data.digest].marks == ("revoked: personal data",)
    assert found.node.inherited == ("made from data:v1, revoked: personal data",)
    assert "revoked: personal data" in found.render()
    assert 'class="kit model root revoked"' in found.render("html")


def test_what_is_said_of_an_ancestor_later_is_seen_without_an_index(
    registry: LocalRegistry, pack: Pack
) -> None:
    data = pack(f"{registry.host}/team/data:v1", "train.csv")
    model = pack(f"{registry.host}/team/iris:v1", parents=[str(data)])
    assert kitline.trace_lineage(str(model)).node.inherited == ()

    revoked = Statement(
        predicate_type="https://kitline.io/revocation/v1", predicate={"reason": "recalled"}
    )
    kitline.attest(data.reference, revoked)

    found = kitline.trace_lineage(str(model), down=False)
    assert found.by_digest[data.digest].marks == ("revoked: recalled",)
    assert f"{registry.host}/team/data" in {each.repository for each in found.rests_on}


def test_a_hostile_edge_leads_nowhere_else(
    local_registry: LocalRegistry, pack: Pack, other_machine: Callable[[], None]
) -> None:
    with LocalRegistry() as trap:
        name = f"{local_registry.host}/team/data"
        data = pack(f"{name}:v1", "train.csv")
        stranger = pack(f"{trap.host}/x/y:v1")
        other_machine()
        trap.forget()
        _push_edge(name, data, {"io.kitline.child": str(stranger.digest)}, str(stranger))
        _push_edge(name, data, {"io.kitline.child": "sha256:../../x"}, "")

        found = kitline.trace_lineage(f"{name}:v1", up=False)

        assert trap.requests == []
    assert edges(found) == {edge(data, stranger, "\x1b[31m")}
    assert "\x1b" not in found.render()
    assert found.edges[0].is_claim


@pytest.mark.parametrize("name", ["registry.example/team/iris", "team/iris"])
def test_a_copy_from_a_public_registry_leads_to_no_private_address(
    local_registry: LocalRegistry, pack: Pack, name: str
) -> None:
    """A kit of one's own may: its provenance was written here."""
    kit = pack("own/iris:v1")
    missing = Digest.of(b"missing")
    stated = {"digest": {"sha256": missing.hex}, "uri": f"oci://{local_registry.host}/x/data"}
    predicate = {"buildDefinition": {"resolvedDependencies": [stated]}}
    kitline.attest(
        "own/iris:v1",
        Statement(predicate_type="https://slsa.dev/provenance/v1", predicate=predicate),
    )
    store = LocalStores(Settings.load().store_folder)
    shutil.move(store.open("own/iris").folder, store.open(name).folder)

    settings = replace(Settings.load(), tries=1)
    found = kitline.trace_lineage(f"{name}@{kit.digest}", down=False, settings=settings)

    is_own = name == "team/iris"
    assert missing in found.by_digest
    assert bool(local_registry.requests) is is_own
    assert is_own or any("private address" in each for each in found.reasons)


def _push_edge(name: str, subject: KitResult, said: dict[str, str], reference: str) -> None:
    from kitline.oci.manifest import EMPTY_CONFIG, ImageManifest
    from kitline.operations.stores import Stores, read_reference
    from kitline.store.source import BytesSource

    with Stores(Settings.load()) as stores:
        store = stores.open(read_reference(name))
        parent = store.get_manifest(subject.digest)
        store.push_blob(BytesSource(b"{}"), digest=EMPTY_CONFIG.digest)
        annotations = {
            **said,
            "io.kitline.child.reference": reference,
            "io.kitline.role": "\x1b[31m",
        }
        store.push_manifest(
            ImageManifest.build(
                artifact_type=ARTIFACT_TYPE,
                config=EMPTY_CONFIG,
                layers=[EMPTY_CONFIG],
                subject=parent.descriptor,
                annotations=annotations,
            )
        )


def test_removing_a_kit_with_children_lists_them_and_wants_force(
    registry: LocalRegistry, pack: Pack, run: CommandLine, other_machine: Callable[[], None]
) -> None:
    data = pack(f"{registry.host}/team/data:v1", "train.csv")
    model = pack(f"{registry.host}/team/iris:v1", parents=[str(data)])
    other_machine()

    refused = run("remove", str(data))

    assert refused.code == 1
    assert refused.error == (
        f"1 kit was made from {data}; remove it with '--force' all the same:\n  {model}"
    )
    with pytest.raises(HasChildren) as caught:
        kitline.remove(str(data))
    assert caught.value.children == (str(model.digest),)
    assert run("remove", f"{registry.host}/team/data:v1").code == 0  # the tag alone
    assert run("remove", str(data), "--force").code == 0
    assert run("inspect", str(data)).code == 1


def test_the_command_line_shows_every_format(pack: Pack, run: CommandLine, tmp_path: Path) -> None:
    pack("data:v1", "train.csv")
    pack("iris:v1", parents=["data:v1"], invocation=RUN)

    text = run("lineage", "iris:v1")
    as_json = run("lineage", "iris:v1", "--json").json
    page = tmp_path / "iris.html"

    assert text.code == 0, text.stderr
    assert "made from:\n  └─ [data] data:v1 · data@sha256:" in text.stdout
    assert "complete\nrests on:\n  local store (2 repositories) (index, " in text.stdout
    assert as_json["complete"] is True
    assert [each["role"] for each in as_json["edges"]] == ["data"]
    assert run("lineage", "iris:v1", "--format", "html", "-O", page).code == 0
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert run("lineage", "iris:v1", "--format", "dot").stdout.startswith("digraph lineage {")
    assert json.loads(run("lineage", "iris:v1", "--format", "openlineage").stdout)[0]["inputs"]
    assert run("lineage").code == run("lineage", "iris:v1", "data:v1").code == 2
    assert run("lineage", "none:v1").code == 1
    assert run("lineage", "index", "iris:v1").code == 2
    assert run("find", "git-commit", "f" * 40).code == 1
