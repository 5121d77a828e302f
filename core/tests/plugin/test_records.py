"""What an importer says of a kit becomes annotations that depend on nothing else."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kitline.kit.kitfile import Kitfile
from kitline.oci.digest import Digest
from kitline.plugin import Collected, Origin, Parent

if TYPE_CHECKING:
    from kitline.kit.tree import Entry

FIRST, SECOND = sorted(Digest.of(text) for text in (b"a", b"b"))


@dataclass(frozen=True)
class EmptyTree:
    kitfile: Kitfile = field(default_factory=Kitfile)
    warnings: tuple[str, ...] = ()

    def entries(self) -> tuple[Entry, ...]:
        return ()


def collected(*parents: Parent, server: str | None = None) -> Collected:
    return Collected(
        tree=EmptyTree(),
        origin=Origin(importer="example", source="example:a", server=server),
        recipe="example/1",
        annotations={"io.kitline.example.id": "7"},
        parents=parents,
    )


def test_parents_are_bare_digests_sorted_and_named_once() -> None:
    written = collected(
        Parent(digest=SECOND, role="data", reference="reg.example/b"),
        Parent(digest=FIRST, role="base"),
        Parent(digest=SECOND, role="data", reference="elsewhere.example/b"),
    ).manifest_annotations()
    assert written == {
        "io.kitline.example.id": "7",
        "io.kitline.recipe": "example/1",
        "io.kitline.parents": f'[{{"digest":"{FIRST}","role":"base"}},'
        f'{{"digest":"{SECOND}","role":"data"}}]',
    }


def test_where_content_came_from_is_not_in_the_manifest() -> None:
    here, there = collected(server="https://a.example"), collected(server="https://b.example")
    assert here.manifest_annotations() == there.manifest_annotations()
    assert "io.kitline.parents" not in here.manifest_annotations()


def test_importing_the_plugin_face_imports_no_tool_and_no_http() -> None:
    program = (
        "import sys, kitline, kitline.plugin\n"
        "for name in kitline.plugin.__all__:\n    getattr(kitline.plugin, name)\n"
        "heavy = {'mlflow', 'oras', 'rich', 'requests', 'yaml', 'click'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (found.returncode, found.stderr) == (0, "")
