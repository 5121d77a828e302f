"""Data that is in no cache: streamed from a folder, from S3, and from S3 with versions."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from kitline.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from conftest import DvcRepository, Importing


@pytest.fixture(scope="module", name="s3")
def _s3() -> Iterator[str]:
    """Return the address of an S3 server on loopback."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "moto-secret")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(name="bucket")
def _bucket(s3: str, request: pytest.FixtureRequest) -> Callable[..., str]:
    """Make buckets, with versions if asked for."""
    import boto3

    def make(*, versioned: bool = False) -> str:
        name = f"bucket-{abs(hash(request.node.name)) % 10**12}-{int(versioned)}"
        client = boto3.client("s3", endpoint_url=s3)
        client.create_bucket(Bucket=name)
        if versioned:
            client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        return name

    return make


def to_s3(repository: DvcRepository, s3: str, bucket: str, **more: object) -> None:
    (repository.root / ".dvc/config.local").unlink(missing_ok=True)
    repository.configure(
        "remote", {"r": {"url": f"s3://{bucket}/store", "endpointurl": s3, **more}}
    )
    repository.commit("remote")
    repository.push(all_commits=False)


def files_below(repository: DvcRepository) -> set[str]:
    return {str(path) for path in repository.root.rglob("*") if ".git" not in path.parts}


def test_a_bare_clone_with_the_data_only_in_the_remote(
    repository: DvcRepository, importing: Importing
) -> None:
    expected = importing.digest("dvc:data/train@v1", repo=str(repository.root))
    repository.drop_cache()
    bare = repository.root.parent / "bare.git"
    repository.git("clone", "-q", "--bare", str(repository.root), str(bare))
    assert importing.digest(f"dvc+file://{bare}?path=data/train&rev=v1") == expected
    before = files_below(repository)
    assert importing.digest("dvc:data/train@v1", repo=str(repository.root)) == expected
    assert files_below(repository) == before


def test_another_remote_by_name(repository: DvcRepository, importing: Importing) -> None:
    other = repository.root.parent / "other"
    shutil.move(repository.remote, other)
    repository.configure("remote", {"spare": {"url": str(other)}})
    repository.drop_cache()
    place = str(repository.root)
    with pytest.raises(SourceError, match="nor in the remote 'r'"):
        importing.read("dvc:data/train@v1", repo=place)
    assert importing.read("dvc:data/train@v1", repo=place, remote="spare")
    with pytest.raises(SourceError, match="remote 'none' doesn't exist"):
        importing.read("dvc:data/train@v1", repo=place, remote="none")


def test_the_cache_is_filled_when_asked(repository: DvcRepository, importing: Importing) -> None:
    place = str(repository.root)
    expected = importing.digest("dvc:data/train@v1", repo=place)
    repository.drop_cache()
    assert importing.digest("dvc:data/train@v1", repo=place, fill_cache="true") == expected
    shutil.rmtree(repository.remote)
    assert importing.digest("dvc:data/train@v1", repo=place) == expected


@pytest.mark.slow  # a server of S3, and boto3
def test_objects_of_s3_are_streamed_without_cache_and_disk(
    repository: DvcRepository, importing: Importing, s3: str, bucket: Callable[..., str]
) -> None:
    place = str(repository.root)
    expected = importing.digest("dvc:data/train@v1", repo=place)
    single = importing.digest("dvc:data/labels.csv", repo=place)
    to_s3(repository, s3, bucket())
    repository.drop_cache()
    before = files_below(repository)
    assert importing.digest("dvc:data/train@HEAD", repo=place) == expected
    assert importing.digest("dvc:data/labels.csv", repo=place) == single
    assert files_below(repository) == before


@pytest.mark.slow
def test_a_damaged_object_of_s3_is_found_while_it_streams(
    repository: DvcRepository, importing: Importing, s3: str, bucket: Callable[..., str]
) -> None:
    import boto3

    name = bucket()
    to_s3(repository, s3, name)
    repository.drop_cache()
    client = boto3.client("s3", endpoint_url=s3)
    (found,) = [
        each["Key"]
        for each in client.list_objects_v2(Bucket=name)["Contents"]
        if each["Size"] == len(repository.train["c.bin"])
    ]
    client.put_object(Bucket=name, Key=found, Body=b"x" * len(repository.train["c.bin"]))
    with pytest.raises(SourceError, match=r"'data/train/c\.bin' is damaged: it has md5"):
        importing.pack("dvc:data/train@HEAD", repo=str(repository.root))
    client.delete_object(Bucket=name, Key=found)
    with pytest.raises(SourceError, match=r"'data/train/c\.bin' \(md5 .*\) is neither in"):
        importing.collect("dvc:data/train@HEAD", repo=str(repository.root))


@pytest.mark.slow  # a server of S3, and boto3
def test_a_server_that_does_not_answer_is_named_without_secrets(
    repository: DvcRepository, importing: Importing, s3: str
) -> None:
    (repository.root / ".dvc/config.local").unlink()
    repository.configure(
        "remote",
        {"r": {"url": "s3://nothing/here", "endpointurl": s3, "secret_access_key": "hidden"}},
    )
    repository.commit("elsewhere")
    repository.drop_cache()
    with pytest.raises(SourceError) as caught:
        importing.collect("dvc:data/train@HEAD", repo=str(repository.root))
    assert "hidden" not in str(caught.value)
    assert "'r'" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "outs:\n- {path: key, hash: md5, size: 6, version_id: x}\n",
        "outs:\n- {path: key, hash: md5, files: [{relpath: inner, size: 6}]}\n",
    ],
)
def test_a_repository_cannot_have_files_of_this_machine_packed(
    repository: DvcRepository, importing: Importing, tmp_path: Path, text: str
) -> None:
    outside = tmp_path / "outside"
    (outside / "key").mkdir(parents=True)
    (outside / "key/inner").write_bytes(b"secret")
    (repository.root / ".dvc/config.local").unlink()
    repository.configure("remote", {"r": {"url": str(outside), "version_aware": True}})
    repository.write("key.dvc", text.encode())
    repository.commit("hostile")
    bare = tmp_path / "bare.git"
    repository.git("clone", "-q", "--bare", str(repository.root), str(bare))
    with pytest.raises(SourceError, match="is neither in a cache"):
        importing.collect(f"dvc+file://{bare}?path=key")


@pytest.mark.slow
def test_a_version_aware_remote_keeps_old_versions(
    repository: DvcRepository, importing: Importing, s3: str, bucket: Callable[..., str]
) -> None:
    place = str(repository.root)
    expected = importing.read("dvc:data/train@v1", repo=place)
    to_s3(repository, s3, bucket(versioned=True), version_aware=True)
    first = repository.commit("versions")
    repository.write("data/train/a.csv", b"newer\n")
    repository.add("data/train")
    repository.commit("newer data")
    repository.push(all_commits=False)
    repository.commit("newer versions")
    repository.drop_cache()
    before = files_below(repository)
    assert importing.read(f"dvc:data/train@{first}", repo=place) == expected
    assert importing.read("dvc:data/labels.csv@HEAD", repo=place) == {
        "data/labels.csv": repository.single + b"1\n"
    }
    newer = importing.read("dvc:data/train@HEAD", repo=place)
    assert newer == {**expected, "data/train/a.csv": b"newer\n"}
    assert files_below(repository) == before


@pytest.mark.slow
def test_many_objects_and_large_ones_arrive_in_order(
    repository: DvcRepository, importing: Importing, s3: str, bucket: Callable[..., str]
) -> None:
    place = str(repository.root)
    large = bytes(range(251)) * ((9 << 20) // 251)
    repository.write("data/many", {f"{n:03}": b"%d" % n * n for n in range(100)} | {"l": large})
    repository.add("data/many")
    repository.commit("many")
    expected = importing.digest("dvc:data/many", repo=place)
    to_s3(repository, s3, bucket())
    repository.drop_cache()
    assert importing.digest("dvc:data/many@HEAD", repo=place) == expected
    tree = importing.collect("dvc:data/many@HEAD", repo=place).tree
    (entry,) = [each for each in tree.entries() if each.path == "data/many/l"]
    assert entry.open is not None
    with entry.open(5 << 20) as stream:
        buffer = bytearray(1000)
        stream.readinto(memoryview(buffer))
    assert buffer == large[5 << 20 : (5 << 20) + 1000]
