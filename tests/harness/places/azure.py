"""What Azure's clients ask of Blob Storage and of Data Lake Storage: lists, and ranges of blobs."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from harness.places.web import WebHandler, WebPlace

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

_TIME = "Sun, 22 Nov 2026 08:00:00 GMT"
_SAS = "sv=2024-05-04&sig=to-be-hidden"


@contextlib.contextmanager
def serve_blobs(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebPlace]:
    """Serve the container `runs` as Blob Storage."""
    with WebPlace("wasbs://runs@team.blob.core.windows.net/1/model", _Handler) as place:
        said = f"BlobEndpoint={place.address}/team;SharedAccessSignature={_SAS}"
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", said)
        yield place


@contextlib.contextmanager
def serve_data_lake(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebPlace]:
    """Serve the file system `runs` as Data Lake Storage."""
    from azure.storage.filedatalake import DataLakeServiceClient

    def here(account_url: str, credential: Any) -> DataLakeServiceClient:
        at_azure = "https://team.dfs.core.windows.net"
        assert account_url.startswith(at_azure)
        address = account_url.replace(at_azure, f"{place.address}/team")
        return DataLakeServiceClient(address, credential)

    module = "mlflow.store.artifact.azure_data_lake_artifact_repo"
    monkeypatch.setattr(f"{module}._get_data_lake_client", here)
    monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", _SAS)
    with WebPlace("abfss://runs@team.dfs.core.windows.net/1/model", _Handler) as place:
        yield place


class _Handler(WebHandler):
    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        name = unquote(parts.path.removeprefix("/team/runs").removeprefix("/"))
        if query.get("sig") != "to-be-hidden":
            self._refuse(403, "AuthenticationFailed")
        elif query.get("comp") == "list":
            self._list_blobs(query["prefix"])
        elif query.get("resource") == "filesystem":
            self._list_paths(query["directory"].rstrip("/") + "/")
        elif name not in self.server.objects:
            self._refuse(404, "BlobNotFound")
        else:
            self._blob(name)

    def _blob(self, name: str) -> None:
        version = f'"{self.server.versions[name]}"'
        if self.headers.get("If-Match", version) != version:
            self._refuse(412, "ConditionNotMet")
            return
        asked = self.headers.get("x-ms-range") or self.headers["Range"]
        headers = {"ETag": version, "Last-Modified": _TIME, "x-ms-blob-type": "BlockBlob"}
        self.send_range(self.server.objects[name], asked, headers)

    def _list_blobs(self, prefix: str) -> None:
        files, folders = self.server.list(prefix)
        rows = [f"<BlobPrefix><Name>{escape(each)}</Name></BlobPrefix>" for each in folders]
        rows += [
            f"<Blob><Name>{escape(each)}</Name><Properties><Last-Modified>{_TIME}</Last-Modified>"
            f"<Etag>{self.server.versions[each]}</Etag><BlobType>BlockBlob</BlobType>"
            f"<Content-Length>{len(self.server.objects[each])}</Content-Length></Properties></Blob>"
            for each in files
        ]
        found = f"<Blobs>{''.join(rows)}</Blobs><NextMarker/>"
        body = f"<EnumerationResults>{found}</EnumerationResults>"
        self.send(200, {"Content-Type": "application/xml"}, body.encode())

    def _list_paths(self, prefix: str) -> None:
        files, folders = self.server.list(prefix)
        rows: list[dict[str, str]] = [
            {"name": each.rstrip("/"), "isDirectory": "true", "contentLength": "0"}
            for each in folders
        ]
        rows += [
            {"name": each, "contentLength": str(len(self.server.objects[each]))} for each in files
        ]
        headers = {"Content-Type": "application/json"}
        self.send(200, headers, json.dumps({"paths": rows}).encode())

    def _refuse(self, status: int, code: str) -> None:
        said = f"<Code>{code}</Code><Message>{code}, it says here\nRequestId:1</Message>"
        body = f"<Error>{said}</Error>"
        headers = {"x-ms-error-code": code, "Content-Type": "application/xml"}
        self.send(status, headers, body.encode())
