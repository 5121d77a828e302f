"""LocalRegistry answers as the real registries do: the same requests, the same observations."""

from __future__ import annotations

import hashlib
import itertools
import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import pytest
import requests
from kitline.testing import LocalRegistry
from kitline.testing.rules import DISTRIBUTION, DOCKER_REGISTRY, OLAREG

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kitline.testing.processes import RunningRegistry

pytestmark = [pytest.mark.registry, pytest.mark.peer]

_NUMBERS = itertools.count()
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_EMPTY = {"mediaType": "application/vnd.oci.empty.v1+json", "size": 2}
_DATA = b"0123456789" * 100


@dataclass(frozen=True, kw_only=True)
class Client:
    """One repository, spoken to plainly."""

    session: requests.Session
    base: str
    repository: str

    def send(self, method: str, path: str, **options: Any) -> requests.Response:
        url = urljoin(f"{self.base}/v2/{self.repository}/", path)
        return self.session.request(method, url, allow_redirects=False, timeout=30, **options)

    def begin(self, query: str = "", **options: Any) -> requests.Response:
        return self.send("POST", f"blobs/uploads/{query}", **options)

    def location(self, answer: requests.Response, digest: str | None = None) -> str:
        found = urljoin(self.base, answer.headers["Location"])
        if digest is None:
            return found
        return f"{found}{'&' if '?' in found else '?'}digest={digest}"

    def put_blob(self, data: bytes) -> str:
        digest = digest_of(data)
        answer = self.send("PUT", self.location(self.begin(), digest), data=data)
        assert answer.status_code == 201
        return digest

    def put_manifest(
        self, fields: dict[str, Any], tag: str | None = None, media_type: str = _MANIFEST
    ) -> requests.Response:
        raw = json.dumps(fields).encode()
        return self.send(
            "PUT",
            f"manifests/{tag or digest_of(raw)}",
            data=raw,
            headers={"Content-Type": media_type},
        )

    def artifact(self, **more: Any) -> dict[str, Any]:
        """Push a config and return a manifest that stands on it."""
        empty = {**_EMPTY, "digest": self.put_blob(b"{}")}
        kind = "application/vnd.example"
        fields = {"schemaVersion": 2, "mediaType": _MANIFEST, "artifactType": kind}
        return {**fields, "config": empty, "layers": [empty], **more}


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def digest_of_manifest(fields: dict[str, Any]) -> str:
    return digest_of(json.dumps(fields).encode())


Observation = Callable[[Client], object]


def ping(client: Client) -> object:
    return client.session.get(client.base + "/v2/").status_code


def what_is_missing(client: Client) -> object:
    client.put_blob(b"so that the repository exists")
    digest = digest_of(b"missing")
    accept = {"Accept": _MANIFEST}
    return [
        client.send("HEAD", f"blobs/{digest}").status_code,
        client.send("GET", f"blobs/{digest}").status_code,
        client.send("GET", "manifests/none", headers=accept).status_code,
        client.send("HEAD", f"manifests/{digest}", headers=accept).status_code,
        client.send("DELETE", f"manifests/{digest}").status_code,
        client.send("GET", "blobs/uploads/none").status_code,
    ]


def an_unknown_repository(client: Client) -> object:
    return client.send("GET", "manifests/v1", headers={"Accept": _MANIFEST}).status_code


def a_whole_upload(client: Client) -> object:
    begun = client.begin()
    digest = digest_of(_DATA)
    done = client.send("PUT", client.location(begun, digest), data=_DATA)
    head = client.send("HEAD", f"blobs/{digest}")
    return [
        begun.status_code,
        done.status_code,
        done.headers.get("Docker-Content-Digest"),
        head.status_code,
        head.headers["Content-Length"],
        client.send("GET", f"blobs/{digest}").content == _DATA,
    ]


def a_wrong_digest(client: Client) -> object:
    location = client.location(client.begin(), digest_of(b"something else"))
    return client.send("PUT", location, data=_DATA).status_code


def a_single_post(client: Client) -> object:
    answer = client.begin(f"?digest={digest_of(_DATA)}", data=_DATA)
    return [answer.status_code, client.send("HEAD", f"blobs/{digest_of(_DATA)}").status_code]


def chunks(client: Client) -> object:
    first = client.send(
        "PATCH",
        client.location(client.begin()),
        data=_DATA[:400],
        headers={"Content-Range": "0-399", "Content-Type": "application/octet-stream"},
    )
    status = client.send("GET", client.location(first))
    second = client.send(
        "PATCH",
        client.location(status),
        data=_DATA[400:900],
        headers={"Content-Range": "400-899", "Content-Type": "application/octet-stream"},
    )
    last = client.send("PUT", client.location(second, digest_of(_DATA)), data=_DATA[900:])
    answers = [first, status, second, last]
    return [
        [each.status_code for each in answers],
        [each.headers.get("Range") for each in answers[:3]],
    ]


def a_patch_without_range_in_chunks(client: Client) -> object:
    answer = client.send(
        "PATCH", client.location(client.begin()), data=iter([_DATA[:300], _DATA[300:]])
    )
    done = client.send("PUT", client.location(answer, digest_of(_DATA)))
    return [answer.status_code, answer.headers.get("Range"), done.status_code]


def a_chunk_out_of_order(client: Client) -> object:
    answer = client.send(
        "PATCH",
        client.location(client.begin()),
        data=_DATA,
        headers={"Content-Range": "500-1499", "Content-Type": "application/octet-stream"},
    )
    return answer.status_code


def a_cancelled_session(client: Client) -> object:
    begun = client.begin()
    cancelled = client.send("DELETE", client.location(begun))
    return [cancelled.status_code, client.send("GET", client.location(begun)).status_code]


def a_cut_patch(client: Client) -> object:
    begun = client.begin()
    host, port = client.base.removeprefix("http://").split(":")
    path = client.location(begun).removeprefix(client.base)
    with socket.create_connection((host, int(port))) as connection:
        head = f"PATCH {path} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 1000\r\n\r\n"
        connection.sendall(head.encode() + _DATA[:600])
    for _ in range(200):
        status = client.send("GET", client.location(begun))
        if status.headers.get("Range") == "0-599" or status.status_code == 404:
            return [status.status_code, status.headers.get("Range")]
        time.sleep(0.01)
    return "the session neither keeps what came nor ends"


def mounts(client: Client) -> object:
    digest = client.put_blob(_DATA)
    other = Client(
        session=client.session, base=client.base, repository=client.repository + "-other"
    )
    mounted = other.begin(f"?mount={digest}&from={client.repository}")
    missing = other.begin(f"?mount={digest_of(b'missing')}&from={client.repository}")
    return [
        mounted.status_code,
        other.send("HEAD", f"blobs/{digest}").status_code,
        missing.status_code,
    ]


def ranges(client: Client) -> object:
    digest = client.put_blob(_DATA)
    answers = [
        client.send("GET", f"blobs/{digest}", headers={"Range": f"bytes={span}"})
        for span in ("0-9", "990-", "500-2000", "-5")
    ]
    return [(each.status_code, each.headers.get("Content-Range"), each.content) for each in answers]


def a_manifest(client: Client) -> object:
    fields = client.artifact()
    put = client.put_manifest(fields, "v1")
    digest = digest_of_manifest(fields)
    got = client.send("GET", "manifests/v1", headers={"Accept": _MANIFEST})
    by_digest = client.send("HEAD", f"manifests/{digest}", headers={"Accept": _MANIFEST})
    return [
        put.status_code,
        put.headers.get("Docker-Content-Digest"),
        got.status_code,
        got.headers["Content-Type"],
        got.headers["Docker-Content-Digest"],
        got.content,
        by_digest.status_code,
        by_digest.headers["Content-Length"],
        by_digest.content,
    ]


def manifests_that_are_refused(client: Client) -> object:
    good = client.artifact()
    missing = {**_EMPTY, "digest": digest_of(b"missing")}
    wrong = client.send(
        "PUT",
        f"manifests/{digest_of(b'other')}",
        data=json.dumps(good).encode(),
        headers={"Content-Type": _MANIFEST},
    )
    return [
        client.put_manifest({**good, "layers": [missing]}).status_code,
        client.put_manifest({**good, "config": missing}).status_code,
        wrong.status_code,
    ]


def a_manifest_without_layers(client: Client) -> object:
    return client.put_manifest({**client.artifact(), "layers": []}).status_code


def a_content_type_that_differs(client: Client) -> object:
    other = "application/vnd.docker.distribution.manifest.v2+json"
    return client.put_manifest(client.artifact(), media_type=other).status_code


def a_manifest_of_5_mib(client: Client) -> object:
    fields = client.artifact(annotations={"big": "x" * (5 << 20)})
    return client.put_manifest(fields).status_code


def tags(client: Client) -> object:
    fields = client.artifact()
    for tag in ("b", "c", "a"):
        client.put_manifest(fields, tag)
    every = client.send("GET", "tags/list").json()
    return [every["name"] == client.repository, sorted(every["tags"])]


def pages_of_tags(client: Client) -> object:
    fields = client.artifact()
    for tag in ("b", "c", "a", "d", "e"):
        client.put_manifest(fields, tag)
    first = client.send("GET", "tags/list?n=2")
    second = client.session.get(urljoin(client.base, first.links["next"]["url"]))
    last = client.session.get(urljoin(client.base, second.links["next"]["url"]))
    after = client.send("GET", "tags/list?last=b")
    pages = [each.json()["tags"] for each in (first, second, last, after)]
    return [pages, "next" in last.links]


def unpaged_tags(client: Client) -> object:
    fields = client.artifact()
    for tag in ("b", "c", "a"):
        client.put_manifest(fields, tag)
    answer = client.send("GET", "tags/list?n=1&last=b")
    return [sorted(answer.json()["tags"]), "next" in answer.links]


def a_deleted_tag(client: Client) -> object:
    fields = client.artifact()
    client.put_manifest(fields, "v1")
    client.put_manifest(fields, "v2")
    deleted = client.send("DELETE", "manifests/v1")
    digest = digest_of_manifest(fields)
    kept = client.send("HEAD", f"manifests/{digest}", headers={"Accept": _MANIFEST})
    return [
        deleted.status_code,
        kept.status_code,
        len(client.send("GET", "tags/list").json()["tags"]),
    ]


def a_deleted_manifest(client: Client) -> object:
    fields = client.artifact()
    client.put_manifest(fields, "v1")
    path = f"manifests/{digest_of_manifest(fields)}"
    deleted = client.send("DELETE", path)
    gone = client.send("HEAD", path, headers={"Accept": _MANIFEST})
    tag = client.send("HEAD", "manifests/v1", headers={"Accept": _MANIFEST})
    return [deleted.status_code, gone.status_code, tag.status_code]


def a_deleted_blob(client: Client) -> object:
    digest = client.put_blob(_DATA)
    deleted = client.send("DELETE", f"blobs/{digest}")
    return [deleted.status_code, client.send("HEAD", f"blobs/{digest}").status_code]


def a_referrer(client: Client) -> object:
    subject = {"mediaType": _MANIFEST, "digest": digest_of(b"absent"), "size": 10}
    before = client.send("GET", f"referrers/{subject['digest']}")
    fields = client.artifact(subject=subject, annotations={"k": "v"})
    put = client.put_manifest(fields)
    path = f"referrers/{subject['digest']}"
    listed = client.send("GET", path)
    wanted = client.send("GET", f"{path}?artifactType=application/vnd.example")
    other = client.send("GET", f"{path}?artifactType=application/vnd.other")
    return [
        put.status_code,
        put.headers.get("OCI-Subject"),
        [each.status_code for each in (before, listed, wanted, other)],
        [entries(each) for each in (before, listed, wanted, other)],
        wanted.headers.get("OCI-Filters-Applied"),
    ]


def a_deleted_referrer(client: Client) -> object:
    subject = {"mediaType": _MANIFEST, "digest": digest_of(b"absent"), "size": 10}
    fields = client.artifact(subject=subject)
    client.put_manifest(fields)
    deleted = client.send("DELETE", f"manifests/{digest_of_manifest(fields)}")
    return [deleted.status_code, entries(client.send("GET", f"referrers/{subject['digest']}"))]


def several_tags_at_once(client: Client) -> object:
    fields = client.artifact()
    raw = json.dumps(fields).encode()
    put = client.send(
        "PUT",
        f"manifests/{digest_of(raw)}?tag=a&tag=b",
        data=raw,
        headers={"Content-Type": _MANIFEST},
    )
    heads = [
        client.send("HEAD", f"manifests/{tag}", headers={"Accept": _MANIFEST}).status_code
        for tag in ("a", "b")
    ]
    return [put.status_code, put.headers.get("OCI-Tag"), heads]


def no_accept(client: Client) -> object:
    client.put_manifest(client.artifact(), "v1")
    return [
        client.send("GET", "manifests/v1", headers={"Accept": accept}).status_code
        for accept in ("*/*", "application/vnd.oci.image.index.v1+json", _MANIFEST)
    ]


def entries(answer: requests.Response) -> object:
    if answer.status_code != 200:
        return None
    found = answer.json().get("manifests") or []
    return [(each["digest"], each["artifactType"], each.get("annotations")) for each in found]


EVERYWHERE: list[Observation] = [
    ping, what_is_missing, an_unknown_repository, a_whole_upload, a_wrong_digest, a_single_post,
    chunks, a_patch_without_range_in_chunks, a_cancelled_session, a_cut_patch, mounts, ranges,
    a_manifest, manifests_that_are_refused, a_manifest_without_layers, tags, a_deleted_tag,
    a_deleted_manifest, a_deleted_blob, a_referrer, a_deleted_referrer, several_tags_at_once,
]  # fmt: skip
"""Asked of all registries."""

# Each list leaves out what LocalRegistry does not imitate.
ON_DISTRIBUTION = [
    *EVERYWHERE, a_chunk_out_of_order, a_content_type_that_differs, a_manifest_of_5_mib,
    pages_of_tags,
]  # fmt: skip
ON_DOCKER_REGISTRY = [
    *EVERYWHERE, a_content_type_that_differs, a_manifest_of_5_mib, unpaged_tags,
]  # fmt: skip
ON_OLAREG = [*EVERYWHERE, a_chunk_out_of_order, pages_of_tags, no_accept]


def name_of(observe: Observation) -> str:
    return getattr(observe, "__name__", "")


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def compare(
    observe: Observation, session: requests.Session, real: RunningRegistry, local: LocalRegistry
) -> None:
    repository = f"agreement/r{next(_NUMBERS)}"
    on_real = observe(Client(session=session, base=real.url, repository=repository))
    on_local = observe(Client(session=session, base=local.url, repository=repository))
    assert on_local == on_real


@pytest.mark.parametrize("observe", ON_DISTRIBUTION, ids=name_of)
def test_it_answers_as_distribution_does(
    observe: Observation, session: requests.Session, distribution_3: RunningRegistry
) -> None:
    with LocalRegistry(DISTRIBUTION) as local:
        compare(observe, session, distribution_3, local)


@pytest.mark.parametrize("observe", ON_DOCKER_REGISTRY, ids=name_of)
def test_it_answers_as_docker_registry_does(
    observe: Observation, session: requests.Session, docker_registry_2: RunningRegistry
) -> None:
    with LocalRegistry(DOCKER_REGISTRY) as local:
        compare(observe, session, docker_registry_2, local)


@pytest.mark.parametrize("observe", ON_OLAREG, ids=name_of)
def test_it_answers_as_olareg_does(
    observe: Observation, session: requests.Session, olareg_registry: RunningRegistry
) -> None:
    with LocalRegistry(OLAREG) as local:
        compare(observe, session, olareg_registry, local)
