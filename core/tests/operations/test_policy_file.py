"""Policy files: what they say, who may add to them, and what is wrong with one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from kitline.errors import InvalidSetting
from kitline.operations.policy.formats import formats_of, is_forbidden
from kitline.operations.settings import Settings
from kitline.trust.gate import Gate, Rule, comparable_name

if TYPE_CHECKING:
    from kitline.testing.command_line import CommandLine

DIGEST = "sha256:" + "ab" * 32
WHOLE = f"""
[policy]
registries = ["registry.example"]
pinned = true
keys = ["team.pub"]
attestations = ["provenance", {{ type = "evaluation", keys = ["qa.pub"] }}]
forbidden_formats = ["Pickle"]
max_sensitivity = "internal"
signed_promotions = true
listed_only = true

[[policy.rules]]
repositories = ["Registry.example:443/team/**"]
keys = [{{ identity = "ci@example.com", issuer = "https://issuer.example" }}]
signed_promotions = ["production"]

[policy.revocation]
keys = ["privacy.pub"]
kits = ["{DIGEST}"]
also_in = ["registry.example/governance/revoked"]
unreachable = "allow"

[policy.classification]
keys = ["privacy.pub"]
required = true
"""


def read(text: str, folder: Path) -> Gate:
    path = folder / "policy.toml"
    path.write_text(text)
    settings = Settings.load(folder=folder).with_policy(path)
    [gate] = settings.policy.gates
    return gate


def test_a_policy_says_what_is_demanded_of_which_repositories(tmp_path: Path) -> None:
    gate = read(WHOLE, tmp_path)

    general, team = gate.rules
    assert gate.origin == f"file {tmp_path / 'policy.toml'}"
    assert gate.listed_only
    assert general.pinned
    assert not team.pinned
    assert [each.key for each in general.vouchers] == [str(tmp_path / "team.pub")]
    demands = [(each.predicate_type, each.vouchers[0].key) for each in general.attestations]
    assert demands == [
        ("https://slsa.dev/provenance/v1", str(tmp_path / "team.pub")),
        ("https://kitline.io/evaluation/v1", str(tmp_path / "qa.pub")),
    ]
    assert general.forbidden_formats == ("pickle",)
    assert (general.promoters, general.stages) == (general.vouchers, None)
    assert team.stages == ("production",)
    assert team.vouchers[0].identity == "ci@example.com"
    assert gate.revocation is not None
    assert gate.revocation.allow_unreachable
    assert [str(each) for each in gate.revocation.kits] == [DIGEST]
    assert gate.classification is not None
    assert not gate.classification.allow_unreachable


@pytest.mark.parametrize(
    ("pattern", "covered", "left_out"),
    [
        ("**", ["a", "registry.example/a/b", "oci:/tmp/x"], []),
        ("registry.example/team/*", ["registry.example/team/a"], ["registry.example/team/a/b"]),
        ("registry.example/**", ["registry.example/a/b"], ["registry.example.evil/a", "a/b"]),
        ("*/team/iris", ["any/team/iris"], ["any/x/team/iris", "team/iris"]),
        ("team/iris", ["team/iris"], ["registry.example/team/iris", "team/irisx"]),
    ],
)
def test_patterns_name_repositories(pattern: str, covered: list[str], left_out: list[str]) -> None:
    rule = Rule(repositories=(pattern,))

    assert all(rule.covers(each) for each in covered)
    assert not any(rule.covers(each) for each in left_out)


def test_another_spelling_of_a_registry_is_the_same_registry() -> None:
    names = ["registry.example/a", "REGISTRY.example/a", "registry.Example:443/a"]

    assert {comparable_name(each) for each in names} == {"registry.example/a"}
    assert comparable_name("registry.example:8443/a") != "registry.example/a"


def test_every_source_adds_a_policy_and_none_takes_one_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, project, named = tmp_path / "user.toml", tmp_path / "kitline.toml", tmp_path / "more.toml"
    user.write_text("[policy]\nkeys = ['a.pub']\npinned = true\n")
    project.write_text("[policy]\npinned = false\nkeys = ['b.pub']\n")
    named.write_text("[policy.revocation]\nkeys = ['c.pub']\nunreachable = 'allow'\n")
    monkeypatch.setenv("KITLINE_CONFIG", str(user))
    monkeypatch.setenv("KITLINE_POLICY", str(named))

    gates = Settings.load(folder=tmp_path).with_policy(named).policy.gates

    assert [each.origin for each in gates] == [
        f"file {user}",
        f"file {project}",
        "file of KITLINE_POLICY",
        f"file {named}",
    ]
    assert gates[0].rules[0].pinned


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[policy]\npined = true", "setting 'policy.pined' from file "),
        ("[policy]\npinned = 1", "policy.pinned' from file policy.toml: 1 is neither true nor"),
        ("[policy]\nkeys = []", "'policy.keys' from file policy.toml: is not a list of keys"),
        ("[policy]\nkeys = 'a.pub'", "is not a list of keys, or empty"),
        ("[policy]\nkeys = ['env://KEY']", "comes from a variable, which whoever is judged could"),
        ("[policy]\nkeys = [{identity = 'a'}]", "takes both 'identity' and 'issuer'"),
        ("[policy]\nkeys = [{email = 'a'}]", "'policy.keys[0].email' from file"),
        ("[policy]\nattestations = ['provenance']", "takes 'keys': nobody's word on it would"),
        ("[policy]\nkeys = ['a']\nattestations = ['x']", "unknown type 'x'"),
        ("[policy]\nforbidden_formats = 'pickle'", "is not a list of texts"),
        ("[policy]\nsigned_promotions = true", "takes 'keys' of who may promote"),
        ("[policy]\nmax_sensitivity = 'secret'", "'secret' is none of public, internal"),
        ("[policy]\nmax_sensitivity = 'public'", "takes [policy.classification] with 'keys'"),
        ("[[policy.rules]]\npinned = true", "'policy.rules[0].repositories'"),
        ("[policy.rules]\npinned = true", "write '[[policy.rules]]'"),
        ("[policy.revocation]\n", "takes 'keys' of who may revoke, or 'kits'"),
        ("[policy.revocation]\nkits = ['sha256:1']", "policy.revocation.kits"),
        ("[policy.revocation]\nkeys = ['a']\nalso_in = ['a:v1']", "has a tag or digest"),
        ("[policy.revocation]\nkeys = ['a']\nunreachable = 'no'", "neither 'refuse' nor 'allow'"),
        ("[policy.classification]\nrequired = true", "takes 'keys' of whose word"),
        ("registry = 'x.example'", "is to hold '[policy]' and its tables, nothing else"),
        ("[policy", "cannot be read"),
    ],
)
def test_what_is_wrong_with_a_policy_is_named_and_nothing_is_used(
    run: CommandLine, folder: Path, text: str, reason: str
) -> None:
    run("pack", folder, "-t", "iris:v1")
    Path("policy.toml").write_text(text)

    done = run("unpack", "iris:v1", "-d", "out", "--policy", "policy.toml")

    assert done.code == 2
    assert reason in done.error
    assert not Path("out").exists()


def test_a_policy_that_is_not_there_is_an_error(
    run: CommandLine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KITLINE_POLICY", "nowhere.toml")

    done = run("unpack", "iris:v1")

    assert done.code == 2
    assert "'nowhere.toml' cannot be read: No such file" in done.error
    with pytest.raises(InvalidSetting):
        Settings.load()


@pytest.mark.parametrize(
    ("path", "forbidden"),
    [
        ("model/model.pkl", "pickle"),
        ("a/Weights.PT", "pickle"),
        ("pytorch_model.bin", "pickle"),
        ("model.joblib.gz", "pickle"),
        ("model.h5", "h5"),
        ("model.h5", "keras"),
        ("data.parquet", "parquet"),
    ],
)
def test_names_of_files_tell_formats(path: str, forbidden: str) -> None:
    assert any(is_forbidden(each, (forbidden,)) for each in formats_of(path))


@pytest.mark.parametrize("path", ["model.onnx", "pickle", "model.bin", "a.pkl/README.md", "x.txt"])
def test_other_files_are_no_pickles(path: str) -> None:
    assert not any(is_forbidden(each, ("pickle",)) for each in formats_of(path))


def test_keys_may_stand_in_the_policy_itself(tmp_path: Path) -> None:
    """As in a config map, which has one file."""
    pem = ec.generate_private_key(ec.SECP256R1()).public_key()
    text = pem.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    gate = read(f"[policy]\nkeys = ['''\n{text}''']\n", tmp_path)

    assert gate.rules[0].vouchers[0].authority().name == "key 'in the policy'"
