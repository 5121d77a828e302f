from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kitline.errors import VerificationError
from kitline.plugin import kit_contents, unpack_content
from kitline.store.memory import MemoryStore
from kitline.store.source import BytesSource
from kitline.testing.plugin_contracts import sample_kit
from kitline.testing.trees import read_tree

if TYPE_CHECKING:
    from pathlib import Path

    from kitline.oci.descriptor import Descriptor
    from kitline.store.interface import ByteStream


def test_an_exporter_unpacks_one_part_of_a_kit(tmp_path: Path) -> None:
    kit = sample_kit(MemoryStore("team/iris"), tmp_path / "sample")
    contents = kit_contents(kit)
    (data,) = [each for each in contents if each.part.drawer == "datasets"]
    unpack_content(kit, data, tmp_path / "data")
    assert [each.part.drawer for each in contents] == ["model", "code", "datasets", "docs"]
    assert read_tree(tmp_path / "data") == {
        "data": None,
        "data/train.csv": b"length,width,kind\n5.1,3.5,setosa\n",
    }


def test_nothing_appears_of_a_part_that_is_not_what_its_digest_says(tmp_path: Path) -> None:
    store = _Lying("team/iris")
    kit = sample_kit(store, tmp_path / "sample")
    store.lies = True
    with pytest.raises(VerificationError):
        unpack_content(kit, kit_contents(kit)[0], tmp_path / "model")
    assert not (tmp_path / "model").exists() or read_tree(tmp_path / "model") == {}


class _Lying(MemoryStore):
    lies = False

    def fetch(self, descriptor: Descriptor, *, offset: int = 0) -> ByteStream:
        if not self.lies:
            return super().fetch(descriptor, offset=offset)
        return BytesSource(b"\0" * descriptor.size).open(offset)
