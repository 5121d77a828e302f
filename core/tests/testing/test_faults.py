"""Each fault of LocalRegistry does what it says, seen through plain HTTP."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest
import requests
from kitline.testing import BasicAuth, BearerAuth, Fault, LocalRegistry, Rules
from kitline.testing.faults import TRAVERSAL
from kitline.testing.rules import ECR, GHCR

if TYPE_CHECKING:
    from collections.abc import Iterator

_DATA = bytes(range(200)) * 50
_DIGEST = "sha256:" + hashlib.sha256(_DATA).hexdigest()
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_BROKEN = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def blob(registry: LocalRegistry) -> str:
    """Put the blob there; return its address."""
    registry.content.put_blob("r", _DATA)
    return f"{registry.url}/v2/r/blobs/{_DIGEST}"


def begin(session: requests.Session, registry: LocalRegistry) -> str:
    answer = session.post(f"{registry.url}/v2/r/blobs/uploads/")
    assert answer.status_code == 202
    return answer.headers["Location"]


def manifest(registry: LocalRegistry, tag: str | None = None, **more: object) -> str:
    fields = {"schemaVersion": 2, "mediaType": _MANIFEST, **more}
    return registry.content.put_manifest("r", json.dumps(fields).encode(), tag=tag)


def put_manifest(
    session: requests.Session, registry: LocalRegistry, tag: str, **more: object
) -> requests.Response:
    return session.put(
        f"{registry.url}/v2/r/manifests/{tag}",
        data=json.dumps({"schemaVersion": 2, "mediaType": _MANIFEST, **more}),
        headers={"Content-Type": _MANIFEST},
    )


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_a_cut_upload_keeps_what_has_come(
    session: requests.Session, local_registry: LocalRegistry, method: str
) -> None:
    local_registry.inject(Fault.cut_upload(after=600))
    location = begin(session, local_registry)
    with pytest.raises(_BROKEN):
        session.request(method, f"{location}&digest={_DIGEST}", data=_DATA)
    status = session.get(location)
    assert (status.status_code, status.headers["Range"]) == (204, "0-599")
    rest = session.put(f"{status.headers['Location']}&digest={_DIGEST}", data=_DATA[600:])
    assert rest.status_code == 201
    assert [each.received for each in local_registry.requests] == [0, 600, 0, len(_DATA) - 600]


def test_a_cut_upload_counts_from_the_beginning_of_the_blob(
    session: requests.Session, local_registry: LocalRegistry
) -> None:
    local_registry.inject(Fault.cut_upload(after=600))
    location = session.patch(begin(session, local_registry), data=_DATA[:500]).headers["Location"]
    with pytest.raises(_BROKEN):
        session.patch(location, data=_DATA[500:])
    assert session.get(location).headers["Range"] == "0-599"


def test_a_cut_upload_may_lose_the_session(
    session: requests.Session, local_registry: LocalRegistry
) -> None:
    local_registry.inject(Fault.cut_upload(after=600, keep_session=False))
    location = begin(session, local_registry)
    with pytest.raises(_BROKEN):
        session.patch(location, data=_DATA)
    assert session.get(location).status_code == 404


def test_a_cut_download_goes_on_by_range(
    session: requests.Session, local_registry: LocalRegistry
) -> None:
    url = blob(local_registry)
    local_registry.inject(Fault.cut_download(after=700))
    with pytest.raises(_BROKEN):
        session.get(url)
    rest = session.get(url, headers={"Range": "bytes=700-"})
    assert rest.status_code == 206
    assert rest.content == _DATA[700:]
    assert [each.sent for each in local_registry.requests] == [700, len(_DATA) - 700]


def test_a_stalled_answer_ends_when_the_registry_stops(session: requests.Session) -> None:
    with LocalRegistry() as registry:
        url = blob(registry)
        registry.inject(Fault.stall(seconds=3600), Fault.stall_download(after=10, seconds=3600))
        with pytest.raises(requests.Timeout):
            session.get(url, timeout=0.05)
        with pytest.raises(requests.ConnectionError):
            session.get(url, timeout=0.05)
        assert registry.count("GET") == 0


def test_bytes_can_be_wrong_missing_or_too_many(
    session: requests.Session, local_registry: LocalRegistry
) -> None:
    url = blob(local_registry)
    local_registry.inject(Fault.wrong_bytes(after=5), Fault.truncated(by=2), Fault.over_long(by=3))
    wrong, short, long, right = (session.get(url).content for _ in range(4))
    assert [at for at in range(len(_DATA)) if wrong[at] != _DATA[at]] == [5]
    assert short == _DATA[:-2]
    assert long == _DATA + b"\0\0\0"
    assert right == _DATA


def test_a_digest_header_can_lie(session: requests.Session, local_registry: LocalRegistry) -> None:
    local_registry.inject(Fault.wrong_digest_header())
    answer = session.get(blob(local_registry))
    assert answer.headers["Docker-Content-Digest"] == "sha256:" + "0" * 64
    assert answer.content == _DATA


def test_a_range_can_be_ignored(session: requests.Session, local_registry: LocalRegistry) -> None:
    local_registry.inject(Fault.ignore_range())
    answer = session.get(blob(local_registry), headers={"Range": "bytes=10-"})
    assert (answer.status_code, answer.content) == (200, _DATA)


def test_a_redirect_leads_to_a_host_that_asks_for_credentials(session: requests.Session) -> None:
    with (
        LocalRegistry(auth=BasicAuth()) as registry,
        LocalRegistry(auth=BasicAuth(password="other"), content=registry.content) as other,
    ):
        registry.inject(Fault.redirect(other.host))
        answer = session.get(blob(registry), auth=("ci", "secret"), allow_redirects=False)
        assert answer.status_code == 307
        assert session.get(answer.headers["Location"]).status_code == 401
        assert other.authorizations == []
        assert [path for path, _ in registry.authorizations] == [f"/v2/r/blobs/{_DIGEST}"]


def test_an_upload_can_be_sent_elsewhere(session: requests.Session) -> None:
    with LocalRegistry() as registry, LocalRegistry(content=registry.content) as other:
        registry.inject(Fault.foreign_upload(other.host))
        location = begin(session, registry)
        assert location.startswith(other.url)
        assert session.put(f"{location}&digest={_DIGEST}", data=_DATA).status_code == 201


def test_answers_can_be_anything_and_pass_a_few_requests_first(
    session: requests.Session, local_registry: LocalRegistry
) -> None:
    url = blob(local_registry)
    local_registry.inject(
        Fault.answer(503, skip=2, times=2), Fault.too_many_requests(retry_after=7, path="/r/blobs/")
    )
    answers = [session.get(url) for _ in range(5)]
    assert [each.status_code for each in answers] == [429, 200, 503, 503, 200]
    assert answers[0].headers["Retry-After"] == "7"


def test_quota_is_a_rule_or_a_fault(session: requests.Session) -> None:
    with LocalRegistry(Rules(quota=100)) as registry:
        location = begin(session, registry)
        answer = session.put(f"{location}&digest={_DIGEST}", data=_DATA)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (403, "DENIED")
        registry.inject(Fault.quota_exceeded(status=507))
        assert session.post(f"{registry.url}/v2/r/blobs/uploads/").status_code == 507


def test_a_tag_can_move_between_two_requests(
    session: requests.Session, local_registry: LocalRegistry
) -> None:
    first = manifest(local_registry, "v1")
    second = manifest(local_registry, annotations={"n": "2"})
    local_registry.inject(Fault.move_tag("v1", second))
    url = f"{local_registry.url}/v2/r/manifests/v1"
    seen = [session.head(url, headers={"Accept": _MANIFEST}) for _ in range(3)]
    assert [each.headers["Docker-Content-Digest"] for each in seen] == [first, second, second]


def test_a_lost_referrer_is_listed_after_it_is_pushed_again(
    session: requests.Session, local_registry: LocalRegistry
) -> None:
    local_registry.inject(Fault.lose_referrer())
    subject = {"mediaType": _MANIFEST, "digest": _DIGEST, "size": 5}
    url = f"{local_registry.url}/v2/r/referrers/{_DIGEST}"
    listed = []
    for _ in range(2):
        answer = put_manifest(session, local_registry, "x", subject=subject)
        assert answer.headers["OCI-Subject"] == _DIGEST
        listed.append(len(session.get(url).json()["manifests"]))
    assert listed == [0, 1]


def test_lists_can_hold_paths(session: requests.Session, local_registry: LocalRegistry) -> None:
    local_registry.inject(Fault.traversal_tags(), Fault.traversal_referrers())
    base = f"{local_registry.url}/v2/r"
    assert "../../outside" in session.get(f"{base}/tags/list").json()["tags"]
    referrers = session.get(f"{base}/referrers/{_DIGEST}").json()
    assert referrers["manifests"][0]["digest"] == TRAVERSAL


def test_anything_can_be_served_as_a_manifest(
    session: requests.Session, local_registry: LocalRegistry
) -> None:
    local_registry.content.put_manifest("r", b" " * (5 << 20), tag="big")
    url = f"{local_registry.url}/v2/r/manifests/big"
    assert len(session.get(url, headers={"Accept": _MANIFEST}).content) == 5 << 20


@pytest.mark.parametrize(
    ("kind", "status", "code"), [("ecr", 400, "TAG_INVALID"), ("harbor", 412, "PRECONDITION")]
)
def test_tags_can_be_immutable(
    session: requests.Session, kind: str, status: int, code: str
) -> None:
    rules = {"ecr": Rules(immutable_tags="ecr"), "harbor": Rules(immutable_tags="harbor")}
    with LocalRegistry(rules[kind]) as registry:
        assert put_manifest(session, registry, "v1").status_code == 201
        again = put_manifest(session, registry, "v1")
        assert (again.status_code, again.json()["errors"][0]["code"]) == (status, code)


def test_ecr_wants_repositories_beforehand_and_takes_one_patch(session: requests.Session) -> None:
    with LocalRegistry(ECR) as registry:
        unknown = session.post(f"{registry.url}/v2/r/blobs/uploads/")
        assert (unknown.status_code, unknown.json()["errors"][0]["code"]) == (404, "NAME_UNKNOWN")
        registry.create_repository("r")
        location = begin(session, registry)
        first = session.patch(location, data=_DATA[:100])
        assert first.status_code == 201
        assert session.patch(first.headers["Location"], data=_DATA[100:]).status_code == 404


def test_ghcr_refuses_large_patches_and_takes_large_puts(session: requests.Session) -> None:
    with LocalRegistry(GHCR) as registry:
        data = bytes((4 << 20) + 1)
        location = begin(session, registry)
        assert session.patch(location, data=data).status_code == 416
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        assert session.put(f"{location}&digest={digest}", data=data).status_code == 201


def test_deletes_can_be_forbidden(session: requests.Session) -> None:
    with LocalRegistry(Rules(deletes=False)) as registry:
        url = f"{registry.url}/v2/r/manifests/{manifest(registry)}"
        assert session.delete(url).status_code == 405


def test_tokens_are_bound_to_scopes_and_can_expire(session: requests.Session) -> None:
    auth = BearerAuth()
    with LocalRegistry(auth=auth) as registry:
        url = blob(registry)
        refused = session.get(url)
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"] == (
            f'Bearer realm="{registry.url}/token",service="local",scope="repository:r:pull"'
        )
        asked = f"{registry.url}/token?service=local&scope=repository:r:pull"
        assert session.get(asked, auth=("ci", "wrong")).status_code == 401
        token = session.get(asked, auth=("ci", "secret")).json()["token"]
        bearer = {"Authorization": f"Bearer {token}"}
        assert session.get(url, headers=bearer).status_code == 200
        push = session.post(f"{registry.url}/v2/r/blobs/uploads/", headers=bearer)
        assert 'error="insufficient_scope"' in push.headers["WWW-Authenticate"]
        registry.inject(Fault.expire_tokens())
        expired = session.get(url, headers=bearer)
        assert 'error="invalid_token"' in expired.headers["WWW-Authenticate"]
        assert (auth.issued, auth.scopes_asked) == (1, ["repository:r:pull"])
        assert registry.count("GET", "^/token") == 2


def test_a_token_can_be_had_for_an_identity_token(session: requests.Session) -> None:
    with LocalRegistry(auth=BearerAuth()) as registry:
        form = {
            "grant_type": "refresh_token",
            "refresh_token": "identity-token",
            "service": "local",
            "scope": "repository:r:pull,push",
        }
        token = session.post(f"{registry.url}/token", data=form).json()["token"]
        bearer = {"Authorization": f"Bearer {token}"}
        begun = session.post(f"{registry.url}/v2/r/blobs/uploads/", headers=bearer)
        assert begun.status_code == 202
        form["refresh_token"] = "another"
        assert session.post(f"{registry.url}/token", data=form).status_code == 401


def test_a_mistake_in_the_registry_itself_is_raised_at_the_end(session: requests.Session) -> None:
    registry = LocalRegistry()
    registry.start()
    registry.rules = None  # type: ignore[assignment] # what no test does on purpose
    assert session.post(f"{registry.url}/v2/r/blobs/uploads/").status_code == 500
    with pytest.raises(ExceptionGroup, match="made mistakes"):
        registry.__exit__(None, None, None)
