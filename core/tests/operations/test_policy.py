"""The gate on use: every way to read a kit, against everything that a policy may find wrong."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
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
from kitline.errors import PolicyError
from kitline.oci.manifest import ImageIndex, Manifest
from kitline.plugin import Exporter, ExportResult, Kit, Plugins, hookimpl, unpack_kit

if TYPE_CHECKING:
    from collections.abc import Callable

    from kitline.testing import LocalRegistry
    from kitline.testing.command_line import CommandLine, Outcome
    from kitline.testing.content import Repository

KEYED = "keys = ['ours.pub']\n"
REVOKING = "[policy.revocation]\nkeys = ['ours.pub']\n"
CLASSED = "[policy.classification]\nkeys = ['ours.pub']\n"


@pytest.fixture
def keys(folder: Path) -> None:
    """Two pairs of keys and predicates in the working directory."""
    for name in ("ours", "theirs"):
        key = ec.generate_private_key(ec.SECP256R1())
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        Path(f"{name}.key").write_bytes(private)
        Path(f"{name}.pub").write_bytes(public)
    for name, said in {
        "scores": {"accuracy": 0.97},
        "revoked": {"reason": "personal data"},
        "secret": {"owner": "team@example.com", "sensitivity": "restricted"},
        "open": {"owner": "team@example.com", "sensitivity": "internal"},
    }.items():
        Path(f"{name}.json").write_text(json.dumps(said))


pytestmark = pytest.mark.usefixtures("keys")


@dataclass(frozen=True)
class Scene:
    """A kit in a registry, made from a data kit that lies beside it."""

    run: CommandLine
    folder: Path
    registry: LocalRegistry
    data: str
    kit: str

    def tagged(self, tag: str) -> str:
        return f"{self.registry.host}/team/iris:{tag}"

    @property
    def content(self) -> Repository:
        """What the registry holds in the repository of both kits."""
        return self.registry.content.create("team/iris")

    def digest(self, reference: str) -> str:
        return reference.rpartition("@")[2]

    def attest(self, reference: str, kind: str, said: str, key: str | None = "ours.key") -> Outcome:
        signed = () if key is None else ("--key", key)
        words = ("--type", kind, "--predicate", f"{said}.json", *signed)
        return succeeded(self.run("attest", reference, *words))

    def sign(self, key: str = "ours.key", reference: str | None = None) -> Outcome:
        return succeeded(self.run("sign", reference or self.kit, "--key", key))


def succeeded(done: Outcome) -> Outcome:
    assert done.code == 0, done.stderr
    return done


@pytest.fixture
def scene(run: CommandLine, folder: Path, local_registry: LocalRegistry) -> Scene:
    data = write_data(folder.parent / "data")
    write_model(folder)
    repository = f"{local_registry.host}/team/iris"
    parent = run("pack", data, "-t", f"{repository}:data").pinned
    kit = run("pack", folder, "-t", f"{repository}:v1", "--parent", f"data={parent}").pinned
    return Scene(run=run, folder=folder, registry=local_registry, data=parent, kit=kit)


def write_model(folder: Path, weights: bytes = b"weights") -> None:
    (folder / "Kitfile").write_text("manifestVersion: 1.0.0\nmodel:\n  path: model.onnx\n")
    (folder / "model.onnx").write_bytes(weights)


def write_data(folder: Path) -> Path:
    folder.mkdir()
    (folder / "train.csv").write_text("1,2\n")
    (folder / "Kitfile").write_text("manifestVersion: 1.0.0\ndatasets:\n  - path: train.csv\n")
    return folder


@dataclass(frozen=True)
class Failure:
    """What is wrong with a kit, the policy that minds, and what that says."""

    policy: str
    says: str
    prepare: Callable[[Scene], object] = field(default=lambda scene: None)
    asks_for: str = ""
    """The tag that the kit is asked for by, instead of its digest."""


def move_signature(scene: Scene) -> None:
    """Attach the bundle of another kit's signature to the kit."""
    other = scene.run("sign", scene.data, "--key", "ours.key", "--json").json["referrer"]
    manifest = json.loads(scene.content.manifests[other].raw)
    kit = scene.digest(scene.kit)
    manifest["subject"] |= {"digest": kit, "size": len(scene.content.manifests[kit].raw)}
    from kitline.operations.settings import Settings
    from kitline.operations.stores import Stores, read_reference

    with Stores(Settings.load()) as stores:
        stores.open(read_reference(scene.kit)).push_manifest(
            Manifest.from_bytes(json.dumps(manifest).encode())
        )


FAILURES = {
    "unsigned": Failure(KEYED, "it is not signed by key 'ours.pub'"),
    "signed by a wrong key": Failure(
        KEYED, "signature: was not made with key 'ours.pub'", lambda s: s.sign("theirs.key")
    ),
    "only attested to": Failure(
        KEYED,
        "is 'https://kitline.io/evaluation/v1', not 'https://sigstore.dev/cosign/sign/v1'",
        lambda s: s.attest(s.kit, "evaluation", "scores"),
    ),
    "signature moved from another kit": Failure(
        KEYED, "its subject is another digest", move_signature
    ),
    "key missing": Failure("keys = ['nowhere.pub']", "cannot read key 'nowhere.pub'"),
    "attestation missing": Failure(
        KEYED + "attestations = ['evaluation']",
        "it has no attestation of type 'https://kitline.io/evaluation/v1' by key 'ours.pub'",
        lambda s: s.sign(),
    ),
    "attestation unsigned": Failure(
        "attestations = [{type = 'evaluation', keys = ['ours.pub']}]",
        "it has no attestation of type",
        lambda s: s.attest(s.kit, "evaluation", "scores", key=None),
    ),
    "attestation by a wrong key": Failure(
        "attestations = [{type = 'evaluation', keys = ['ours.pub']}]",
        "signature: was not made with key 'ours.pub'",
        lambda s: s.attest(s.kit, "evaluation", "scores", key="theirs.key"),
    ),
    "forbidden format": Failure("forbidden_formats = ['onnx']", "is 'onnx', which is forbidden"),
    "asked for by tag": Failure("pinned = true", "without a digest; write", asks_for="v1"),
    "repository not listed": Failure(
        "listed_only = true\n[[policy.rules]]\nrepositories = ['registry.example/**']",
        "no rule names repository",
    ),
    "promoted without a signature": Failure(
        KEYED + "signed_promotions = true",
        "no promotion to stage 'production' is signed by key 'ours.pub'",
        lambda s: (s.sign(), s.run("promote", s.kit, "production")),
        asks_for="production",
    ),
    "promoted by a wrong key": Failure(
        KEYED + "signed_promotions = ['production']",
        "no promotion to stage 'production' is signed by key 'ours.pub'",
        lambda s: (s.sign(), s.run("promote", s.kit, "production", "--key", "theirs.key")),
        asks_for="production",
    ),
    "stage moved since it was signed": Failure(
        "[[policy.rules]]\nrepositories = ['*/team/*']\nsigned_promotions = true\n" + KEYED,
        "the last promotion to stage 'production' that key 'ours.pub' signed is that of sha256:",
        lambda s: (
            s.sign(),
            s.run("promote", s.data, "production", "--key", "ours.key"),
            s.run("tag", s.kit, "production"),
        ),
        asks_for="production",
    ),
    "revoked": Failure(
        REVOKING,
        "it is revoked by key 'ours.pub': personal data",
        lambda s: s.attest(s.kit, "revocation", "revoked"),
    ),
    "parent revoked": Failure(
        REVOKING,
        " (data) is revoked by key 'ours.pub': personal data",
        lambda s: s.attest(s.data, "revocation", "revoked"),
    ),
    "parent missing": Failure(
        REVOKING, "(data) cannot be found", lambda s: s.content.remove_manifest(s.digest(s.data))
    ),
    "parent too sensitive": Failure(
        "max_sensitivity = 'confidential'\n" + CLASSED,
        "(data) is classified 'restricted' by its owner 'team@example.com', and 'confidential' is",
        lambda s: s.attest(s.data, "classification", "secret"),
    ),
    "unclassified": Failure(CLASSED + "required = true", "neither it nor a parent is classified"),
}


def read_whole(name: str) -> None:
    with kitline.open_kit(name):
        pass


PATHS: dict[str, Callable[[Scene, str], object]] = {
    "pull": lambda s, name: kitline.pull(name),
    "pull under a name": lambda s, name: kitline.pull(name, "copy:v1"),
    "copy to the local store": lambda s, name: kitline.copy(name, "copy:v1"),
    "copy to a layout": lambda s, name: kitline.copy(name, "oci:out:v1"),
    "copy to a registry": lambda s, name: kitline.copy(
        name, f"{s.registry.host}/copy/iris:v1", plugins=Plugins()
    ),
    "unpack": lambda s, name: kitline.unpack(name, "out"),
    "export": lambda s, name: kitline.export(name, "folder:out", plugins=exporting()),
    "open_kit": lambda s, name: read_whole(name),
    "promote": lambda s, name: kitline.promote(name, "champion", plugins=Plugins()),
    "verify": lambda s, name: kitline.verify(name),
    "admit": lambda s, name: kitline.admit(name),
}


def write_file(kit: Kit, target: Path) -> object:
    return target.write_text("exported")


def exporting(write: Callable[[Kit, Path], object] = write_file) -> Plugins:
    """Plugins with one exporter that writes as it is told."""

    def export(kit: Kit, target: str, options: object, context: object) -> ExportResult:
        write(kit, Path(target))
        return ExportResult(target=target)

    class Plugin:
        @hookimpl
        def kitline_exporters(self) -> list[Exporter]:
            return [Exporter(name="folder", summary="writes a file", export=export)]

    plugins = Plugins()
    plugins.register(Plugin(), name="folder")
    return plugins


QUICK = ("pull", "unpack")
"""The ways that every failure is tried against in the quick run; the slow one tries all."""


def cells(failure: str) -> list[object]:
    """Return the cells of the table for one failure."""
    if failure in ("unsigned", "parent revoked"):
        return [pytest.param(failure, tuple(PATHS), id=failure)]
    left = tuple(each for each in PATHS if each not in QUICK)
    return [
        pytest.param(failure, QUICK, id=failure),
        pytest.param(failure, left, id=f"{failure}, other ways", marks=pytest.mark.slow),
    ]


@pytest.mark.parametrize(("failure", "paths"), [cell for each in FAILURES for cell in cells(each)])
def test_a_failure_stops_every_consumer_and_nothing_is_written(
    failure: str, paths: tuple[str, ...], scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = FAILURES[failure]
    wrong.prepare(scene)
    Path("policy.toml").write_text(f"[policy]\n{wrong.policy}\n")
    monkeypatch.setenv("KITLINE_POLICY", "policy.toml")
    name = scene.tagged(wrong.asks_for) if wrong.asks_for else scene.kit
    before = everything_in(scene)

    for path in paths:
        with pytest.raises(PolicyError) as refused:
            PATHS[path](scene, name)

        assert refused.value.exit_code == 3
        assert wrong.says in str(refused.value), path
        assert everything_in(scene) == before, path


def everything_in(scene: Scene) -> object:
    """Return all files of the working directory and the home, and what the registry holds."""
    home = kitline.Settings.load().home
    files = [*Path().rglob("*"), *home.rglob("*")]
    content = scene.registry.content
    held = {name: sorted(content.create(name).tags) for name in content.names()}
    return sorted(map(str, files)), held


WHOLE = """
[policy]
pinned = true
forbidden_formats = ['pickle']
max_sensitivity = 'internal'
keys = ['ours.pub']
attestations = ['evaluation']
[policy.revocation]
keys = ['ours.pub']
[policy.classification]
keys = ['ours.pub']
required = true
"""


def test_what_every_demand_is_met_for_may_be_used_everywhere(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.sign()
    scene.attest(scene.kit, "evaluation", "scores")
    scene.attest(scene.data, "classification", "open")
    scene.attest(scene.kit, "revocation", "revoked", key=None)
    scene.attest(scene.kit, "classification", "secret", key="theirs.key")
    Path("policy.toml").write_text(WHOLE)
    monkeypatch.setenv("KITLINE_POLICY", "policy.toml")

    for use in PATHS.values():
        use(scene, scene.kit)
        Path("out").unlink() if Path("out").is_file() else None
        shutil.rmtree("out", ignore_errors=True)
    said = scene.run("verify", scene.kit)

    assert said.pinned == scene.kit
    assert said.stderr == "allowed by the policy of file of KITLINE_POLICY\n"


def test_the_personal_data_case_ends_with_the_models_stopped(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model of a model of the data: pulled before, and asked for again after the revocation."""
    repository = f"{scene.registry.host}/other/tuned"
    write_model(scene.folder, b"tuned further")
    tuned = scene.run("pack", scene.folder, "-t", f"{repository}:v1", "--parent", scene.kit).pinned
    Path("policy.toml").write_text("[policy]\n" + REVOKING)
    monkeypatch.setenv("KITLINE_POLICY", "policy.toml")
    run = scene.run
    stopped_already = run("pull", tuned)
    again = ("pack", scene.folder, "-t", f"{repository}:v1", "--parent", f"base={scene.kit}")
    tuned = run(*again).pinned
    before = [run("pull", tuned), run("unpack", tuned, "-d", "one"), run("promote", tuned, "next")]

    run("attest", scene.data, "--type", "revocation", "--reason", "consent withdrawn",
        "--key", "ours.key")  # fmt: skip
    after = [
        run("pull", tuned),
        run("unpack", tuned, "-d", "two"),
        run("promote", tuned, "production"),
        run("copy", tuned, "oci:out"),
    ]

    assert stopped_already.code == 0
    assert [each.code for each in before] == [0, 0, 0]
    assert [each.code for each in after] == [3, 3, 3, 3]
    for each in after:
        assert "is revoked by key 'ours.pub': consent withdrawn" in each.error
        assert f"parent {scene.digest(scene.data)} (data) of parent" in each.error
    assert not Path("two").exists()


def test_forbidden_files_inside_a_layer_are_refused_where_they_are_read(scene: Scene) -> None:
    write_model(scene.folder)
    (scene.folder / "Kitfile").write_text("manifestVersion: 1.0.0\nmodel:\n  path: model\n")
    (scene.folder / "model/weights.pkl.gz").write_bytes(b"pickled")
    kit = scene.run("pack", scene.folder, "-t", scene.tagged("v2")).pinned
    Path("policy.toml").write_text("[policy]\nforbidden_formats = ['pickle']\n")

    unpacked = scene.run("unpack", kit, "-d", "out", "--policy", "policy.toml")
    settings = kitline.Settings.load().with_policy(Path("policy.toml"))
    with (
        kitline.open_kit(kit, settings=settings) as opened,
        pytest.raises(PolicyError, match=r"refuses file 'model/weights\.pkl\.gz'"),
    ):
        unpack_kit(opened, Path("out"))
    plugins = exporting(unpack_kit)
    with pytest.raises(PolicyError, match=r"refuses file 'model/weights\.pkl\.gz'"):
        kitline.export(kit, "folder:out", settings=settings, plugins=plugins)

    assert unpacked.code == 3
    assert "policy refuses file 'model/weights.pkl.gz' of the kit: it is 'pickle'" in unpacked.error
    assert not Path("out").exists()


def with_policy(text: str) -> kitline.Settings:
    """Return settings with a policy; the registry is asked once, not five times."""
    Path("policy.toml").write_text(text)
    return replace(kitline.Settings.load().with_policy(Path("policy.toml")), tries=1)


def test_an_allowance_of_another_policy_loosens_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("user.toml").write_text("[policy]\n" + KEYED)
    Path("kitline.toml").write_text("[policy]\nkeys = ['theirs.pub']\n")
    Path("more.toml").write_text("[policy]\npinned = false\n")
    monkeypatch.setenv("KITLINE_CONFIG", "user.toml")
    monkeypatch.setenv("KITLINE_POLICY", "more.toml")
    scene.sign("theirs.key")

    refused = scene.run("unpack", scene.kit, "-d", "out", "--policy", "more.toml")
    scene.sign("ours.key")
    allowed = scene.run("unpack", scene.kit, "-d", "out", "--policy", "more.toml")

    assert refused.code == 3
    assert refused.error.count("\n  it is not signed") == 1
    assert "[file user.toml]" in refused.error
    assert allowed.code == 0


def test_what_is_judged_is_what_is_read(scene: Scene) -> None:
    """The tag moves right after it was resolved; the digest that was judged is unpacked."""
    scene.sign()
    write_model(scene.folder, b"other weights")
    other = scene.run("pack", scene.folder, "-t", scene.tagged("v2")).pinned
    settings = with_policy("[policy]\n" + KEYED)
    scene.registry.forget()

    kitline.unpack(scene.tagged("v1"), "out", settings=settings)

    assert scene.registry.count("GET", r"/manifests/v1$") + scene.registry.count(
        "HEAD", r"/manifests/v1$"
    ) == 1  # fmt: skip
    assert Path("out/model.onnx").read_bytes() == b"weights"
    with pytest.raises(PolicyError):
        kitline.unpack(other, "other", settings=settings)


def test_a_pulled_kit_is_judged_by_its_signature_without_the_registry(scene: Scene) -> None:
    scene.sign()
    kitline.pull(scene.kit)
    scene.registry.stop()

    kitline.unpack(scene.kit, "out", settings=with_policy("[policy]\n" + KEYED))
    allowing = with_policy("[policy]\n" + REVOKING + "unreachable = 'allow'\n")
    kitline.unpack(scene.kit, "again", settings=allowing)
    with pytest.raises(PolicyError, match="revocations cannot be ruled out"):
        kitline.unpack(scene.kit, "third", settings=with_policy("[policy]\n" + REVOKING))

    assert Path("out").exists()
    assert not Path("third").exists()


def test_a_pulled_copy_hears_of_a_revocation_at_its_registry(scene: Scene) -> None:
    kitline.pull(scene.kit)
    settings = with_policy("[policy]\n" + REVOKING)
    kitline.unpack(scene.kit, "before", settings=settings)
    scene.attest(scene.kit, "revocation", "revoked")

    with pytest.raises(PolicyError, match="personal data"):
        kitline.unpack(scene.kit, "after", settings=settings)


def test_a_policy_may_name_revoked_kits_itself(scene: Scene) -> None:
    digest = scene.digest(scene.data)
    scene.content.remove_manifest(digest)
    text = f"[policy.revocation]\nkits = ['{digest}']\nunreachable = 'allow'\n"

    with pytest.raises(PolicyError, match=r"\(data\) is revoked by the policy itself"):
        kitline.unpack(scene.kit, "out", settings=with_policy(text))


def test_revocations_may_be_collected_in_a_repository_of_their_own(scene: Scene) -> None:
    central = f"{scene.registry.host}/governance/revoked"
    text = f"[policy]\n{REVOKING}also_in = ['{central}']\n"
    kitline.unpack(scene.kit, "before", settings=with_policy(text))

    succeeded(scene.run("attest", scene.data, "--type", "revocation", "--reason", "consent",
                        "--key", "ours.key", "--at", central))  # fmt: skip

    with pytest.raises(PolicyError, match=r"\(data\) is revoked by key 'ours\.pub': consent"):
        kitline.unpack(scene.kit, "after", settings=with_policy(text))
    kitline.unpack(scene.kit, "other", settings=with_policy("[policy]\n" + REVOKING))


@pytest.mark.parametrize("key", [None, "theirs.key"])
def test_parents_that_were_stated_afterwards_count_too(scene: Scene, key: str | None) -> None:
    """A kit made without kitline names no parents; whoever states them makes a policy stricter."""
    write_model(scene.folder, b"made elsewhere")
    name = f"{scene.registry.host}/foreign/model:v1"
    kit = scene.run("pack", scene.folder, "-t", name).pinned
    scene.attest(scene.data, "revocation", "revoked")
    settings = with_policy("[policy]\n" + REVOKING)
    kitline.unpack(kit, "before", settings=settings)

    signed = () if key is None else ("--key", key)
    parent = f"data={scene.tagged('data')}"
    stated = scene.run("attest", kit, "--type", "provenance", "--parent", parent, *signed)

    assert stated.pinned == kit
    with pytest.raises(PolicyError, match=r"\(data\) is revoked by key 'ours\.pub'"):
        kitline.unpack(kit, "after", settings=settings)


def test_a_claim_of_a_parent_that_nobody_has_stops_nothing(scene: Scene) -> None:
    parent = "data=sha256:" + "cd" * 32
    succeeded(scene.run("attest", scene.kit, "--type", "provenance", "--parent", parent))

    kitline.unpack(scene.kit, "out", settings=with_policy("[policy]\n" + REVOKING))


def test_a_class_is_inherited_and_the_highest_wins(scene: Scene) -> None:
    limited = "[policy]\nmax_sensitivity = 'confidential'\n" + CLASSED + "required = true\n"
    words = ("--type", "classification", "--key", "ours.key", "--sensitivity")
    for level in ("public", "confidential"):
        succeeded(scene.run("attest", scene.data, *words, level, "--owner", "team"))

    kitline.unpack(scene.kit, "before", settings=with_policy(limited))
    stricter = limited.replace("confidential", "internal")
    with pytest.raises(PolicyError, match=r"'confidential' by its owner 'team', and 'internal'"):
        kitline.unpack(scene.kit, "out", settings=with_policy(stricter))
    unknown = scene.run("attest", scene.kit, *words, "top-secret")
    Path("odd.json").write_text('{"sensitivity": "top-secret"}')
    scene.attest(scene.kit, "classification", "odd")

    assert unknown.code == 2
    with pytest.raises(PolicyError, match="it is classified 'top-secret', and 'confidential' is"):
        kitline.unpack(scene.kit, "out", settings=with_policy(limited))


def test_kits_that_a_kit_takes_its_model_from_are_judged_too(scene: Scene) -> None:
    (scene.folder / "Kitfile").write_text(
        "manifestVersion: 1.0.0\ndocs:\n  - path: README.md\n"
        f"model:\n  path: {scene.tagged('v1')}\n"
    )
    (scene.folder / "model.onnx").unlink()
    kit = scene.run("pack", scene.folder, "-t", f"{scene.registry.host}/team/tuned:v1").pinned
    scene.sign(reference=kit)
    settings = with_policy("[policy]\n" + KEYED)

    with pytest.raises(PolicyError, match=f"refuses to unpack '{scene.kit}'"):
        kitline.unpack(kit, "out", settings=settings)
    scene.sign()
    kitline.unpack(kit, "out", settings=settings)

    assert Path("out/model.onnx").read_bytes() == b"weights"


def test_a_revoked_kit_in_an_index_stops_the_index(scene: Scene) -> None:
    raw = scene.content.manifests[scene.digest(scene.kit)].raw
    index = ImageIndex.build(manifests=[Manifest.from_bytes(raw).descriptor])
    scene.registry.content.put_manifest(
        "team/iris", index.raw, tag="all", media_type=index.media_type
    )
    settings = with_policy("[policy]\n" + REVOKING)
    kitline.unpack(scene.tagged("all"), "before", settings=settings)
    scene.attest(scene.kit, "revocation", "revoked")

    with pytest.raises(PolicyError, match=rf"kit {scene.digest(scene.kit)} is revoked"):
        kitline.unpack(scene.tagged("all"), "after", settings=settings)


def test_pushing_is_no_use_so_that_a_kit_can_be_signed_where_it_is_judged(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("policy.toml").write_text("[policy]\n" + KEYED)
    monkeypatch.setenv("KITLINE_POLICY", "policy.toml")
    target = f"{scene.registry.host}/new/iris:v1"

    scene.run("pack", scene.folder, "-t", "iris:v1")
    pushed = scene.run("push", "iris:v1", target)
    copied = scene.run("copy", "iris:v1", target)
    used = scene.run("pull", target)

    assert [pushed.code, copied.code, used.code] == [0, 0, 3]


def test_a_signed_promotion_lets_a_stage_be_used(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("policy.toml").write_text("[policy]\n" + KEYED + "signed_promotions = true\n")
    monkeypatch.setenv("KITLINE_POLICY", "policy.toml")
    scene.sign()
    succeeded(scene.run("promote", scene.kit, "production", "--key", "ours.key"))

    by_stage = scene.run("unpack", scene.tagged("production"), "-d", "out")
    by_other_tag = scene.run("unpack", scene.tagged("v1"), "-d", "two")
    customary = scene.run("tag", scene.kit, scene.tagged("champion"))
    unrecorded = scene.run("unpack", scene.tagged("champion"), "-d", "three")

    assert [by_stage.code, by_other_tag.code, customary.code, unrecorded.code] == [0, 0, 0, 3]
    assert "no promotion to stage 'champion' is signed" in unrecorded.error


def test_a_promotion_that_was_signed_for_another_repository_counts_nowhere_else(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may write but holds no key copies the record of a test stage, and its tags."""
    scene.sign()
    succeeded(scene.run("promote", scene.kit, "production", "--key", "ours.key"))
    live = f"{scene.registry.host}/live/iris"
    succeeded(scene.run("copy", scene.kit, f"{live}:production", "--with-history"))
    tag = next(each for each in scene.content.tags if each.startswith("production.p-"))
    record = scene.content.manifests[scene.content.tags[tag]]
    scene.registry.content.put_manifest("live/iris", record.raw, tag=tag)
    assert kitline.stages(live)[0].seq == 1
    Path("policy.toml").write_text("[policy]\n" + KEYED + "signed_promotions = true\n")
    monkeypatch.setenv("KITLINE_POLICY", "policy.toml")

    there = scene.run("unpack", scene.tagged("production"), "-d", "out")
    elsewhere = scene.run("unpack", f"{live}:production", "-d", "two")

    assert [there.code, elsewhere.code] == [0, 3]
    assert f"for '{live}', only for '{scene.registry.host}/team/iris'" in elsewhere.error


def test_a_forbidden_kit_in_an_index_of_an_index_is_seen(scene: Scene) -> None:
    raw = scene.content.manifests[scene.digest(scene.kit)].raw
    inner = ImageIndex.build(manifests=[Manifest.from_bytes(raw).descriptor])
    outer = ImageIndex.build(manifests=[inner.descriptor])
    for tag, each in (("inner", inner), ("outer", outer)):
        scene.registry.content.put_manifest(
            "team/iris", each.raw, tag=tag, media_type=each.media_type
        )

    with pytest.raises(PolicyError, match="'onnx', which is forbidden"):
        kitline.admit(
            scene.tagged("outer"), settings=with_policy("[policy]\nforbidden_formats = ['onnx']\n")
        )
