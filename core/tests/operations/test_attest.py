"""attest: what its options say, beside the kit or elsewhere, and what does not go together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from kitline.testing.trees import SMALL_KIT, write_tree

if TYPE_CHECKING:
    from kitline.testing import LocalRegistry
    from kitline.testing.command_line import CommandLine

BASE = "https://kitline.io"


@pytest.fixture
def kit(run: CommandLine, folder: Path) -> str:
    """A kit in the local store, a key and a predicate in the working directory."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    Path("ours.key").write_bytes(pem)
    Path("said.json").write_text('{"a": 1}')
    return run("pack", folder, "-t", "iris:v1").pinned


@pytest.mark.parametrize(
    ("words", "kind", "said"),
    [
        (("revocation", "--reason", "broken"), f"{BASE}/revocation/v1", {"reason": "broken"}),
        (
            ("classification", "--owner", "team@example.com", "--sensitivity", "internal"),
            f"{BASE}/classification/v1",
            {"owner": "team@example.com", "sensitivity": "internal"},
        ),
        (("classification", "--owner", "us"), f"{BASE}/classification/v1", {"owner": "us"}),
        (
            ("evaluation", "--metric", "accuracy=0.97", "--metric", "f1=1e-1"),
            f"{BASE}/evaluation/v1",
            {"metrics": {"accuracy": 0.97, "f1": 0.1}},
        ),
        ((f"{BASE}/revocation/v1", "--reason", "x"), f"{BASE}/revocation/v1", {"reason": "x"}),
        (("revocation", "--predicate", "said.json"), f"{BASE}/revocation/v1", {"a": 1}),
    ],
)
@pytest.mark.parametrize("key", [(), ("--key", "ours.key")], ids=["unsigned", "signed"])
def test_options_say_what_a_file_would(
    run: CommandLine, kit: str, words: tuple[str, ...], kind: str, said: object, key: tuple[str]
) -> None:
    first = run("attest", kit, "--type", *words, *key, "--json").json
    again = run("attest", kit, "--type", *words, *key, "--json").json

    [found] = run("attestations", kit, "--json").json["attestations"]
    assert (found["predicateType"], found["predicate"]) == (kind, said)
    assert found["signed"] is bool(key)
    assert [first["written"], again["written"]] == [True, False]


def test_parents_are_stated_by_digest_with_their_place(
    run: CommandLine, kit: str, tmp_path: Path, local_registry: LocalRegistry
) -> None:
    name = f"{local_registry.host}/data/train:v1"
    parent = run("pack", write_tree(tmp_path / "data", SMALL_KIT), "-t", name).pinned
    other = "sha256:" + "ab" * 32

    run("attest", kit, "--type", "provenance", "--parent", name, "--parent", f"base={other}")

    [found] = run("attestations", kit, "--json").json["attestations"]
    stated: list[dict[str, Any]] = found["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert sorted((each["annotations"]["role"], each["digest"]["sha256"]) for each in stated) == [
        ("base", "ab" * 32),
        ("data", parent.rpartition(":")[2]),
    ]
    assert f"oci://{parent}" in [each.get("uri") for each in stated]


def test_a_statement_may_lie_in_another_repository(
    run: CommandLine, kit: str, local_registry: LocalRegistry
) -> None:
    place = f"{local_registry.host}/governance/revoked"
    words = ("attest", kit, "--type", "revocation", "--reason", "x", "--at", place)

    signed = run(*words, "--key", "ours.key", "--json").json
    unsigned = run(*words)

    assert unsigned.pinned == kit
    held = local_registry.content.create("governance/revoked").manifests
    assert signed["referrer"] in held
    assert len(held) >= 2
    assert run("attestations", kit, "--json").json["attestations"] == []


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("revocation",), "nothing is said: name a file with --predicate, or --reason"),
        (("custom",), "nothing is said: name a file with --predicate"),
        (("classification",), "name a file with --predicate, or --owner or --sensitivity"),
        (("revocation", "--reason", " "), "revocation takes a reason; it is empty"),
        (("evaluation", "--reason", "x"), "--reason is used with --type revocation"),
        (("revocation", "--predicate", "said.json", "--reason", "x"), "without --predicate"),
        (("classification", "--sensitivity", "secret"), "'secret' is none of public, internal,"),
        (("evaluation", "--metric", "accuracy"), "metric 'accuracy' is not 'NAME=NUMBER'"),
        (("evaluation", "--metric", "accuracy=nan"), "metric 'accuracy=nan' is not"),
        (("provenance", "--parent", "train"), "parent 'train' names no tag and no digest"),
    ],
)
def test_what_does_not_go_together_is_said(
    run: CommandLine, kit: str, words: tuple[str, ...], reason: str
) -> None:
    done = run("attest", kit, "--type", *words)

    assert done.code == 2
    assert reason in done.error
    assert run("attestations", kit, "--json").json["attestations"] == []
