"""Data that a kit only names comes from S3, many files at once, and each is checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import kitline
import pytest
from kitline.errors import SourceError
from kitline.testing.trees import read_tree
from kitline_dvc.fetch import fetch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import DvcRepository

pytestmark = pytest.mark.slow
BUCKET = "by-reference"


@pytest.fixture(name="s3")
def _s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the address of an S3 server on loopback."""
    import boto3
    from moto.server import ThreadedMotoServer

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "moto-secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    boto3.client("s3", endpoint_url=f"http://{host}:{port}").create_bucket(Bucket=BUCKET)
    yield f"http://{host}:{port}"
    server.stop()


def test_files_come_from_s3_and_a_damaged_one_keeps_all_of_them_away(
    repository: DvcRepository, s3: str, tmp_path: Path
) -> None:
    import boto3

    (repository.root / ".dvc/config.local").unlink()
    repository.configure("remote", {"r": {"url": f"s3://{BUCKET}/store", "endpointurl": s3}})
    repository.write("many", {f"{number:03}.txt": b"%d" % number for number in range(200)})
    repository.add("many")
    repository.commit("many", "v3")
    repository.push()
    place = {"repo": str(repository.root), "data": "reference"}
    reference = str(kitline.import_("dvc:many@v3", "team/many:v3", options=place).reference)
    repository.drop_cache()

    result = fetch(reference, tmp_path / "out", repo=repository.root)

    assert (result.files, result.fetched) == (200, 200)
    assert read_tree(tmp_path / "out/many") == read_tree(repository.root / "many")
    client = boto3.client("s3", endpoint_url=s3)
    md5 = "202cb962ac59075b964b07152d234b70"  # of b"123"
    client.put_object(Bucket=BUCKET, Key=f"store/files/md5/{md5[:2]}/{md5[2:]}", Body=b"124")
    with pytest.raises(SourceError, match=r"'many/123\.txt' is damaged: it has md5"):
        fetch(reference, tmp_path / "other", repo=repository.root)
    assert not (tmp_path / "other").exists()
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".kitline")] == []
