"""Files on servers and in buckets are streamed: none on disk, none short, none mixed up."""

from __future__ import annotations

import contextlib
import tempfile
from typing import TYPE_CHECKING

import kitline
import kitline_mlflow
import mlflow
import pytest
from harness.places.azure import serve_blobs, serve_data_lake
from harness.places.ftp import serve_ftp
from harness.places.google import serve_google
from harness.places.hdfs import show_hdfs
from harness.places.s3 import serve_s3
from harness.places.sftp import serve_sftp
from kitline.errors import SourceError
from kitline_mlflow.files import open_files
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.store.artifact.optimized_s3_artifact_repo import OptimizedS3ArtifactRepository

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harness.places import Place
    from kitline.plugin import Entry

    from conftest import Tracked

pytestmark = [
    # Google's client warns of what only its other transport needs
    pytest.mark.filterwarnings("ignore:Please install grpcio-status:ImportWarning"),
    # pysftp's
    pytest.mark.filterwarnings("ignore:TripleDES has been moved"),
]

WEIGHTS = bytes(range(256)) * 36_864
"""9 MiB, more than is asked for at once anywhere."""
SAID = f"with {len(WEIGHTS)} bytes and sent"
CODE = b"a = 1\n"
KINDS = ["s3", "google", "azure blob", "azure data lake", "sftp", "ftp", "hdfs"]
CLOUDS = ["google", "azure blob", "azure data lake"]
PATIENT_KINDS = [
    pytest.param(each, marks=pytest.mark.slow) if each in CLOUDS else each for each in KINDS
]
"""These clouds' clients wait for seconds before they try again."""


@pytest.fixture(scope="module", name="moto")
def _moto() -> Iterator[int]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield server.get_host_and_port()[1]
    server.stop()


@pytest.fixture(name="place", params=KINDS)
def _place(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    isolated_home: Path,
) -> Iterator[Place]:
    """Return a place with a model in it."""
    folder = tmp_path / "served"
    folder.mkdir()
    with contextlib.ExitStack() as stack:
        place: Place
        match request.param:
            case "s3":
                moto = request.getfixturevalue("moto")
                place = stack.enter_context(serve_s3(moto, monkeypatch))
            case "google":
                place = stack.enter_context(serve_google(monkeypatch))
            case "azure blob":
                place = stack.enter_context(serve_blobs(monkeypatch))
            case "azure data lake":
                place = stack.enter_context(serve_data_lake(monkeypatch))
            case "sftp":
                place = stack.enter_context(serve_sftp(folder, isolated_home))
            case "ftp":
                place = stack.enter_context(serve_ftp(folder))
            case _:
                place = show_hdfs(folder, monkeypatch)
        place.put("weights.bin", WEIGHTS)
        place.put("code/ä b#%.py", CODE)
        place.put("empty", b"")
        yield place


def entries(uri: str) -> dict[str, Entry]:
    files, warnings = open_files(get_artifact_repository(uri))
    assert warnings == ()
    return {each.path: each for each in files}


def weights(place: Place) -> Entry:
    found = entries(place.uri)["model/weights.bin"]
    place.asked = 0
    return found


def read(entry: Entry, offset: int = 0, after: Callable[[], None] = lambda: None) -> bytes:
    """Read as a layer does: as much as was listed, and not once more."""
    assert entry.open
    assert entry.size is not None
    found = bytearray()
    buffer = memoryview(bytearray(1 << 16))
    with entry.open(offset) as stream:
        after()
        while left := entry.size - offset - len(found):
            count = stream.readinto(buffer[: min(left, len(buffer))])
            assert count
            found += buffer[:count]
        assert stream.readinto(buffer) == 0
    return bytes(found)


@pytest.fixture(name="no_disk")
def _no_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let temporary files be seen."""
    empty = tmp_path / "temporary"
    empty.mkdir()
    monkeypatch.setenv("TMPDIR", str(empty))
    monkeypatch.setattr(tempfile, "tempdir", None)  # asks the environment again
    return empty


def test_files_are_streamed_and_no_byte_touches_the_disk(place: Place, no_disk: Path) -> None:
    found = entries(place.uri)
    assert {path: each.size for path, each in found.items()} == {
        "model/weights.bin": len(WEIGHTS),
        "model/code/ä b#%.py": len(CODE),
        "model/empty": 0,
    }

    def look() -> None:
        assert list(no_disk.iterdir()) == []

    assert read(found["model/weights.bin"], after=look) == WEIGHTS
    assert read(found["model/code/ä b#%.py"]) == CODE
    assert read(found["model/empty"]) == b""
    assert read(found["model/weights.bin"], 300_000) == WEIGHTS[300_000:]
    assert read(found["model/weights.bin"], len(WEIGHTS)) == b""
    look()


@pytest.mark.parametrize("place", PATIENT_KINDS, indirect=True)
def test_a_broken_line_goes_on_where_it_stood(place: Place) -> None:
    entry = weights(place)
    place.cut(1_000_000, 6_000_000)
    assert read(entry) == WEIGHTS
    assert place.asked >= 3


@pytest.mark.parametrize("place", ["s3", "sftp", "ftp", "hdfs"], indirect=True)
def test_a_line_that_always_breaks_is_an_error(place: Place) -> None:
    entry = weights(place)
    place.cut(1_000_000, 5_000, 5_000, 5_000, 5_000)
    with pytest.raises(SourceError, match=SAID + " only [0-9]+"):
        read(entry)


def test_a_file_that_changes_while_it_is_read_is_refused(place: Place) -> None:
    entry = weights(place)
    place.cut(1_000_000)
    with pytest.raises(SourceError, match=r"'weights.bin' at '.*/1/model': it changed") as error:
        read(entry, after=lambda: place.put("weights.bin", WEIGHTS[::-1]))
    assert "to-be-hidden" not in str(error.value)


@pytest.mark.parametrize("place", ["sftp", "ftp"], indirect=True)
def test_a_file_that_is_written_to_while_it_is_read_is_refused(place: Place) -> None:
    entry = weights(place)
    with pytest.raises(SourceError, match=r"'weights.bin' at '.*/1/model': it changed"):
        read(entry, after=lambda: place.put("weights.bin", WEIGHTS[::-1]))


@pytest.mark.parametrize(
    ("now", "said"),
    [(WEIGHTS[:-1], f"{SAID} only {len(WEIGHTS) - 1}|it changed"), (WEIGHTS + b"x", SAID)],
)
def test_a_file_of_another_size_than_listed_is_refused(place: Place, now: bytes, said: str) -> None:
    entry = weights(place)
    place.put("weights.bin", now)
    with pytest.raises(SourceError, match=said):
        read(entry)


def test_a_file_that_is_gone_is_named_without_a_traceback(place: Place) -> None:
    entry = weights(place)
    place.delete("weights.bin")
    with pytest.raises(SourceError, match=r"cannot read 'weights.bin' at '.*/1/model': ") as error:
        read(entry)
    assert "to-be-hidden" not in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("place", ["s3"], indirect=True)
def test_what_is_no_folder_is_named(place: Place) -> None:
    assert place
    with pytest.raises(
        SourceError, match=r"cannot list 's3://nobodys/model': .*bucket does not exist"
    ):
        entries("s3://nobodys/model")


@pytest.mark.parametrize("place", ["s3"], indirect=True)
def test_kin_of_s3_are_streamed_too(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    # what R2 and B2 are made of; their own addresses are at Cloudflare and Backblaze
    repository = OptimizedS3ArtifactRepository(place.uri, addressing_style="path")
    files, warnings = open_files(repository)
    assert warnings == ()
    (entry,) = (each for each in files if each.path == "model/weights.bin")
    place.cut(1_000_000)
    assert read(entry) == WEIGHTS


@pytest.mark.slow
@pytest.mark.parametrize("place", ["s3", "sftp", "ftp"], indirect=True)
def test_a_model_logged_there_is_one_kit_with_what_is_imported_from_there(
    place: Place, no_disk: Path, tracked: Tracked
) -> None:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    mlflow.set_tracking_uri(tracked.uri)
    experiment = mlflow.create_experiment("elsewhere", artifact_location=f"{place.uri}/logged")
    with mlflow.start_run(experiment_id=experiment) as run:
        info = kitline_mlflow.log_model(model, name="m", pip_requirements=["scikit-learn"])
    place.asked = 0
    made = kitline.import_(f"runs:/{run.info.run_id}", "again:v1", options={"again": "true"})
    assert made.digest == info.digest
    assert made.warnings == ()
    assert place.asked > 3
    assert [each.name for each in no_disk.iterdir() if each.name.startswith("kitline")] == []


@pytest.mark.parametrize("place", ["sftp", "ftp", "hdfs"], indirect=True)
def test_a_line_that_breaks_at_the_very_end_hides_no_change(place: Place) -> None:
    entry = weights(place)
    place.cut(len(WEIGHTS))
    assert read(entry) == WEIGHTS
    place.put("weights.bin", WEIGHTS[::-1])
    place.cut(len(WEIGHTS))
    with pytest.raises(SourceError, match="it changed"):
        read(entry, after=lambda: place.put("weights.bin", WEIGHTS))
