"""Every format shows the whole graph, and no name from outside adds anything to it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from kitline.errors import UsageError
from kitline.lineage.graph import FORMATS, Edge, Lineage, Node, Source
from kitline.lineage.svg import DRAWN_LIMIT
from kitline.lineage.text import LINE_LIMIT
from kitline.oci.digest import Digest

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = (
    '"></text><script>alert(1)</script>\x1b[31m\x9b2J\u202e]]>%%{init}%%\n--> "] & <b> \\" #quot;'
)
WEIRD = "<img src=x onerror=alert(2)>"


def digest(number: int) -> Digest:
    return Digest.of(b"%d" % number)


def kit(number: int, kind: str = "model", name: str = "", **more: Any) -> Node:
    node = Node(
        digest(number), kind, name or f"kit-{number}", places=(f"reg.example/team/k{number}",)
    )
    return node._replace(**more)


def graph(*nodes: Node, edges: tuple[tuple[int, int, str], ...]) -> Lineage:
    return Lineage(
        root=nodes[0].digest,
        nodes=nodes,
        edges=tuple(
            Edge(digest(child), digest(parent), role, ("manifest",))
            for parent, child, role in edges
        ),
        complete=False,
        rests_on=(Source(repository=f"reg.example/{WEIRD}", how="refused", problem=HOSTILE),),
        reasons=(f"not read: {HOSTILE}",),
    )


@pytest.fixture
def hostile() -> Lineage:
    """A small graph in which everything that comes from outside is hostile."""
    return graph(
        kit(1, name=HOSTILE, marks=(f"revoked: {HOSTILE}",), runs=(WEIRD,), stages=(f"r:{WEIRD}",)),
        kit(2, "dataset", WEIRD, created=HOSTILE),
        kit(3, HOSTILE, "plain", tags=(HOSTILE,)),
        Node(digest(4), is_missing=True),
        edges=((2, 1, HOSTILE), (4, 1, "data"), (1, 3, WEIRD), (3, 2, "circle")),
    )


class Page(HTMLParser):
    """Counts what a browser would see."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.kits = 0
        self.arrows = 0
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        classes = (dict(attrs).get("class") or "").split()
        self.kits += tag == "g" and "kit" in classes
        self.arrows += tag == "path" and "edge" in classes

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_draws_each_kit_and_each_arrow(hostile: Lineage) -> None:
    page = Page(hostile.render("html"))

    assert (page.kits, page.arrows) == (4, 4)
    assert "missing" in page.text
    assert hostile.node.short in page.text


def test_no_name_adds_to_the_page(hostile: Lineage) -> None:
    text = hostile.render("html")
    page = Page(text)

    assert {"script", "img", "b", "link", "iframe"}.isdisjoint(page.tags)
    assert not [
        each for each in page.attributes if each.startswith("on") or each in ("src", "href")
    ]
    assert "<script>alert(1)</script>" in page.text  # as text that a person reads
    assert "default-src 'none'" in text
    assert "\x1b" not in text
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in text


def test_a_notebook_shows_the_page_in_a_frame_that_runs_nothing(hostile: Lineage) -> None:
    frames: list[dict[str, str | None]] = []

    class Frame(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            assert tag == "iframe"
            frames.append(dict(attrs))

    parser = Frame()
    parser.feed(hostile._repr_html_())
    parser.close()

    [frame] = frames
    assert frame["srcdoc"] == hostile.render("html")
    assert frame["sandbox"] is None  # nothing is allowed


def test_nothing_in_the_picture_covers_something_else() -> None:
    middle = range(2, 30)
    rows = tuple((1, n, "data") for n in middle) + tuple((n, 40, "base") for n in middle)
    text = graph(*(kit(n) for n in (1, *middle, 40)), edges=rows).render("html")

    boxes = [
        tuple(float(each) for each in found)
        for found in re.findall(
            r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"', text
        )
    ]
    assert len(boxes) == 30
    for n, (x, y, width, height) in enumerate(boxes):
        for other_x, other_y, other_width, other_height in boxes[n + 1 :]:
            apart_x = x + width <= other_x or other_x + other_width <= x
            assert apart_x or y + height <= other_y or other_y + other_height <= y


def test_the_picture_of_many_kits_is_of_the_nearest() -> None:
    nodes = [kit(n) for n in range(DRAWN_LIMIT + 50)]
    rows = tuple((0, n, "data") for n in range(1, len(nodes)))

    page = Page(graph(*nodes, edges=rows).render("html"))

    assert page.kits == DRAWN_LIMIT
    assert "50 kits that lie further away are not in the picture" in page.text
    assert "kit-249" in page.text  # in the table


def test_a_chain_and_its_shortcut_stand_in_columns_from_left_to_right() -> None:
    text = graph(*map(kit, (1, 2, 3)), edges=((3, 2, "a"), (2, 1, "b"), (3, 1, "c"))).render("html")

    columns = {
        name: float(x)
        for x, name in re.findall(r'<text x="([\d.]+)" y="[\d.]+" class="name">([^<]+)<', text)
    }
    assert columns["kit-3"] < columns["kit-2"] < columns["kit-1"]


def test_no_name_adds_a_line_or_a_node_to_a_diagram(hostile: Lineage) -> None:
    mermaid, dot = hostile.render("mermaid"), hostile.render("dot")

    shapes = r"k\d+(\[\"|\(\[\"|\[\(\").*(\"\]|\"\]\)|\"\)\])"
    known = rf"flowchart LR|  ({shapes}|k\d+ --> ?\|\".*\"\| k\d+|style k\d+ [\w:#-]+|%% .*)"
    assert [line for line in mermaid.split("\n") if not re.fullmatch(known, line)] == []
    assert set(re.findall(r"<[^>]*>?", mermaid)) == {"<br/>"}
    assert dot.count("\n") == len(hostile.nodes) + len(hostile.edges) + 4
    assert mermaid.count("-->|") == dot.count(" -> k") == 4


def test_openlineage_events_name_inputs_and_versions(hostile: Lineage) -> None:
    events = json.loads(hostile.render("openlineage"))

    assert len(events) == 3  # the kits that were made from something
    [first] = [each for each in events if each["outputs"][0]["name"] == "team/k1"]
    assert first["outputs"][0]["namespace"] == "oci://reg.example"
    assert first["outputs"][0]["facets"]["version"]["datasetVersion"] == str(digest(1))
    assert [each["name"] for each in first["inputs"]] == [str(digest(4)), "team/k2"] or len(
        first["inputs"]
    ) == 2


def test_text_keeps_the_terminal_as_it_is(hostile: Lineage) -> None:
    text = hostile.render()

    for form in FORMATS:
        shown = hostile.render(form)
        assert not [each for each in shown if not each.isprintable() and each != "\n"], form
    assert "(a circle: it is above)" in text
    assert "(missing: found nowhere)" in text
    assert text.count("incomplete:") == 1


def test_a_chain_of_ten_thousand_kits_is_shown_up_to_a_limit() -> None:
    count = 10_000
    kits = [kit(number) for number in range(count)]
    chain = graph(*kits, edges=tuple((n + 1, n, "base") for n in range(count - 1)))

    text = chain.render()

    assert f"… more than {LINE_LIMIT} lines; '--json' has all of it" in text
    assert len(text) < 3_000_000


def test_an_unknown_format_is_refused(hostile: Lineage) -> None:
    with pytest.raises(UsageError, match="there is no format 'pdf'; choose one of text, json"):
        hostile.render("pdf")


def test_rendering_is_the_same_each_time(hostile: Lineage) -> None:
    for each in FORMATS:
        assert hostile.render(each) == hostile.render(each)


@pytest.mark.slow
@pytest.mark.peer
def test_a_browser_shows_the_graph_and_runs_nothing(hostile: Lineage, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("there is no Chromium here to look at the page with")
    page = tmp_path / "page.html"
    page.write_text(hostile.render("html"))
    words = [
        browser,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path}/u",
    ]

    done = subprocess.run(
        [*words, "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )

    shown = Page(done.stdout)
    assert (shown.kits, shown.arrows) == (4, 4)
    assert {"script", "img", "b"}.isdisjoint(shown.tags)
    shot = tmp_path / "page.png"
    subprocess.run(
        [*words, f"--screenshot={shot}", "--window-size=1200,900", page.as_uri()],
        capture_output=True,
        timeout=120,
        check=True,
    )
    assert shot.stat().st_size > 20_000  # an empty page of this size has some 5 kB
