from __future__ import annotations

from enum import IntFlag, StrEnum
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from kitline.errors import SourceChanged, SourceError
from kitline.kit.layer import TarLayer
from kitline.kit.raw_layer import RawLayer, file_metadata
from kitline.kit.tar_header import encode_header
from kitline.kit.tree import Entry
from kitline.oci.digest import Digest
from kitline.store.pipeline import read_all

if TYPE_CHECKING:
    from kitline.store.interface import BlobSource
    from typing_extensions import Buffer


class Content(BytesIO):
    pass


def file(path: str, content: bytes = b"x", mode: int = 0o644) -> Entry:
    def opened(offset: int) -> Content:
        stream = Content(content)
        stream.seek(offset)
        return stream

    return Entry(path=path, mode=mode, size=len(content), open=opened)


def folder(path: str, mode: int = 0o755) -> Entry:
    return Entry(path=path, is_folder=True, mode=mode)


def content_of(layer: BlobSource, offset: int = 0) -> bytes:
    with layer.open(offset) as stream:
        return read_all(stream, 1 << 24)


SLASH = "é" + "s" * 99 + "/slash100"
PATHS: list[tuple[list[Entry], int, str]] = [
    (
        [folder("model"), file("model/weights.txt", b"hello\n")],
        2560,
        "4beda93d9e3b4802f50025aff7061104e2209185e8044ed6c35dfd0fcd3043fd",
    ),
    (
        [file("README.md", b"# x\n")],
        2048,
        "54a278aa7ec7c07d551c9482289ae3193dbcca2ef10f9f7ccee84df91dd8dc94",
    ),
    ([], 1024, "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"),
    (
        [file("d" * 60 + "/" + "e" * 60 + "/" + "f" * 30 + ".bin")],
        2048,
        "e96e760567971658e8465a00dd9b2e8881b8c5e23aa093b89afc0d6b46fc5769",
    ),
    (
        [file("abcdefghi/" * 15 + "w.bin")],
        2048,
        "addaa0b62450f823fdf68746312d5d8b4bc702d5f747a92d613b6b997b091a6a",
    ),
    (
        [file("q" * 120 + ".bin")],
        3072,
        "8affbb143d8c20d401419af2a6601136066f8c987e81ca307517818e32f0b69c",
    ),
    (
        [file("modèle/poids.bin", mode=0o600)],
        3072,
        "ad68f486f7273b61319767e77f995450cc013020295edc65e0e7b3a110c3358d",
    ),
    ([folder("modèle")], 2560, "e93b867fe96cf7f92959aee296c1bfe3d30b262dc2323764afd3a21535ab7371"),
    (
        [file("modèle/日本")],
        3072,
        "240cc4e2a4d7c84a12db1f14e7233c6f368d9a4435dab01869a8832241b28514",
    ),
    ([file(SLASH)], 3072, "77dfe503b380a7a6e305cd6af775e9995834c30adc0e46108b8a3c86b73bea25"),
    (
        [file("s.sh", b"#!/bin/sh\n", mode=0o4755)],
        2048,
        "56fb5b0f967b82d77e4d9447da7fd3899a1f4461cd1bc452438edc66e4fe8af8",
    ),
]


@pytest.mark.parametrize(("entries", "size", "sha256"), PATHS)
def test_a_layer_has_the_bytes_that_kit_writes(
    entries: list[Entry], size: int, sha256: str
) -> None:
    layer = TarLayer(entries)
    data = content_of(layer)
    assert layer.size == len(data) == size
    assert Digest.of(data).hex == sha256


def test_a_file_of_nine_gibibytes_gets_a_pax_size() -> None:
    header = encode_header("big.bin", is_folder=False, mode=0o644, size=9 << 30)
    assert len(header) == 1536
    assert (
        Digest.of(header).hex == "0e4af1529535d86397189681aafc37c1bbd0f618616a11afd2a16b911bc25f77"
    )


def test_a_layer_can_be_read_from_every_offset() -> None:
    entries = [folder("d"), file("d/é", b"abc" * 300), file("d/empty", b""), file("e", b"1" * 512)]
    layer = TarLayer(entries)
    whole = content_of(layer)
    for offset in range(0, layer.size + 1, 7):
        assert content_of(layer, offset) == whole[offset:]


@pytest.mark.parametrize("room", [1, 511, 512, 513, 1024, 1100, 1536, 2048, 4000, 1 << 16])
def test_a_layer_is_the_same_whatever_buffers_it_is_read_into(room: int) -> None:
    entries = [folder("d"), file("d/é", b"abc" * 300), file("d/empty", b""), file("e", b"1" * 512)]
    entries += [file("long/" + "n" * 120, b"2" * 513), file("z", b"3" * 3000)]
    layer = TarLayer(entries)
    found, buffer = b"", memoryview(bytearray(b"\xff" * room))
    with layer.open() as stream:
        while count := stream.readinto(buffer):
            found += buffer[:count]
            buffer[:] = b"\xff" * room
    assert found == content_of(layer)
    assert len(found) == layer.size


def test_a_file_that_is_written_to_while_it_is_read_is_named() -> None:
    marks = [1]

    class Torn(Content):
        def readinto(self, buffer: Buffer, /) -> int:
            marks[0] += 1
            return super().readinto(buffer)

    torn = Entry(
        path="w.bin", size=4, open=lambda _: Torn(b"torn"), fingerprint=lambda: tuple(marks)
    )
    with pytest.raises(SourceChanged, match=r"cannot pack 'w.bin': the file was written to while"):
        content_of(TarLayer([file("no-fingerprint"), torn]))


def test_a_folder_stays_a_folder_whatever_else_its_entry_says() -> None:
    odd = Entry(path="d", is_folder=True, mode=0o755, size=9, open=lambda _: Content(b"x" * 9))
    assert content_of(TarLayer([file("a"), odd])) == content_of(TarLayer([file("a"), folder("d")]))


def test_a_source_that_gives_little_at_a_time_is_read_to_its_end() -> None:
    class Slow(Content):
        def readinto(self, buffer: Buffer, /) -> int:
            return super().readinto(memoryview(buffer)[:7])

    slow = Entry(path="w.bin", size=100, open=lambda offset: Slow(b"slow" * 25))
    quick = Entry(path="w.bin", size=100, open=lambda offset: Content(b"slow" * 25))
    assert content_of(TarLayer([slow])) == content_of(TarLayer([quick]))


def test_a_file_that_got_shorter_is_named() -> None:
    short = Entry(path="model/w.bin", size=10, open=lambda offset: Content(b"x" * (8 - offset)))
    with pytest.raises(
        SourceChanged,
        match=r"cannot pack 'model/w.bin': the file is shorter than it was; pack again",
    ):
        content_of(TarLayer([short]))


def test_a_file_whose_fingerprint_changed_is_named() -> None:
    marks = iter([(1,), (2,)])
    moved = Entry(
        path="w.bin", size=1, open=lambda _: Content(b"x"), fingerprint=lambda: next(marks)
    )
    with pytest.raises(SourceChanged, match=r"cannot pack 'w.bin': the file was written to"):
        content_of(TarLayer([moved]))


def test_an_entry_without_size_cannot_be_planned() -> None:
    with pytest.raises(SourceError, match=r"the size of 'a' is not known"):
        TarLayer([Entry(path="a", size=None)])


def test_a_name_that_is_not_unicode_is_refused() -> None:
    with pytest.raises(SourceError, match=r"the name is not valid UTF-8"):
        TarLayer([file("a\udcff")])


def test_identity_follows_names_modes_and_fingerprints() -> None:
    def layer(path: str = "a", mode: int = 0o644, mark: int = 1) -> TarLayer:
        return TarLayer([Entry(path=path, mode=mode, size=1, fingerprint=lambda: (mark,))])

    first = layer().identity
    assert first is not None
    assert layer().identity == first
    assert len({first, layer("b").identity, layer(mode=1).identity, layer(mark=2).identity}) == 4
    assert TarLayer([file("a")]).identity is None


def test_plugins_may_have_their_own_kinds_of_text_and_number() -> None:
    class Name(StrEnum):
        MODEL = "model.bin"
        OTHER = "other.bin"

    class Mode(IntFlag):
        READ = 0o444

    def layer(name: Name) -> TarLayer:
        mark = ("tool", name)
        return TarLayer([Entry(path=name, mode=Mode.READ, size=1, fingerprint=lambda: mark)])

    assert layer(Name.MODEL).identity == layer(Name.MODEL).identity != layer(Name.OTHER).identity


def test_a_raw_layer_is_the_file() -> None:
    layer = RawLayer(file("d/m.bin", b"hello"))
    assert layer.size == 5
    assert content_of(layer) == b"hello"
    assert content_of(layer, 2) == b"llo"


def test_a_raw_layer_of_a_folder_is_refused() -> None:
    with pytest.raises(SourceError, match=r"cannot make a raw layer of 'd': it is not a file"):
        RawLayer(folder("d"))


def test_raw_metadata_has_a_fixed_time_unless_kept() -> None:
    entry = Entry(path="d/m.bin", size=2, mtime_ns=1_704_164_645_120_000_000)
    assert file_metadata(entry) == (
        '{"name":"m.bin","mode":420,"uid":0,"gid":0,"size":2,'
        '"mtime":"1970-01-01T00:00:00Z","typeflag":48}'
    )
    assert '"mtime":"2024-01-02T03:04:05.12Z"' in file_metadata(entry, keep_mtime=True)
