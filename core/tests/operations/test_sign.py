"""sign, verify, attest, attestations: from the command line, on every kind of store."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from kitline.testing import LocalRegistry
from kitline.testing.content import digest_of
from kitline.trust.keys import private_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kitline.testing.command_line import CommandLine

SLSA = "https://slsa.dev/provenance/v1"
SIGNATURE = "https://sigstore.dev/cosign/sign/v1"
KEYS = Path(__file__).parent.parent / "data/keys"


@pytest.fixture
def keys(folder: Path) -> None:
    """Two pairs of keys and a predicate in the working directory."""
    pairs = {"ours": ec.generate_private_key(ec.SECP256R1())}
    pairs["theirs"] = ed25519.Ed25519PrivateKey.generate()  # type: ignore[assignment]
    for name, key in pairs.items():
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        Path(f"{name}.key").write_bytes(private)
        Path(f"{name}.pub").write_bytes(public)
    Path("scores.json").write_text('{"accuracy": 0.97}')


@pytest.fixture(params=["local", "layout", "with-api", "without-api"])
def name(request: pytest.FixtureRequest) -> Iterator[str]:
    """A place for a kit, with a tag, in every kind of store."""
    if request.param == "local":
        yield "iris:v1"
    elif request.param == "layout":
        yield "oci:disk:v1"
    else:
        with LocalRegistry(referrers_api=request.param == "with-api") as registry:
            yield f"{registry.host}/team/iris:v1"


pytestmark = pytest.mark.usefixtures("keys")


@pytest.mark.parametrize("legacy", [(), ("--legacy",)], ids=["bundle", "legacy"])
def test_what_was_signed_verifies_and_signing_again_writes_nothing(
    run: CommandLine, folder: Path, name: str, legacy: tuple[str, ...]
) -> None:
    kit = run("pack", folder, "-t", name)

    signed = run("sign", name, "--key", "ours.key", *legacy)
    again = run("sign", name, "--key", "ours.key", *legacy, "--json").json
    verified = run("verify", name, "--key", "ours.pub")
    by_digest = run("verify", kit.pinned, "--key", "ours.pub", "--json").json

    assert kit.pinned == signed.pinned == verified.pinned
    assert "with ours.key (referrer sha256:" in signed.stderr
    assert verified.stderr == "signed by key 'ours.pub' (bundle)\n"
    assert again["written"] is False
    assert again["tag"] == (f"sha256-{kit.digest[7:]}.sig" if legacy else None)
    assert by_digest["signature"]["predicateType"] == SIGNATURE
    assert by_digest["verifiedWith"] == "key 'ours.pub'"


def test_attestations_are_verified_by_type_and_listed(
    run: CommandLine, folder: Path, name: str
) -> None:
    kit = run("pack", folder, "-t", name)
    words = ("--type", "provenance", "--predicate", "scores.json")

    unsigned = run("attest", name, *words)
    empty = run("verify", name, "--key", "ours.pub", "--attestation", SLSA, "--no-signature")
    signed = run("attest", name, *words, "--key", "ours.key")
    again = run("attest", name, *words, "--key", "ours.key", "--json").json
    told_again = run("attest", name, *words, "--json").json
    half = run("verify", name, "--key", "ours.pub", "--attestation", "slsaprovenance1")
    run("sign", name, "--key", "theirs.key")
    mixed = run("verify", name, "--key", "theirs.pub", "--attestation", SLSA)
    run("sign", name, "--key", "ours.key")
    whole = run("verify", name, "--key", "ours.pub", "--attestation", SLSA, "--json").json
    listed = run("attestations", name, "--json").json["attestations"]
    ours = run("attestations", name, "--key", "ours.pub", "--type", SLSA, "--json").json

    assert kit.pinned == unsigned.pinned == signed.pinned
    assert "unsigned" in unsigned.stderr
    assert empty.code == 3, "an unsigned statement satisfied a check"
    assert again["written"] is told_again["written"] is False
    assert half.code == 3
    assert f"predicateType: is '{SLSA}', not '{SIGNATURE}'" in half.error
    assert f"has no attestation of type '{SLSA}' by key 'theirs.pub'" in mixed.error
    assert whole["attestations"][0]["predicate"] == {"accuracy": 0.97}
    assert sorted((each["predicateType"], each["signed"]) for each in listed) == [
        (SIGNATURE, True),
        (SIGNATURE, True),
        (SLSA, False),
        (SLSA, True),
    ]
    assert [each["verifiedWith"] for each in ours["attestations"]] == ["key 'ours.pub'"]


def test_a_wrong_key_an_unsigned_kit_and_another_content_are_refused(
    run: CommandLine, folder: Path, name: str
) -> None:
    run("pack", folder, "-t", name)
    unsigned = run("verify", name, "--key", "ours.pub")
    run("sign", name, "--key", "ours.key")
    wrong = run("verify", name, "--key", "theirs.pub")
    (folder / "model/model.bin").write_text("changed")
    run("pack", folder, "-t", name)
    changed = run("verify", name, "--key", "ours.pub")

    assert [unsigned.code, wrong.code, changed.code] == [3, 3, 3]
    assert unsigned.error.endswith("nothing that is attached to it is a signature")
    assert "signature: was not made with key 'theirs.pub'" in wrong.error
    assert changed.error.endswith("nothing that is attached to it is a signature")


def test_signatures_travel_with_pull_push_and_copy(
    run: CommandLine, folder: Path, name: str, local_registry: LocalRegistry
) -> None:
    run("pack", folder, "-t", name)
    run("sign", name, "--key", "ours.key", "--legacy")
    words = ("--type", SLSA, "--predicate", "scores.json", "--key", "ours.key", "--legacy")
    run("attest", name, *words)

    run("copy", name, "oci-archive:iris.tar:v1")
    run("copy", "oci-archive:iris.tar:v1", "pulled:v1")
    run("push", "pulled:v1", f"{local_registry.host}/other/iris")
    run("pull", f"{local_registry.host}/other/iris:v1", "back:v1")

    places = ["oci-archive:iris.tar:v1", "pulled:v1", f"{local_registry.host}/other/iris:v1"]
    for place in [*places, "back:v1"]:
        found = run("verify", place, "--key", "ours.pub", "--attestation", SLSA, "--json").json
        assert [each["form"] for each in found["attestations"]] == ["bundle", "tag"]


def test_signing_and_attesting_leave_the_kit_and_its_tags_alone(
    run: CommandLine, folder: Path, local_registry: LocalRegistry
) -> None:
    name = f"{local_registry.host}/team/iris:v1"
    kit = run("pack", folder, "-t", name)
    tags = local_registry.content.create("team/iris").tags
    before = dict(tags)

    run("sign", name, "--key", "ours.key", "--legacy")
    run("attest", name, "--type", "custom", "--predicate", "scores.json", "--key", "ours.key")

    added = set(tags) - set(before)
    assert {tag: tags[tag] for tag in before} == before
    assert len(added) == 4
    assert any(tag.startswith(f"sha256-{kit.digest[7:]}.sig.") for tag in added)
    assert f"sha256-{kit.digest[7:]}.sig" in added
    assert any(tag.startswith(f"{kit.digest[7:39]}.signature-") for tag in added)
    assert any(tag.startswith(f"{kit.digest[7:39]}.attestation-") for tag in added)
    assert run("list", f"{local_registry.host}/team/iris", "--json").json["kits"][0]["tags"] == [
        "v1"
    ]


def test_a_tag_is_resolved_once(
    run: CommandLine, folder: Path, local_registry: LocalRegistry
) -> None:
    name = f"{local_registry.host}/team/iris:v1"
    run("pack", folder, "-t", name)
    local_registry.forget()

    run("sign", name, "--key", "ours.key")

    assert local_registry.count("GET", r"/manifests/v1$") <= 1
    assert local_registry.count("HEAD", r"/manifests/v1$") <= 1
    assert local_registry.count("PUT", r"/manifests/v1$") == 0


def test_a_pulled_copy_is_verified_offline_and_the_registry_asked_for_what_it_lacks(
    run: CommandLine, folder: Path, local_registry: LocalRegistry
) -> None:
    name = f"{local_registry.host}/team/iris:v1"
    kit = run("pack", folder, "-t", name).pinned
    run("pull", name)
    run("sign", name, "--key", "ours.key")
    asked = run("verify", kit, "--key", "ours.pub")
    run("pull", name)
    local_registry.forget()
    offline = run("verify", kit, "--key", "ours.pub")

    assert asked.pinned == offline.pinned == kit
    assert local_registry.count() == 0


def test_a_damaged_signature_is_refused(
    run: CommandLine, folder: Path, local_registry: LocalRegistry
) -> None:
    name = f"{local_registry.host}/team/iris:v1"
    run("pack", folder, "-t", name)
    referrer = run("sign", name, "--key", "ours.key", "--json").json["referrer"]
    content = local_registry.content.create("team/iris")
    bundle = json.loads(content.manifests[referrer].raw)["layers"][0]["digest"]
    content.blobs[bundle] = content.blobs[bundle].replace(b"sig", b"gis")

    refused = run("verify", name, "--key", "ours.pub")

    assert refused.code == 3
    assert f"{referrer} (bundle): bundle: expected digest {bundle}, found " in refused.error
    assert digest_of(content.blobs[bundle]) in refused.error


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (("sign", "iris:v1", "--key", "none.key"), 1, "cannot read key 'none.key': No such file"),
        (("sign", "iris:v1", "--key", "ours.pub"), 1, "holds a public key, not a private key"),
        (("sign", "iris:v1"), 2, "missing option '--key'"),
        (("sign", "iris", "--key", "ours.key"), 2, "names no tag and no digest"),
        (("sign", "iris:v2", "--key", "ours.key"), 1, "no tag 'v2'"),
        (("verify", "iris:v1", "--key", "ours.key"), 1, "holds a private key, not a public key"),
        (("verify", "iris:v1"), 2, "nothing to verify with: name a public key"),
        (("verify", "iris:v1", "--certificate-identity", "a@b"), 2, "nothing to verify with"),
        (
            ("verify", "iris:v1", "--key", "ours.pub", "--certificate-identity", "a@b"),
            2,
            "a key or an identity to verify with, not both",
        ),
        (("verify", "iris:v1", "--key", "ours.pub", "--no-signature"), 2, "nothing to verify"),
        (
            ("verify", "iris:v1", "--key", "ours.pub", "--attestation", "provenence"),
            2,
            "unknown type 'provenence'; write a URI",
        ),
        (
            ("attest", "iris:v1", "--type", "custom", "--predicate", "list.json"),
            2,
            "'list.json': it is not a JSON object",
        ),
        (
            ("attest", "iris:v1", "--type", "custom", "--predicate", "broken.json"),
            2,
            "'broken.json': it is not JSON",
        ),
        (
            ("attest", "iris:v1", "--type", "custom", "--predicate", "scores.json", "--legacy"),
            2,
            "--legacy is a form of signed attestations",
        ),
        (
            ("attest", "iris:v1", "--type", SIGNATURE, "--predicate=scores.json", "--key=ours.key"),
            2,
            "use 'kitline sign'",
        ),
    ],
)
def test_what_cannot_be_done_is_said_with_the_way_out(
    run: CommandLine, folder: Path, words: tuple[str, ...], code: int, reason: str
) -> None:
    run("pack", folder, "-t", "iris:v1")
    Path("list.json").write_text("[]")
    Path("broken.json").write_text("{'a': 1}")

    done = run(*words)

    assert done.code == code
    assert reason in done.error


def test_a_predicate_is_read_from_stdin(run: CommandLine, folder: Path) -> None:
    run("pack", folder, "-t", "iris:v1")

    run("attest", "iris:v1", "--type", "custom", "--predicate", "-", stdin='{"by": "hand"}')

    [said] = run("attestations", "iris:v1", "--json").json["attestations"]
    assert said["predicate"] == {"by": "hand"}


def test_attestations_are_shown_to_people(run: CommandLine, folder: Path) -> None:
    kit = run("pack", folder, "-t", "iris:v1")
    nothing = run("attestations", "iris:v1")
    run("sign", "iris:v1", "--key", "ours.key")
    run("attest", "iris:v1", "--type", "custom", "--predicate", "scores.json")

    plain = run("attestations", "iris:v1")
    checked = run("attestations", "iris:v1", "--key", "theirs.pub")

    assert nothing.pinned == plain.pinned == checked.pinned == kit.pinned
    assert nothing.stderr == "nothing is said of iris:v1\n"
    rows = [line.split()[:3] for line in plain.stderr.splitlines()]
    assert [SIGNATURE, "bundle", "not"] in rows
    assert ["https://cosign.sigstore.dev/attestation/v1", "statement", "no"] in rows
    assert "signature: was not made with key 'theirs.pub'" in checked.stderr


def test_python_offers_the_same_verbs(run: CommandLine, folder: Path) -> None:
    import kitline

    kit = kitline.pack(folder, "iris:v1")

    signed = kitline.sign(kit.reference, key="ours.key")
    said = kitline.attest_signed("iris:v1", "provenance", {"x": 1}, key="ours.key")
    verified = kitline.verify("iris:v1", key="ours.pub", attestations=["provenance"])
    listed = kitline.list_attestations("iris:v1")

    assert signed.reference == said.reference == verified.reference == kit.reference
    assert len(listed.signed) == 2


def test_several_signers_at_once_lose_no_signature(
    folder: Path, local_registry: LocalRegistry
) -> None:
    import kitline

    name = f"{local_registry.host}/team/iris:v1"
    kitline.pack(folder, name)
    signers = [private_key(ec.generate_private_key(ec.SECP256R1()), str(n)) for n in range(6)]

    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(lambda key: kitline.sign(name, key=key, legacy=True), signers))

    found = kitline.list_attestations(name).signed
    assert [each.written for each in done] == [True] * 6
    assert [each.form for each in found].count("bundle") == 6
    assert [each.form for each in found].count("tag") == 6


def test_a_password_is_asked_for_on_a_terminal(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import kitline

    kitline.pack(folder, "iris:v1")
    monkeypatch.delenv("COSIGN_PASSWORD")
    ours, theirs = pty.openpty()
    key = str(KEYS / "cosign.key")
    words = [sys.executable, "-m", "kitline", "sign", "iris:v1", "--key", key]

    with subprocess.Popen(
        words, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, start_new_session=True
    ) as program:
        os.close(theirs)
        shown = b""
        while b"Password of" not in shown:
            shown += os.read(ours, 1000)
        os.write(ours, b"geheim\n")
        stdout, _ = program.communicate()
    shown += os.read(ours, 10_000)
    os.close(ours)

    assert program.returncode == 0, shown
    assert b"geheim" not in shown
    assert stdout.startswith(b"iris@sha256:")
    assert kitline.verify("iris:v1", key=str(KEYS / "cosign.pub")).signature is not None


def test_verbs_that_touch_no_key_load_no_cryptography(folder: Path) -> None:
    script = (
        "import sys, kitline, kitline.operations.sign, kitline.operations.verify\n"
        "kitline.pack(sys.argv[1], 'iris:v1'); kitline.list_attestations('iris:v1')\n"
        "print([each for each in ('cryptography', 'nacl', 'sigstore') if each in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", script, folder], capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"
