"""What Google's client asks of Cloud Storage: the JSON API's list, get and ranges of media."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

from harness.places.web import WebHandler, WebPlace

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


@contextlib.contextmanager
def serve_google(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebPlace]:
    """Serve the bucket `runs`."""
    with WebPlace("gs://runs/1/model", _Handler) as place:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", place.address)
        yield place


class _Handler(WebHandler):
    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        _, found, name = parts.path.partition("/b/runs/o")
        name = unquote(name.lstrip("/"))
        if found and not name:
            self._list(query["prefix"])
        elif not self._is_there(name, query.get("generation")):
            self.send(404, {}, b"{}")
        elif query.get("alt") == "media":
            self.send_range(self.server.objects[name], self.headers["Range"], {})
        else:
            self.send(200, {}, json.dumps(self._row(name)).encode())

    def _is_there(self, name: str, generation: str | None) -> bool:
        return name in self.server.objects and generation in (
            None,
            str(self.server.versions[name]),
        )

    def _row(self, name: str) -> dict[str, str]:
        size = str(len(self.server.objects[name]))
        return {"name": name, "size": size, "generation": str(self.server.versions[name])}

    def _list(self, prefix: str) -> None:
        files, folders = self.server.list(prefix)
        found = {"items": [self._row(each) for each in files], "prefixes": folders}
        self.send(200, {}, json.dumps(found).encode())
