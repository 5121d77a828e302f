from __future__ import annotations

import gzip
import io
import json
import os
import stat
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zstandard
from kitline.errors import Cancelled, DigestMismatch, SizeMismatch, UnsafeLayer
from kitline.kit.extract import ExtractedLayer, extract_raw, extract_tar
from kitline.kit.layer_kind import layer_kind
from kitline.kit.limits import DEFAULT_LIMITS, Limits
from kitline.kit.staging import Staging
from kitline.oci import media_types
from kitline.oci.descriptor import Descriptor
from kitline.oci.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Iterator

VECTORS = Path(
    os.environ.get("KITLINE_VECTORS") or Path(__file__).parents[3].parent / "shared" / "vectors"
)
TAR = "application/vnd.kitops.modelkit.model.v1.tar"
RAW = "application/vnd.kitops.modelkit.model.v1.raw"


def describe(data: bytes, media_type: str = TAR, **annotations: str) -> Descriptor:
    return Descriptor(
        media_type=media_type, digest=Digest.of(data), size=len(data), annotations=annotations
    )


def member(
    name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, mode: int = 0o644, **more: str
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.mode = len(content), kind, mode
    info.linkname = more.get("linkname", "")
    return info, content


def folder(name: str, mode: int = 0o755) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, kind=tarfile.DIRTYPE, mode=mode)


def make_tar(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def unpack(
    data: bytes, target: Path, compression: str = "", limits: Limits = DEFAULT_LIMITS
) -> ExtractedLayer:
    with Staging(target, durable=False, limits=limits) as staging:
        found = extract_tar(
            io.BytesIO(data), staging, describe(data), compression=compression, what="layer 'm'"
        )
        staging.commit()
    return found


def tree_of(root: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(root)): None if path.is_dir() else path.read_bytes()
        for path in sorted(root.rglob("*"))
    }


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Path]:
    before = os.umask(0o022)
    (tmp_path / "beside").write_bytes(b"untouched")
    yield tmp_path / "out"
    os.umask(before)
    assert (tmp_path / "beside").read_bytes() == b"untouched"
    assert {each.name for each in tmp_path.iterdir()} <= {"beside", "out"}


def test_files_and_folders_come_out_as_they_went_in(target: Path) -> None:
    data = make_tar(folder("d"), member("d/a", b"hello"), member("e", b""), folder("empty"))
    found = unpack(data, target)
    assert tree_of(target) == {"d": None, "d/a": b"hello", "e": b"", "empty": None}
    assert found == ExtractedLayer(diff_id=Digest.of(data), size=len(data))


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_names_of_either_kind_are_read(target: Path, form: int) -> None:
    name = "é" * 60 + "/" + "n" * 200
    unpack(make_tar(member(name, b"x"), form=form), target)
    assert (target / name).read_bytes() == b"x"


@pytest.mark.parametrize("name", ["./a/b", "a//b", "a/./b"])
def test_odd_spellings_and_missing_folders_are_accepted(target: Path, name: str) -> None:
    unpack(make_tar(member(name, b"x")), target)
    assert tree_of(target) == {"a": None, "a/b": b"x"}


def test_a_folder_may_end_with_a_slash_and_come_late(target: Path) -> None:
    unpack(make_tar(member("d/a", b"x"), folder("d/", mode=0o700)), target)
    assert stat.S_IMODE((target / "d").stat().st_mode) == 0o700


def test_content_larger_than_the_buffers_comes_out_whole(target: Path) -> None:
    content = bytes(range(256)) * (9 * 4096 + 1) + b"odd"
    unpack(make_tar(member("small", b"s"), member("w.bin", content), member("z", b"z")), target)
    assert (target / "w.bin").read_bytes() == content
    assert (target / "z").read_bytes() == b"z"


def test_modes_lose_set_id_bits_and_obey_the_umask(target: Path) -> None:
    data = make_tar(
        folder("ro", 0o555), member("ro/x", b"x", mode=0o6777), member("a", mode=0o600),
        folder("sticky", 0o1777),
    )  # fmt: skip
    unpack(data, target)
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in target.rglob("*")}
    assert modes == {"ro": 0o555, "x": 0o755, "a": 0o600, "sticky": 0o1755}
    assert stat.S_IMODE(target.stat().st_mode) == 0o755
    (target / "ro").chmod(0o755)


@pytest.mark.parametrize("cut", [512, 1024, 1024 + 100])
def test_a_tar_without_end_or_last_padding_is_accepted(target: Path, cut: int) -> None:
    data = make_tar(member("a", b"x" * 300))[:1024] + bytes(1024)
    unpack(data[: len(data) - cut], target)
    assert tree_of(target) == {"a": b"x" * 300}


HOSTILE = [
    ([member("../x", b"x")], "refused the entry '../x': the path holds '..'"),
    ([member("d/../../x", b"x")], "refused the entry 'd/../../x': the path holds '..'"),
    ([member("/etc/x", b"x")], "refused the entry '/etc/x': the path is absolute"),
    (
        [member("a", kind=tarfile.SYMTYPE, linkname="../beside")],
        "refused the entry 'a': it is a link",
    ),
    (
        [member("a", kind=tarfile.LNKTYPE, linkname="../beside")],
        "refused the entry 'a': it is a hard link",
    ),
    ([member("a", kind=tarfile.CHRTYPE)], "refused the entry 'a': it is a device"),
    ([member("a", kind=tarfile.BLKTYPE)], "refused the entry 'a': it is a device"),
    ([member("a", kind=tarfile.FIFOTYPE)], "refused the entry 'a': it is a named pipe"),
    ([member("a", kind=b"V")], "refused the entry 'a': its type 'V' is not known"),
    ([member("a", b"1"), member("a", b"2")], "cannot unpack 'a': the kit holds it twice"),
    ([member("a", b"1"), member("./a", b"2")], "cannot unpack 'a': the kit holds it twice"),
    ([member("a", b"1"), member("a/b", b"2")], "'a': the kit holds a file and a folder"),
    ([folder("a"), member("a", b"2")], "cannot unpack 'a': the kit holds it twice"),
    ([member(".", b"2")], "refused the entry '.': a file has no name"),
    ([member("d/" * 300 + "a")], "it lies more than 256 folders deep"),
    ([member(("n" * 200 + "/") * 21 + "a")], "the path is longer than 4096 bytes"),
]


@pytest.mark.parametrize(("members", "message"), HOSTILE)
def test_what_could_do_harm_is_refused_by_name(
    target: Path, members: list[tuple[tarfile.TarInfo, bytes]], message: str
) -> None:
    with pytest.raises(UnsafeLayer) as caught:
        unpack(make_tar(member("first", b"x"), *members), target)
    assert message in str(caught.value)
    assert str(caught.value).endswith("; nothing was kept")
    assert not target.exists()


def test_a_pax_global_header_is_refused(target: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", pax_headers={"comment": "x"}) as tar:
        tar.addfile(tarfile.TarInfo("a"))
    with pytest.raises(UnsafeLayer, match="it is a PAX global header; nothing was kept"):
        unpack(out.getvalue(), target)
    assert not target.exists()


def test_a_pax_path_that_leads_outside_is_refused(target: Path) -> None:
    info, _ = member("harmless")
    info.pax_headers = {"path": "../x"}
    with pytest.raises(UnsafeLayer, match=r"refused the entry '../x': the path holds '..'"):
        unpack(make_tar((info, b"")), target)


def test_a_sparse_file_is_refused(target: Path) -> None:
    info, _ = member("a")
    info.pax_headers = {"GNU.sparse.major": "1"}
    with pytest.raises(UnsafeLayer, match="layer 'm': the tar holds a sparse file"):
        unpack(make_tar((info, b"")), target)


def test_a_file_that_claims_more_than_the_layer_has_is_refused(target: Path) -> None:
    info, _ = member("a")
    info.size = 1 << 40
    with pytest.raises(UnsafeLayer, match="it claims 1099511627776 bytes where the layer has 1024"):
        unpack(info.tobuf(tarfile.PAX_FORMAT) + bytes(1024), target)


def test_bytes_behind_the_end_are_refused(target: Path) -> None:
    data = make_tar(member("a", b"x")) + make_tar(member("b", b"y"))
    with pytest.raises(UnsafeLayer, match="layer 'm': other bytes follow the end of the tar"):
        unpack(data, target)
    assert not target.exists()


def test_a_tar_that_is_cut_is_refused(target: Path) -> None:
    data = make_tar(member("a", b"x" * 5000))[:4000]
    with pytest.raises(UnsafeLayer, match="it claims 5000 bytes where the layer has 3488"):
        unpack(data, target)
    packed = gzip.compress(data)
    with pytest.raises(UnsafeLayer, match="the tar ends 1512 bytes before its last file does"):
        unpack(packed, target, "gzip")
    assert not target.exists()


def test_something_else_than_a_tar_is_refused(target: Path) -> None:
    with pytest.raises(UnsafeLayer, match="a header has a wrong checksum: this is no tar"):
        unpack(b"GGUF" * 1000, target)


def test_too_many_entries_are_refused(target: Path) -> None:
    data = make_tar(*(member(str(number)) for number in range(11)))
    with pytest.raises(UnsafeLayer, match="'10': the kit holds more than 10 files and folders"):
        unpack(data, target, limits=Limits(entries=10))
    deep = make_tar(*(member("/".join("abcdefgh") + str(number)) for number in range(3)))
    with pytest.raises(UnsafeLayer, match="the kit holds more than 9 files and folders"):
        unpack(deep, target, limits=Limits(entries=9))
    assert not target.exists()


def test_a_tar_bomb_is_refused(target: Path) -> None:
    data = gzip.compress(make_tar(member("zeros", bytes(8 << 20))), 9)
    with pytest.raises(UnsafeLayer, match="it grows to more than 1048576 bytes when decompressed"):
        unpack(data, target, "gzip", Limits(ratio=100))
    with pytest.raises(UnsafeLayer, match="it grows to more than 5000000 bytes"):
        unpack(data, target, "gzip", Limits(unpacked_bytes=5_000_000))
    assert not target.exists()


def test_other_bytes_than_promised_are_refused(target: Path) -> None:
    data = make_tar(member("a", b"hello"))
    wrong = data.replace(b"hello", b"jello")
    with (
        pytest.raises(DigestMismatch, match=r"layer 'm': expected digest sha256:\w+, found"),
        Staging(target, durable=False) as staging,
    ):
        extract_tar(io.BytesIO(wrong), staging, describe(data), what="layer 'm'")
    assert not target.exists()


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("change", [-512, 512])
def test_more_or_fewer_bytes_than_promised_are_refused(
    target: Path, change: int, large: bool
) -> None:
    data = make_tar(member("a", b"hello" * (500_000 if large else 1)))
    sent = (data + bytes(512))[: len(data) + change]
    with pytest.raises(SizeMismatch), Staging(target, durable=False) as staging:
        extract_tar(io.BytesIO(sent), staging, describe(data))
    assert not target.exists()


def test_a_wrong_diff_id_is_refused(target: Path) -> None:
    data = make_tar(member("a", b"x"))
    packed = gzip.compress(data)
    with (
        pytest.raises(DigestMismatch, match="layer 'm', uncompressed: expected"),
        Staging(target, durable=False) as staging,
    ):
        extract_tar(
            io.BytesIO(packed),
            staging,
            describe(packed),
            compression="gzip",
            diff_id=Digest.of(b"other"),
            what="layer 'm'",
        )


def compress(data: bytes, compression: str) -> bytes:
    return gzip.compress(data) if compression == "gzip" else zstandard.compress(data)


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_compressed_layers_are_read_with_all_their_members(target: Path, compression: str) -> None:
    data = make_tar(member("a", os.urandom(3 << 20)), member("b", bytes(1 << 20)))
    half = len(data) // 2
    packed = compress(data[:half], compression) + compress(data[half:], compression)
    found = unpack(packed, target, compression)
    assert found == ExtractedLayer(diff_id=Digest.of(data), size=len(data))
    assert sorted(tree_of(target)) == ["a", "b"]


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_another_compression_than_the_media_type_says_is_refused(
    target: Path, compression: str
) -> None:
    data = make_tar(member("a", b"x"))
    with pytest.raises(UnsafeLayer, match=f"its media type says {compression}, and it is not"):
        unpack(data, target, compression)
    message = f"the layer is compressed with {compression}, its media type says not"
    with pytest.raises(UnsafeLayer, match=message):
        unpack(compress(data, compression) + bytes(1024), target)


def test_gzip_data_that_is_cut_is_refused(target: Path) -> None:
    packed = gzip.compress(make_tar(member("a", os.urandom(5000))))[:-100]
    with pytest.raises(UnsafeLayer, match="layer 'm': the gzip data is cut"):
        unpack(packed, target, "gzip")


@pytest.mark.parametrize("size", [0, 3, 9 << 20])
@pytest.mark.parametrize("key", [media_types.FILEPATH, media_types.OLD_FILEPATH])
def test_a_raw_layer_goes_where_its_annotation_says(target: Path, size: int, key: str) -> None:
    data = os.urandom(size)
    metadata = json.dumps({"name": "m.bin", "mode": 0o4755})
    notes = {key: "d/./m.bin", media_types.FILE_METADATA: metadata}
    with Staging(target, durable=False) as staging:
        extract_raw(io.BytesIO(data), staging, describe(data, RAW, **notes))
        staging.commit()
    assert tree_of(target) == {"d": None, "d/m.bin": data}
    assert stat.S_IMODE((target / "d" / "m.bin").stat().st_mode) == 0o755


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("../../x", r"layer 'm': refused the entry '../../x': the path holds '..'"),
        ("/x", "refused the entry '/x': the path is absolute"),
        (".", "layer 'm': '.' is a folder, and a raw layer is one file"),
        ("", "layer 'm': a raw layer, and no annotation names its file"),
        ("a\0b", "the path holds a NUL"),
    ],
)
def test_a_raw_layer_that_leads_outside_is_refused(target: Path, path: str, message: str) -> None:
    descriptor = describe(b"x", RAW, **{media_types.FILEPATH: path})
    with pytest.raises(UnsafeLayer, match=message), Staging(target, durable=False) as staging:
        extract_raw(io.BytesIO(b"x"), staging, descriptor, what="layer 'm'")
    assert not target.exists()


@pytest.mark.parametrize("metadata", ["", "no json", "[]", '{"mode": "x"}', '{"mode": -1}'])
def test_a_raw_layer_without_usable_metadata_gets_0644(target: Path, metadata: str) -> None:
    notes = {media_types.FILEPATH: "a", media_types.OLD_FILE_METADATA: metadata}
    with Staging(target, durable=False) as staging:
        extract_raw(io.BytesIO(b"x"), staging, describe(b"x", RAW, **notes))
        staging.commit()
    assert stat.S_IMODE((target / "a").stat().st_mode) == 0o644


def test_a_raw_layer_of_another_size_than_its_metadata_says_is_refused(target: Path) -> None:
    notes = {media_types.FILEPATH: "a", media_types.FILE_METADATA: '{"size": 2}'}

    def unpack_raw() -> None:
        with Staging(target, durable=False) as staging:
            extract_raw(io.BytesIO(b"x"), staging, describe(b"x", RAW, **notes), what="layer 'm'")

    with pytest.raises(SizeMismatch, match="layer 'm', by its metadata: expected 2 bytes, found 1"):
        unpack_raw()


@pytest.mark.parametrize(
    "records",
    [b"x", b"9 path=a", b"99 path=a\n", b"0 path=a\n", b"-9 path=a\n", b"7 path\n", b"\0"],
)
def test_a_malformed_pax_header_is_refused(target: Path, records: bytes) -> None:
    data = make_tar(member("header", records, kind=tarfile.XHDTYPE), member("a", b"x"))
    with pytest.raises(UnsafeLayer, match="layer 'm': a PAX header is malformed"):
        unpack(data, target)


def test_a_pax_header_beyond_the_limit_is_refused(target: Path) -> None:
    data = make_tar(member("header", bytes(2000), kind=tarfile.XHDTYPE), member("a", b"x"))
    with pytest.raises(UnsafeLayer, match="a header of 2000 bytes is longer than allowed"):
        unpack(data, target, limits=Limits(header_bytes=1000))


def test_asking_to_stop_leaves_nothing(target: Path) -> None:
    class Stop:
        def advance(self, count: int, /) -> None:
            raise Cancelled("stopped")

        def end(self, outcome: str, /) -> None: ...

    data = make_tar(member("a", bytes(9 << 20)))
    with pytest.raises(Cancelled), Staging(target, durable=False) as staging:
        extract_tar(io.BytesIO(data), staging, describe(data), task=Stop())
    assert not target.exists()


@pytest.mark.parametrize("case", ["compressed-gzip", "compressed-zstd"])
def test_compressed_layers_of_kit_are_read(target: Path, case: str) -> None:
    if not VECTORS.is_dir():
        pytest.skip("the golden kits are not beside the repository; set KITLINE_VECTORS")
    (layer,) = json.loads((VECTORS / case / "expected.json").read_text())["layers"]
    config = json.loads((VECTORS / case / "config.json").read_text())
    descriptor = Descriptor.from_json(layer)
    kind = layer_kind(descriptor.media_type)
    assert kind is not None
    blob = (VECTORS / case / "blobs" / descriptor.digest.hex).read_bytes()
    with Staging(target) as staging:
        extract_tar(
            io.BytesIO(blob),
            staging,
            descriptor,
            compression=kind.compression,
            diff_id=Digest(config["model"]["diffId"]),
        )
        staging.commit()
    assert sorted(tree_of(target)) == ["m", "m/a.txt"]
