"""Parents and provenance: digests in the manifest, addresses and runs in statements beside it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import kitline
import pytest
from kitline.plugin import Collected, FolderTree, Invocation, Origin, Parent, provenance
from kitline.testing.trees import write_tree

if TYPE_CHECKING:
    from pathlib import Path

    from kitline.operations.results import KitResult
    from kitline.testing import LocalRegistry
    from kitline.testing.command_line import CommandLine

SLSA = "https://slsa.dev/provenance/v1"
AIRFLOW = Invocation(
    system="airflow",
    id="iris/train/2026-01-01",
    parameters={"lr": 0.1, "db_password": "hunter2", "uri": "https://me:secret@host/x"},
    git_commit="0123456789abcdef0123456789abcdef01234567",
    repository="https://me:secret@git.example/iris",
)
KFP = Invocation(system="kfp", id="run-7")


@pytest.fixture
def data(folder: Path, local_registry: LocalRegistry) -> KitResult:
    """A data kit in a registry."""
    (folder.parent / "data").mkdir()
    (folder.parent / "data" / "train.csv").write_text("a,b\n1,2\n")
    return kitline.pack("data", f"{local_registry.host}/team/data:v1")


def provenances(reference: object) -> list[Any]:
    return [each.predicate for each in kitline.read_statements(str(reference), SLSA)]


def runs(reference: object) -> list[str]:
    found = [each["runDetails"].get("metadata", {}) for each in provenances(reference)]
    return sorted(each.get("invocationId", "") for each in found)


def test_a_parent_is_a_bare_digest_with_a_role(
    run: CommandLine, folder: Path, data: KitResult
) -> None:
    name = str(data.reference).partition("@")[0]

    run("pack", folder, "-t", "iris:v1", "--parent", f"train={name}:v1", "--parent", f"{name}:v1")

    found = run("inspect", "iris:v1", "--json").json
    assert found["parents"] == [
        {"digest": str(data.digest), "role": "data"},
        {"digest": str(data.digest), "role": "train"},
    ]
    assert name not in json.dumps(found["manifest"])


def test_one_digest_wherever_the_parent_is_found(
    folder: Path, data: KitResult, local_registry: LocalRegistry
) -> None:
    kitline.pull(str(data.reference), "data:v1")
    found = {
        kitline.pack(folder, "iris:v1", parents=[parent]).digest
        for parent in (
            "data:v1",
            str(data.reference),
            f"data={local_registry.host}/team/data:v1",
            Parent(digest=data.digest, role="data"),
            str(data.digest),
        )
    }

    assert len(found) == 1
    assert found != {kitline.pack(folder, "iris:v2").digest}


def test_where_a_parent_was_found_is_in_receipt_and_provenance(
    folder: Path, data: KitResult
) -> None:
    made = kitline.pack(folder, "iris:v1", parents=[str(data.reference)])

    assert made.receipt is not None
    assert [each.reference for each in made.receipt.parents] == [str(data.reference)]
    [said] = provenances(made)
    assert said["buildDefinition"]["buildType"] == "https://kitline.io/kit/v1"
    assert said["buildDefinition"]["resolvedDependencies"] == [
        {
            "annotations": {"role": "data"},
            "digest": {"sha256": data.digest.hex},
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "uri": f"oci://{data.reference}",
        }
    ]


def test_a_pinned_parent_need_not_be_reachable(folder: Path) -> None:
    digest = f"sha256:{'7' * 64}"

    made = kitline.pack(folder, "iris:v1", parents=[f"base=localhost:1/team/base@{digest}"])

    assert kitline.inspect(made.reference).parents == [{"digest": digest, "role": "base"}]


def test_a_parent_without_tag_and_digest_is_refused(run: CommandLine, folder: Path) -> None:
    failed = run("pack", folder, "-t", "iris:v1", "--parent", "data")

    assert failed.code == 2
    assert failed.error == (
        "parent 'data' names no tag and no digest; write 'data:TAG' or 'data@sha256:…'"
    )


def test_each_run_adds_one_statement_and_retrying_it_none(
    folder: Path, data: KitResult, local_registry: LocalRegistry
) -> None:
    target = f"{local_registry.host}/team/iris:v1"
    parents = [str(data.reference)]
    first = kitline.pack(folder, target, parents=parents, invocation=AIRFLOW)
    kitline.pack(folder, target, parents=parents, invocation=AIRFLOW)
    local_registry.forget()

    digests = {
        kitline.pack(folder, target, parents=parents, invocation=KFP).digest,
        kitline.pack(folder, target, parents=parents, invocation=KFP).digest,
        kitline.pack(folder, target, parents=parents).digest,
    }

    assert digests == {first.digest}
    assert runs(first) == ["", "iris/train/2026-01-01", "run-7"]
    uploads = [each for each in local_registry.requests if each.method in ("POST", "PATCH")]
    assert len(uploads) == 2  # the bytes of the two statements


def test_provenance_names_run_code_and_parameters_and_no_secret(
    folder: Path, data: KitResult
) -> None:
    made = kitline.pack(folder, "iris:v1", parents=[str(data.reference)], invocation=AIRFLOW)

    [said] = provenances(made)
    assert said["runDetails"] == {
        "builder": {"id": "https://kitline.io/builder/airflow/v1"},
        "metadata": {"invocationId": "iris/train/2026-01-01"},
    }
    assert said["buildDefinition"]["externalParameters"] == {
        "system": "airflow",
        "parameters": {"lr": 0.1, "db_password": "…", "uri": "https://host/x"},
    }
    assert said["buildDefinition"]["resolvedDependencies"][1:] == [
        {
            "digest": {"gitCommit": AIRFLOW.git_commit},
            "uri": "git+https://git.example/iris",
        }
    ]
    assert "secret" not in json.dumps(said)


def test_a_push_in_another_run_adds_one_statement(
    folder: Path, data: KitResult, local_registry: LocalRegistry
) -> None:
    kitline.pack(folder, "iris:v1", parents=[str(data.reference)], invocation=AIRFLOW)
    target = f"{local_registry.host}/team/iris:v1"

    kitline.push("iris:v1", target, invocation=AIRFLOW)
    assert runs(target) == ["iris/train/2026-01-01"]

    kitline.push("iris:v1", target, invocation=KFP)
    assert runs(target) == ["iris/train/2026-01-01", "run-7"]


def test_the_environment_names_the_run(
    run: CommandLine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KITLINE_INVOCATION", '{"system": "script", "id": "nightly"}')

    run("pack", folder, "-t", "iris:v1")
    assert runs("iris:v1") == ["nightly"]

    (folder / "README.md").write_text("another\n")
    run("pack", folder, "-t", "iris:v2", "--no-provenance")
    assert runs("iris:v2") == []


def test_provenance_is_signed_where_a_key_is_set(
    run: CommandLine, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KITLINE_KEY_PASSWORD", "")
    assert run("keygen", tmp_path / "ours").code == 0
    monkeypatch.setenv("KITLINE_SIGN_KEY", str(tmp_path / "ours.key"))

    made = kitline.pack(folder, "iris:v1", invocation=KFP)
    kitline.pack(folder, "iris:v1", invocation=KFP)

    [said] = kitline.list_attestations(made.reference, key=str(tmp_path / "ours.pub")).signed
    assert said.predicate_type == SLSA
    assert said.signed_by
    assert len(kitline.inspect(made.reference).referrers) == 1


def test_what_an_importer_says_of_the_making_is_signed_where_a_key_is_set(
    run: CommandLine, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KITLINE_KEY_PASSWORD", "")
    assert run("keygen", tmp_path / "ours").code == 0
    monkeypatch.setenv("KITLINE_SIGN_KEY", str(tmp_path / "ours.key"))
    collected = Collected(
        tree=FolderTree(folder),
        origin=Origin(importer="test", source="test:1"),
        recipe="test/1",
        statements=(provenance(build_type="https://example.com/b", external_parameters={}),),
    )

    for _ in range(2):
        made = kitline.pack_collected(collected, "iris:v1")

    public = str(tmp_path / "ours.pub")
    [said] = kitline.list_attestations(made.reference, key=public).signed
    assert said.predicate_type == SLSA
    kitline.verify(made.reference, key=public, attestations=[SLSA], signature=False)


def test_provenance_stays_below_8_kib_however_much_there_is_to_tell(folder: Path) -> None:
    many = [
        Parent(digest=kitline.Digest.of(b"%d" % n), role="data", reference=f"reg.example/d/k{n}")
        for n in range(200)
    ]
    long = Invocation(system="kfp", id="run-8", parameters={"text": "x" * 9000})

    made = kitline.pack(folder, "iris:v1", parents=many, invocation=long)

    [said] = kitline.read_statements(made.reference, SLSA)
    assert said.size < 8192
    assert len(kitline.inspect(made.reference).parents) == 200
    assert any("too long for its provenance" in each for each in made.warnings)


def test_a_key_that_cannot_be_read_is_a_warning_and_the_kit_stands(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KITLINE_SIGN_KEY", str(tmp_path / "none.key"))

    made = kitline.pack(folder, "iris:v1", invocation=KFP)

    [warning] = made.warnings
    assert "its provenance was not attached" in warning
    assert runs(made) == []


def test_a_base_kit_and_other_parents_go_together(
    folder: Path, data: KitResult, local_registry: LocalRegistry
) -> None:
    base = kitline.pack(folder, f"{local_registry.host}/team/base:v1")
    tree = {
        "Kitfile": f"manifestVersion: 1.0.0\nmodel:\n  path: {local_registry.host}/team/base:v1\n"
        "code:\n  - path: src\n",
        "src/x.py": "pass\n",
    }
    adapter = write_tree(folder.parent / "adapter", tree)

    made = kitline.pack(adapter, "adapter:v1", parents=[str(data.reference)])

    assert kitline.inspect(made.reference).parents == sorted(
        [
            {"digest": str(base.digest), "role": "base"},
            {"digest": str(data.digest), "role": "data"},
        ],
        key=lambda each: each["digest"],
    )
