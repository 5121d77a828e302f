"""What a run knows becomes a statement beside its kit, and never part of the kit's digest."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pytest
from kitline.errors import SourceError
from kitline.plugin import Digest, ImportContext, Invocation
from kitline.store.memory import MemoryStore
from kitline.testing.plugin_contracts import pack_collected
from kitline_mlflow.facts import PREDICATE_TYPE, collect_facts
from kitline_mlflow.facts_history import canonical, history_line, read_history
from kitline_mlflow.importer import collect
from kitline_mlflow.server import Server
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag

if TYPE_CHECKING:
    from kitline.plugin import Collected

    from conftest import Tracked


def import_run(tracked: Tracked, source: str = "", **options: str) -> Collected:
    source = source or f"models:/{tracked.model_id}"
    return collect(source, {"tracking_uri": tracked.uri, **options}, ImportContext())


def facts_of(tracked: Tracked, source: str = "", **options: str) -> dict[str, Any]:
    statements = import_run(tracked, source, **options).statements
    (found,) = [each for each in statements if each.predicate_type == PREDICATE_TYPE]
    return dict(found.predicate)


def digest_of(collected: Collected) -> Digest:
    return pack_collected(collected, MemoryStore()).digest


def metrics(*values: float, key: str = "loss", model: str | None = None) -> list[Metric]:
    return [
        Metric(key, value, timestamp=1000 + at, step=at, model_id=model)
        for at, value in enumerate(values)
    ]


def test_the_statement_tells_params_metrics_names_and_the_model(template: Tracked) -> None:
    facts = facts_of(template)
    run, model = facts["run"], facts["model"]
    assert run["id"] == template.run_id
    assert run["experiment"] == "iris"
    assert run["status"] == "FINISHED"
    assert run["params"] == {"C": "0.5", "max_iter": "200"}
    assert set(run["metrics"]) == {"accuracy"}
    assert run["models"] == {"outputs": [{"id": template.model_id, "step": 0}]}
    assert model["id"] == template.model_id
    assert model["name"] == "iris"
    assert "scikit-learn" in model["requirements"]
    canonical(facts)


def test_the_whole_history_is_kept_in_order_of_time(tracked: Tracked) -> None:
    client = MlflowClient(tracked.uri)
    client.log_batch(tracked.run_id, metrics=list(reversed(metrics(3.0, 2.0, 1.5))))
    history = read_history(facts_of(tracked)["run"]["history"])
    assert history["loss"] == [(1000, 0, 3.0), (1001, 1, 2.0), (1002, 2, 1.5)]


def test_nan_and_infinities_are_texts_and_a_note_says_so(tracked: Tracked) -> None:
    client = MlflowClient(tracked.uri)
    client.log_batch(tracked.run_id, metrics=metrics(math.nan, math.inf, -math.inf, 1.0))
    facts = facts_of(tracked)
    line = next(x for x in facts["run"]["history"].splitlines() if '"loss"' in x)
    values = [value for _, _, value in json.loads(line)["points"]]
    assert values == ["NaN", "Infinity", "-Infinity", 1.0]
    assert "SQL stores keep infinities" in facts["notes"][0]
    assert math.isnan(read_history(facts["run"]["history"])["loss"][0][2])


def test_a_history_does_not_depend_on_order_and_repetition() -> None:
    points = metrics(-0.0, math.nan, 2.0)
    assert history_line("a", points) == history_line("a", [*reversed(points), points[1]])
    assert '"points":[[1000,0,0.0],' in history_line("a", points)


def test_unicode_and_long_values_are_kept(tracked: Tracked) -> None:
    client = MlflowClient(tracked.uri)
    long = "ü" * 3000
    client.log_batch(
        tracked.run_id,
        metrics=metrics(1.0, key="Genauigkeit/α β"),
        params=[Param("schlüssel", "wert\nzwei")],
        tags=[RunTag("größe", long)],
    )
    run = facts_of(tracked)["run"]
    assert run["params"]["schlüssel"] == "wert\nzwei"
    assert run["tags"]["größe"] == long
    assert run["metrics"]["Genauigkeit/α β"] == 1.0


def test_dataset_inputs_come_with_their_digests_and_without_signatures(tracked: Tracked) -> None:
    source = json.dumps({"url": "https://user:pw@host/data.csv?X-Amz-Signature=abc&x=1"})
    data = Dataset(
        name="iris", digest="1a2b", source_type="http", source=source, schema='{"a": "long"}'
    )
    tags = [InputTag("mlflow.data.context", "train"), InputTag("kitline.digest", "x")]
    MlflowClient(tracked.uri).log_inputs(tracked.run_id, [DatasetInput(data, tags)])
    facts = facts_of(tracked)
    (given,) = facts["run"]["datasets"]
    assert given["name"] == "iris"
    assert given["digest"] == "1a2b"
    assert given["schema"] == {"a": "long"}
    assert given["tags"]["mlflow.data.context"] == "train"
    assert given["source"] == {"url": "https://host/data.csv?[redacted]"}
    assert "dataset 'iris' 'source'" in facts["redacted"]


def test_metrics_of_a_model_on_a_dataset_are_told(tracked: Tracked) -> None:
    client = MlflowClient(tracked.uri)
    data = Dataset(name="test", digest="t1", source_type="local", source="{}")
    client.log_inputs(tracked.run_id, [DatasetInput(data, [])])
    client.log_metric(
        tracked.run_id, "f1", 0.5, timestamp=7, step=1, model_id=tracked.model_id,
        dataset_name="test", dataset_digest="t1",
    )  # fmt: skip
    found = [each for each in facts_of(tracked)["model"]["metrics"] if each["key"] == "f1"]
    assert found == [
        {
            "key": "f1", "value": 0.5, "step": 1, "timestamp": 7, "run": tracked.run_id,
            "dataset": "test", "datasetDigest": "t1",
        }
    ]  # fmt: skip


def test_figures_and_other_artifacts_are_listed(tracked: Tracked) -> None:
    client = MlflowClient(tracked.uri)
    client.log_text(tracked.run_id, "<svg/>", "plots/roc.svg")
    client.log_text(tracked.run_id, "x", "notes.txt")
    run = facts_of(tracked)["run"]
    assert run["figures"] == ["plots/roc.svg"]
    assert {"path": "notes.txt", "size": 1} in run["artifacts"]


def test_nested_runs_name_parent_and_children(tracked: Tracked) -> None:
    client = MlflowClient(tracked.uri)
    child = client.create_run(
        tracked.experiment_id, tags={"mlflow.parentRunId": tracked.run_id}
    ).info.run_id
    client.set_terminated(child)
    assert facts_of(tracked)["run"]["children"] == [child]
    server = Server(tracked.uri)
    of_child = collect_facts(server, server.get_run(child)).predicate["run"]
    assert of_child["parent"] == {"id": tracked.run_id, "lifecycle": "active"}


@pytest.mark.parametrize(("gone", "expected"), [(True, "missing"), (False, "deleted")])
def test_a_parent_that_was_deleted_is_told_as_that(
    tracked: Tracked, *, gone: bool, expected: str
) -> None:
    client = MlflowClient(tracked.uri)
    parent = "0" * 32 if gone else client.create_run(tracked.experiment_id).info.run_id
    client.set_tag(tracked.run_id, "mlflow.parentRunId", parent)
    if not gone:
        client.delete_run(parent)
    assert facts_of(tracked)["run"]["parent"] == {"id": parent, "lifecycle": expected}


def test_a_deleted_run_gives_the_same_kit(tracked: Tracked) -> None:
    before = digest_of(import_run(tracked))
    MlflowClient(tracked.uri).delete_run(tracked.run_id)
    source = f"mlflow://runs/{tracked.run_id}"
    assert digest_of(import_run(tracked, source)) == before
    assert facts_of(tracked, source)["run"]["lifecycle"] == "deleted"


def test_what_kitline_and_the_registry_write_back_changes_no_fact(tracked: Tracked) -> None:
    before = facts_of(tracked)
    client = MlflowClient(tracked.uri)
    client.set_tag(tracked.run_id, "kitline.digest", "sha256:1")
    client.set_logged_model_tags(
        tracked.model_id, {"kitline.reference": "x", "mlflow.modelVersions": "[]"}
    )
    assert facts_of(tracked) == before
    client.set_tag(tracked.run_id, "mood", "good")
    assert facts_of(tracked) != before


def test_secrets_are_left_out_by_default(tracked: Tracked, monkeypatch: pytest.MonkeyPatch) -> None:
    client = MlflowClient(tracked.uri)
    secrets = {
        "db_password": "hunter2",
        "openai_api_key": "any-thing",
        "url": "postgresql://me:hunter3@db/x",
        "command": "train --token abcdef --epochs 3",
        "note": f"uses {'AKIA' + 'A' * 16} there",
        "mlflow.source.git.repoURL": "https://me:hunter4@git.example/x.git",
        "session": "internal-1234",
    }
    for key, value in secrets.items():
        client.set_tag(tracked.run_id, key, value)
    client.log_param(tracked.run_id, "max_tokens", "100")
    monkeypatch.setenv("KITLINE_MLFLOW_REDACT", "internal-[0-9]+")
    collected = import_run(tracked)
    said = canonical([dict(each.predicate) for each in collected.statements])
    for secret in ("hunter", "any-thing", "abcdef", "AKIAAAA", "internal-1234"):
        assert secret not in said
    run = facts_of(tracked)["run"]
    assert run["params"]["max_tokens"] == "100"
    assert run["tags"]["mlflow.source.git.repoURL"] == "https://git.example/x.git"
    assert run["tags"]["command"] == "train --token [redacted] --epochs 3"
    assert "tag 'db_password'" in facts_of(tracked)["redacted"]
    assert any("looks secret and is left out" in each for each in collected.warnings)


def test_provenance_names_run_commit_and_parents_and_no_folder_or_password(
    tracked: Tracked,
) -> None:
    client = MlflowClient(tracked.uri)
    local, far = "sha256:" + "1" * 64, "sha256:" + "2" * 64
    client.set_tag(tracked.run_id, "kitline.input.digest", f"data@{local},reg.example/data@{far}")
    client.set_tag(tracked.run_id, "mlflow.source.name", "/home/me/train.py")
    client.set_tag(tracked.run_id, "mlflow.source.git.commit", "a" * 40)
    client.set_tag(tracked.run_id, "mlflow.source.git.repoURL", "https://me:pw@git.example/x")
    first = import_run(tracked)
    (found,) = [e for e in first.statements if e.predicate_type.startswith("https://slsa.dev")]
    definition = found.predicate["buildDefinition"]
    assert definition["resolvedDependencies"][0] == {
        "uri": "git+https://git.example/x",
        "digest": {"gitCommit": "a" * 40},
    }
    role = {"role": "data"}
    assert definition["resolvedDependencies"][1:] == [
        {"digest": {"sha256": "1" * 64}, "annotations": role},
        {
            "digest": {"sha256": "2" * 64},
            "annotations": role,
            "uri": f"oci://reg.example/data@{far}",
        },
    ]
    assert definition["externalParameters"] == {
        "run": tracked.run_id,
        "model": tracked.model_id,
        "program": "train.py",
        "kind": "LOCAL",
    }
    assert "internalParameters" not in definition  # a database is a file of this machine
    details = found.predicate["runDetails"]
    assert details["metadata"]["invocationId"] == tracked.run_id
    run = Invocation(system="mlflow", id=tracked.run_id)
    assert details["builder"] == {"id": run.builder}
    client.log_metric(tracked.run_id, "late", 1.0)
    assert found in import_run(tracked).statements


def test_facts_in_the_kit_only_of_a_finished_run(tracked: Tracked) -> None:
    client = MlflowClient(tracked.uri)
    options = {"run-facts": "in-kit"}
    kit = import_run(tracked, **options)
    names = [each.path for each in kit.tree.entries()]
    assert "mlflow-run/run.json" in names
    assert "mlflow-run/metrics.jsonl" in names
    assert kit.tree.kitfile.docs[0].path == "mlflow-run"
    assert kit.tree.kitfile.model
    assert "accuracy" in kit.tree.kitfile.model.parameters["mlflow.metrics"]
    before = digest_of(kit)
    client.set_tag(tracked.run_id, "kitline.digest", str(before))
    client.update_run(tracked.run_id, name="renamed")
    assert digest_of(import_run(tracked, **options)) == before
    client.update_run(tracked.run_id, status="RUNNING")
    with pytest.raises(SourceError, match="is RUNNING, not FINISHED: facts, docs and datasets"):
        import_run(tracked, **options)


def test_a_run_without_a_model_is_a_kit_of_its_facts_and_files(tracked: Tracked) -> None:
    client = MlflowClient(tracked.uri)
    run_id = client.create_run(tracked.experiment_id).info.run_id
    client.log_metric(run_id, "rows", 3)
    client.log_text(run_id, "report", "out/report.txt")
    source = f"mlflow://runs/{run_id}"
    for options in ({}, {"allow-unfinished": "true"}):
        with pytest.raises(SourceError, match="is RUNNING, not FINISHED"):
            import_run(tracked, source, **options)
    client.set_terminated(run_id)
    kit = import_run(tracked, source)
    assert [each.path for each in kit.tree.entries() if not each.is_folder] == [
        "artifacts/out/report.txt",
        "mlflow-run/metrics.jsonl",
        "mlflow-run/run.json",
    ]
    assert kit.annotations == {"io.kitline.mlflow.run-id": run_id}
    before = digest_of(kit)
    client.set_tag(run_id, "kitline.reference", "x")
    assert digest_of(import_run(tracked, source)) == before


def test_traces_come_only_on_request(tracked: Tracked) -> None:
    kinds = [each.predicate_type for each in import_run(tracked).statements]
    assert not any("traces" in each for each in kinds)
    (found,) = [
        each
        for each in import_run(tracked, traces="true").statements
        if each.predicate_type == "https://kitline.io/mlflow-traces/v1"
    ]
    assert found.predicate == {"run": tracked.run_id, "count": 0, "traces": ""}


def test_a_trace_is_told_with_its_spans_and_without_secrets(tracked: Tracked) -> None:
    import mlflow

    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(tracked.uri)
    try:
        with mlflow.start_run(run_id=tracked.run_id), mlflow.start_span("ask") as span:
            span.set_inputs({"question": "Größe?", "url": "https://me:hunter2@api.example/v1"})
            span.set_outputs("42")
        mlflow.flush_trace_async_logging()
    finally:
        mlflow.set_tracking_uri(before)
    statement = import_run(tracked, traces="true").statements[-1]
    assert statement.predicate["count"] == 1
    (line,) = str(statement.predicate["traces"]).splitlines()
    (told,) = json.loads(line)["data"]["spans"]
    assert told["name"] == "ask"
    assert "Größe?" in told["attributes"]["mlflow.spanInputs"]
    assert "hunter2" not in line


def test_figures_and_dataset_pointers_are_drawers_on_request(tracked: Tracked) -> None:
    client = MlflowClient(tracked.uri)
    client.log_text(tracked.run_id, "<svg/>", "drawers/roc.svg")
    data = Dataset(name="iris", digest="1", source_type="local", source='{"uri": "/data"}')
    client.log_inputs(tracked.run_id, [DatasetInput(data, [])])
    kit = import_run(tracked, drawers="model,docs,datasets")
    names = {each.path for each in kit.tree.entries()}
    assert {"artifacts/drawers/roc.svg", "datasets/input-1.json", "model/MLmodel"} <= names
    assert kit.tree.kitfile.datasets[0].name == "iris"
