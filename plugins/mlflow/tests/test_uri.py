"""How MLflow names a kit: one grammar, and every other spelling refused."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from kitline.errors import InvalidReference
from kitline.plugin import Digest, PinnedReference, Reference
from kitline_mlflow.uri import ModelkitURI, model_source

HEX = "a" * 64
PINNED = f"reg.example:5000/team/iris@sha256:{HEX}"

HOSTS = st.sampled_from(["reg.example", "localhost", "127.0.0.1:5000", "[::1]:80", "reg:5000", ""])
NAMES = st.from_regex(r"[a-z0-9]{1,8}(/[a-z0-9]{1,8}){0,2}", fullmatch=True)
TAGS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,8}", fullmatch=True)
DIGESTS = st.from_regex(r"sha256:[0-9a-f]{64}", fullmatch=True)
SEGMENT = r"(?!\.{1,2}(/|\Z))[A-Za-z0-9._@:+=,~-]{1,8}"
PATHS = st.from_regex(rf"\A{SEGMENT}(/{SEGMENT}){{0,3}}\Z")
# a busy machine is no failure
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize(
    ("text", "name", "path"),
    [
        (f"modelkit://{PINNED}", PINNED, ""),
        (f"modelkit://{PINNED}/model", PINNED, "model"),
        (f"modelkit://{PINNED}/model/", PINNED, "model"),
        (f"MODELKIT://REG.example:5000/team/iris@sha256:{HEX}", PINNED, ""),
        (f"oci://{PINNED}/model/a:b@c", PINNED, "model/a:b@c"),
        ("modelkit://reg.example/iris:v1/model", "reg.example/iris:v1", "model"),
        (f"modelkit://reg.example/iris:v1@sha256:{HEX}", f"reg.example/iris@sha256:{HEX}", ""),
        (f"modelkit:///team/iris@sha256:{HEX}/model", f"team/iris@sha256:{HEX}", "model"),
        (f"modelkit://localhost/iris@sha256:{HEX}", f"localhost/iris@sha256:{HEX}", ""),
    ],
)
def test_an_address_names_a_kit_and_a_path(text: str, name: str, path: str) -> None:
    found = ModelkitURI.parse(text)
    assert (str(found.reference), found.path) == (name, path)
    assert found.is_local == text.startswith("modelkit:///")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (f"modelkit:/{PINNED}", "scheme"),
        (f"modelkit:{PINNED}", "scheme"),
        (f"xmodelkit://{PINNED}", "scheme"),
        (PINNED, "scheme"),
        ("", "scheme"),
        (f"https://{PINNED}", "scheme"),
        (f"modelkit://iris@sha256:{HEX}", "host"),
        (f"modelkit://user:secret@{PINNED}", "host"),
        (f"modelkit://reg.example@evil.example/iris@sha256:{HEX}", "host"),
        (f"modelkit://team/iris@sha256:{HEX}", "host"),
        (f"modelkit:///reg.example/iris@sha256:{HEX}", "host"),
        (f"modelkit:////iris@sha256:{HEX}", "repository"),
        ("modelkit://reg.example", "repository"),
        ("modelkit://reg.example/", "name"),
        ("modelkit://reg.example/iris", "name"),
        ("modelkit://reg.example/iris/model", "name"),
        ("modelkit://reg.example/iris:", "name"),
        (f"modelkit://reg.example/iris@sha256:{HEX}0", "name"),
        (f"modelkit://reg.example/iris@sha256:{HEX[:-1]}", "name"),
        (f"modelkit://reg.example/iris@sha256:{HEX.upper()}", "name"),
        (f"modelkit://reg.example/iris@sha256:{HEX}:tag", "name"),
        (f"modelkit://reg.example/iris@sha256:{HEX}@evil.example/x", "name"),
        (f"modelkit://reg.example/iris@sha512:{HEX}{HEX}", "name"),
        (f"modelkit://reg.example/iris@md5:{HEX}", "name"),
        (f"modelkit://reg.example/Iris@sha256:{HEX}", "repository"),
        (f"modelkit://reg.example:99999/iris@sha256:{HEX}", "registry"),
        (f"modelkit://reg.example:x/iris@sha256:{HEX}", "registry"),
        (f"modelkit://-reg.example/iris@sha256:{HEX}", "registry"),
        (f"modelkit://reg.example/../iris@sha256:{HEX}", "repository"),
        (f"modelkit://{PINNED}/../x", "path"),
        (f"modelkit://{PINNED}/a/./x", "path"),
        (f"modelkit://{PINNED}/a/..", "path"),
        (f"modelkit://{PINNED}//etc/passwd", "path"),
        (f"modelkit://{PINNED}/a//b", "path"),
        (f"modelkit:///reg.example:5000/ns/iris@sha256:{HEX}", "path"),
        (f"modelkit://reg.example/iris:v1/x@sha256:{HEX}", "path"),
        (f"modelkit://{PINNED}?x=1", "text"),
        (f"modelkit://{PINNED}#model", "text"),
        (f"modelkit://{PINNED}/%2e%2e/x", "text"),
        (f"modelkit://{PINNED}\\x", "text"),
        (f"modelkit://{PINNED} ", "text"),
        (f" modelkit://{PINNED}", "text"),
        (f"modelkit://{PINNED}\n", "text"),
        (f"modelkit://{PINNED}/\0", "text"),
        (f"modelkit://{PINNED}/\u202emodel", "text"),
        (f"modelkit://{PINNED}/a\u00a0b", "text"),
    ],
)
def test_every_other_spelling_is_refused(text: str, part: str) -> None:
    with pytest.raises(InvalidReference) as caught:
        ModelkitURI.parse(text)
    assert caught.value.part == part
    assert "secret" not in str(caught.value)


@UNHURRIED
@given(host=HOSTS, name=NAMES, tag=st.none() | TAGS, digest=st.none() | DIGESTS, path=PATHS)
def test_an_address_is_read_back_from_its_text(
    host: str, name: str, tag: str | None, digest: str | None, path: str
) -> None:
    tag = tag or (None if digest else "v1")
    reference = Reference(
        registry=host or None,
        repository=f"x/{name}",
        tag=tag,
        digest=Digest(digest) if digest else None,
    )
    uri = ModelkitURI(reference=reference, path=path)
    found = ModelkitURI.parse(uri.text)
    assert found.text == uri.text
    assert (found.reference.registry, found.reference.digest) == (host or None, reference.digest)
    assert found.path == path


@UNHURRIED
@given(st.text() | st.text().map(lambda text: f"modelkit://{PINNED}{text}"))
@example(f"modelkit://{PINNED}/\ud800")
def test_whatever_is_accepted_has_one_spelling(text: str) -> None:
    try:
        found = ModelkitURI.parse(text)
    except InvalidReference:
        return
    assert ModelkitURI.parse(found.text).text == found.text
    assert found.text.lower() == text.lower().removesuffix("/").replace("oci://", "modelkit://")


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        (PINNED, f"modelkit://{PINNED}/model"),
        (f"team/iris@sha256:{HEX}", f"modelkit:///team/iris@sha256:{HEX}/model"),
    ],
)
def test_the_source_of_a_version_is_the_model_drawer_by_digest(
    reference: str, expected: str
) -> None:
    assert model_source(PinnedReference.parse(reference)) == expected


def test_a_source_without_digest_is_refused() -> None:
    with pytest.raises(InvalidReference, match="a source in MLflow is pinned"):
        model_source(Reference.parse("reg.example/iris:v1"))
