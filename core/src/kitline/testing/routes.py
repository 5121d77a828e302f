"""Which part of the in-process registry answers which request, and who may ask."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from kitline.frozen import dataclass
from kitline.testing.blobs import Blobs
from kitline.testing.exchange import Answer, Call, error
from kitline.testing.manifests import Manifests
from kitline.testing.uploads import Uploads

if TYPE_CHECKING:
    from collections.abc import Callable

    from kitline.testing.armed_faults import Faults
    from kitline.testing.authorization import Authorization
    from kitline.testing.content import Content
    from kitline.testing.rules import Rules

    _Answers = dict[tuple[str, str], Callable[[], Answer]]

_ROUTE = re.compile(r"/v2/(.+)/(blobs/uploads|blobs|manifests|tags|referrers)/([^/]*)\Z")
CATALOG = "/v2/_catalog"


class _Route(NamedTuple):
    repository: str
    kind: str
    rest: str


@dataclass(frozen=True, kw_only=True)
class Router:
    """Answers requests; `base` is scheme and host, for addresses."""

    content: Content
    rules: Rules
    faults: Faults
    auth: Authorization | None
    base: str

    def answer(self, call: Call) -> Answer:
        """Answer a request, if it is for the API and its sender may ask it."""
        if not call.path.startswith("/v2/"):
            return error(404, "NOT_FOUND", "404 page not found")
        found = _ROUTE.match(call.path)
        route = None if found is None else _Route(*found.groups())
        if self.auth is not None:
            refusal = self.auth.refuse(call, route.repository if route else None, self.base)
            if refusal is not None:
                return refusal
        if route is None and call.path == CATALOG and self.rules.catalog:
            return Manifests(content=self.content, rules=self.rules, faults=self.faults).names(call)
        if route is None:
            return _answer_base(call)
        if self._is_missing(call, route):
            return error(
                404,
                "NAME_UNKNOWN",
                f"The repository with name '{route.repository}' does not exist in the registry",
            )
        return self._find_redirect(call, route) or self._dispatch(call, route)

    def _is_missing(self, call: Call, route: _Route) -> bool:
        if self.content.find(route.repository) is not None:
            return False
        return call.method == "DELETE" or (self.rules.must_exist and route.kind != "referrers")

    def _find_redirect(self, call: Call, route: _Route) -> Answer | None:
        fault = self.faults.take("redirect", call.method, call.path)
        if fault is None:
            return None
        location = f"{fault.host}{call.path}?X-Signature=signed-for-{route.repository}"
        return Answer(307, {"Location": location})

    def _dispatch(self, call: Call, route: _Route) -> Answer:
        answers = {
            "blobs": self._blobs,
            "blobs/uploads": self._uploads,
            "manifests": self._manifests,
            "tags": self._manifests,
            "referrers": self._manifests,
        }
        answer = answers[route.kind](call, route).get((call.method, route.kind))
        return error(405, "UNSUPPORTED", "method not allowed") if answer is None else answer()

    def _blobs(self, call: Call, route: _Route) -> _Answers:
        blobs = Blobs(content=self.content, rules=self.rules, faults=self.faults)
        name, _, digest = route
        return {
            ("GET", "blobs"): lambda: blobs.get(call, name, digest),
            ("HEAD", "blobs"): lambda: blobs.get(call, name, digest),
            ("DELETE", "blobs"): lambda: blobs.delete(name, digest),
        }

    def _uploads(self, call: Call, route: _Route) -> _Answers:
        uploads = Uploads(
            content=self.content, rules=self.rules, faults=self.faults, base=self.base
        )
        name, kind, session = route
        return {
            ("POST", kind): lambda: uploads.begin(call, name),
            ("GET", kind): lambda: uploads.status(call, name, session),
            ("PATCH", kind): lambda: uploads.append(call, name, session),
            ("PUT", kind): lambda: uploads.finish(call, name, session),
            ("DELETE", kind): lambda: uploads.cancel(call, name, session),
        }

    def _manifests(self, call: Call, route: _Route) -> _Answers:
        manifests = Manifests(content=self.content, rules=self.rules, faults=self.faults)
        name, _, rest = route
        return {
            ("GET", "manifests"): lambda: manifests.get(call, name, rest),
            ("HEAD", "manifests"): lambda: manifests.get(call, name, rest),
            ("PUT", "manifests"): lambda: manifests.put(call, name, rest),
            ("DELETE", "manifests"): lambda: manifests.delete(name, rest),
            ("GET", "tags"): lambda: manifests.tags(call, name),
            ("GET", "referrers"): lambda: manifests.referrers(call, name, rest),
        }


def _answer_base(call: Call) -> Answer:
    if call.path != "/v2/":
        return error(404, "NOT_FOUND", "404 page not found")
    headers = {
        "Docker-Distribution-Api-Version": "registry/2.0",
        "Content-Type": "application/json",
    }
    return Answer(200, headers, b"{}")
