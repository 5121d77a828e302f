"""sbom: a bill of materials that depends on the kit alone, and passes the schema of CycloneDX."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kitline
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from kitline.operations.sbom.requirements import Requirement, parse_requirements
from kitline.testing.trees import SMALL_KIT, write_tree

if TYPE_CHECKING:
    from kitline.testing import LocalRegistry
    from kitline.testing.command_line import CommandLine

KITFILE = """\
manifestVersion: 1.0.0
package:
  name: Churn & Co
  version: 2.1.0
  description: who leaves
  license: Apache-2.0
  authors: [Ada, Grace]
model:
  path: model
  framework: sklearn
  format: skops
  license: MIT OR Apache-2.0
  parameters:
    max_depth: 3
    schedule: {warmup: 0.1, steps: [1, 2]}
datasets:
  - name: train
    path: data/train.csv
    description: customers of 2025
    license: our own terms
    parameters: {rows: 2}
  - name: public
    path: public
    remotePath: registry.example/data/public:v1
code:
  - path: src
"""
REQUIREMENTS = """\
# what the model needs
mlflow==3.17.2
scikit_learn[alldeps] == 1.9.0 ; python_version >= "3.11"
numpy<3,>=2
torch==2.9.0+cpu
pandas
--extra-index-url https://user:secret@index.example/simple
own @ https://user:secret@files.example/own.whl
-e ./local
"""


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a kit with a model of MLflow."""
    monkeypatch.chdir(tmp_path)
    return write_tree(
        tmp_path / "churn",
        {
            "Kitfile": KITFILE,
            "model/MLmodel": "flavors: {}\n",
            "model/model.skops": b"weights",
            "model/requirements.txt": REQUIREMENTS,
            "model/code/requirements.txt": "unrelated==1\n",
            "data/train.csv": "1,2\n",
            "src/train.py": "print()\n",
        },
    )


def problem_of(content: bytes) -> Any:
    return JsonStrictValidator(SchemaVersion.V1_6).validate_str(content.decode())


def test_it_tells_of_model_data_files_parents_and_requirements(
    run: CommandLine, model: Path, local_registry: LocalRegistry
) -> None:
    name = f"{local_registry.host}/team/churn:v1"
    parent = "sha256:" + "ab" * 32
    kit = run("pack", model, "-t", name, "--parent", f"data={parent}")

    found = run("sbom", name, "--output", "bom.json")

    content = Path("bom.json").read_bytes()
    bom = json.loads(content)
    assert found.pinned == kit.pinned
    assert problem_of(content) is None
    assert "(10 components; referrer sha256:" in found.stderr
    root = bom["metadata"]["component"]
    assert root["type"] == "machine-learning-model"
    assert root["hashes"] == [{"alg": "SHA-256", "content": kit.digest[7:]}]
    assert root["purl"] == f"pkg:oci/churn-co@sha256%3A{kit.digest[7:]}"
    assert root["licenses"] == [{"license": {"id": "Apache-2.0"}}]
    assert [each["name"] for each in root["authors"]] == ["Ada", "Grace"]
    assert [each["hashes"][0]["content"] for each in root["pedigree"]["ancestors"]] == ["ab" * 32]
    told = {each["name"]: each["value"] for each in root["modelCard"]["properties"]}
    assert told["kitline:parameter:max_depth"] == "3"
    assert told["kitline:parameter:schedule.warmup"] == "0.1"
    assert told["kitline:framework"] == "sklearn"
    by_name = {each["name"]: each for each in bom["components"]}
    assert len(root["modelCard"]["modelParameters"]["datasets"]) == 3
    assert by_name["train"]["licenses"] == [{"license": {"name": "our own terms"}}]
    assert by_name["model"]["licenses"] == [{"expression": "MIT OR Apache-2.0"}]
    libraries = {each["purl"] for each in bom["components"] if each["type"] == "library"}
    assert libraries == {
        "pkg:pypi/mlflow@3.17.2",
        "pkg:pypi/scikit-learn@1.9.0",
        "pkg:pypi/numpy",
        "pkg:pypi/torch@2.9.0%2Bcpu",
        "pkg:pypi/pandas",
    }
    assert b"secret" not in content
    assert b"unrelated" not in content
    assert local_registry.host.encode() not in content


def test_twice_writes_nothing_and_elsewhere_it_is_the_same(
    run: CommandLine, model: Path, local_registry: LocalRegistry
) -> None:
    name = f"{local_registry.host}/team/churn:v1"
    run("pack", model, "-t", name)
    run("pack", model, "-t", "churn:v1")

    first = run("sbom", name, "--json").json
    local_registry.forget()
    again = run("sbom", name, "--json").json
    here = run("sbom", "churn:v1", "--json").json

    assert first["written"] is here["written"] is True
    assert again["written"] is False
    assert local_registry.count("PUT") == local_registry.count("POST") == 0
    assert first["referrer"] == again["referrer"] == here["referrer"]
    assert "serialNumber" not in first["bom"]
    assert "timestamp" not in first["bom"]["metadata"]


def test_it_is_a_referrer_that_travels_and_can_be_signed(
    run: CommandLine, model: Path, local_registry: LocalRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KITLINE_KEY_PASSWORD", "")
    run("keygen", "ours")
    name = f"{local_registry.host}/team/churn:v1"
    run("pack", model, "-t", name)

    made = run("sbom", name, "--key", "ours.key", "--json").json
    run("copy", name, "oci:disk:v1")
    verified = run("verify", "oci:disk:v1", "--key", "ours.pub", "--no-signature",
                   "--attestation", "cyclonedx", "--json").json  # fmt: skip
    listed = run("inspect", "oci:disk:v1", "--json").json["referrers"]
    none = run("sbom", name, "--no-attach", "-o", "bom.json")

    assert verified["attestations"][0]["predicate"] == made["bom"]
    [referrer] = [e for e in listed if e["artifactType"] == "application/vnd.cyclonedx+json"]
    assert referrer["digest"] == made["referrer"]
    assert json.loads(Path("bom.json").read_bytes()) == made["bom"]
    assert "not attached" in none.stderr


def test_kits_of_every_kind_pass_the_schema(tmp_path: Path) -> None:
    write_tree(tmp_path / "small", SMALL_KIT)
    data = {"Kitfile": "manifestVersion: 1.0.0\ndatasets:\n  - path: a.csv\n", "a.csv": "1\n"}
    write_tree(tmp_path / "data", data)
    write_tree(tmp_path / "bare", {"weights.safetensors": b"w", "requirements.txt": "a==1\n"})

    for name in ("small", "data", "bare"):
        for form in ("modelkit", "modelpack"):
            kitline.pack(tmp_path / name, f"{name}-{form}:v1", layer_format="tar")
            found = kitline.sbom(f"{name}-{form}:v1")
            assert problem_of(found.content) is None
    kinds = [kitline.sbom(f"{n}-modelkit:v1").document["metadata"] for n in ("small", "data")]
    assert [each["component"]["type"] for each in kinds] == ["machine-learning-model", "data"]


def test_requirements_are_read_as_indexes_name_them() -> None:
    found = {each.name: each for each in parse_requirements(REQUIREMENTS)}

    assert found["scikit-learn"] == Requirement(
        name="scikit-learn", version="1.9.0", specifier="== 1.9.0"
    )
    assert found["numpy"] == Requirement(name="numpy", specifier="<3,>=2")
    assert list(found) == ["mlflow", "scikit-learn", "numpy", "torch", "pandas"]


def test_a_kit_that_may_not_be_used_may_be_told_of(run: CommandLine, model: Path) -> None:
    run("pack", model, "-t", "churn:v1")
    Path("kitline.toml").write_text("[policy]\npinned = true\n")

    assert run("unpack", "churn:v1", "-d", "out").code == 3
    assert run("sbom", "churn:v1").code == 0
