"""Draws the pictures of the documentation; run it again after a change of words."""

from __future__ import annotations

from html import escape
from pathlib import Path

HERE = Path(__file__).parent
STYLE = """
  text { font: 15px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1d2733 }
  .small { font-size: 12.5px; fill: #51606f }
  .mono { font-family: ui-monospace, Menlo, monospace; font-size: 12.5px }
  .head { font-weight: 600 } .box { stroke-width: 1.5; rx: 8 }
  .data { fill: #e3f1ea; stroke: #2f8a5f } .model { fill: #e4ecfa; stroke: #2f62b5 }
  .about { fill: #fbf2dc; stroke: #b98a1c } .plain { fill: #f3f5f7; stroke: #8894a1 }
  .line { fill: none; stroke-width: 2 } .dataline { stroke: #2f8a5f } .modelline { stroke: #2f62b5 }
  .aboutline { stroke: #b98a1c; stroke-dasharray: 5 4 } .plainline { stroke: #8894a1 }
"""


class Picture:
    """An SVG picture that is written piece by piece."""

    def __init__(self, name: str, width: int, height: int, title: str) -> None:
        self._name = name
        self._parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
            f"<title>{escape(title)}</title><style>{STYLE}</style>",
            "<defs>",
            *(
                f'<marker id="{kind}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7"'
                f' markerHeight="7" orient="auto"><path d="M0 0 10 5 0 10z" fill="{colour}"/>'
                "</marker>"
                for kind, colour in (
                    ("data", "#2f8a5f"),
                    ("model", "#2f62b5"),
                    ("about", "#b98a1c"),
                    ("plain", "#8894a1"),
                )
            ),
            f'</defs><rect width="{width}" height="{height}" fill="#ffffff"/>',
        ]

    def box(
        self, kind: str, x: int, y: int, width: int, height: int, head: str, *lines: str
    ) -> None:
        """Draw a box with a headline and lines below it; a line in backquotes is code."""
        self._parts.append(
            f'<rect class="box {kind}" x="{x}" y="{y}" width="{width}" height="{height}"/>'
        )
        self.text(x + width // 2, y + 24, head, "head", "middle")
        for number, line in enumerate(lines):
            look = "mono" if line.startswith("`") else "small"
            self.text(x + width // 2, y + 45 + 18 * number, line.strip("`"), look, "middle")

    def text(self, x: int, y: int, text: str, look: str = "", anchor: str = "start") -> None:
        """Write a line of text."""
        self._parts.append(
            f'<text class="{look}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'
        )

    def arrow(self, kind: str, path: str) -> None:
        """Draw an arrow along a path."""
        self._parts.append(f'<path class="line {kind}line" d="{path}" marker-end="url(#{kind})"/>')

    def save(self) -> None:
        """Write the file."""
        (HERE / f"{self._name}.svg").write_text("\n".join([*self._parts, "</svg>", ""]), "utf-8")


def hand_over() -> None:
    """The two chains, and the link between them."""
    picture = Picture("hand-over", 940, 330, "One digest at every hand-over")
    stations = [
        ("data", "DVC", "a revision", "`meta.kitline.digest`"),
        ("data", "Kubeflow", "the training step", "`digest: str`"),
        ("model", "MLflow", "the logged model", "`kitline.digest`"),
        ("model", "Airflow", "evaluates, promotes", "`XCom, asset event`"),
        ("model", "production", "serves by digest", "`pull …@sha256:51c8`"),
    ]
    for number, (kind, *words) in enumerate(stations):
        x = 20 + 184 * number
        picture.box(kind, x, 60, 150, 86, *words)
        if number:
            picture.arrow("data" if number < 3 else "model", f"M{x - 34} 103H{x - 5}")
        picture.arrow("plain", f"M{x + 75} 148V222")
    picture.text(20, 34, "data kit  sha256:9b1d…", "head")
    picture.text(388, 34, "model kit  sha256:51c8…", "head")
    picture.box("plain", 20, 226, 886, 84, "any OCI registry, or the store on your disk")
    picture.text(95, 286, "9b1d…", "mono", "middle")
    picture.text(463, 286, "51c8…", "mono", "middle")
    picture.arrow("data", "M420 281H135")
    picture.text(277, 273, "parent: data", "small", "middle")
    picture.save()


def kit() -> None:
    """What a ModelKit consists of, and what lies beside it."""
    picture = Picture("kit", 940, 330, "A ModelKit and its referrers")
    picture.box(
        "model",
        330,
        30,
        280,
        90,
        "manifest  sha256:51c8…",
        "names everything below by digest",
        "`io.kitline.parents`",
    )
    picture.box("plain", 20, 200, 150, 90, "config", "the Kitfile:", "who, what, parameters")
    drawers = (
        ("model", "weights"),
        ("datasets", "splits"),
        ("code", "train.py"),
        ("docs", "card, README"),
    )
    for number, (drawer, words) in enumerate(drawers):
        x = 186 + 122 * number
        picture.box("model", x, 200, 110, 90, drawer, "one layer each", words)
        picture.arrow("model", f"M{420 + 34 * number} 122L{x + 55} 196")
    picture.arrow("plain", "M390 122L100 196")
    picture.text(800, 40, "referrers: about the kit, never in it", "small", "middle")
    for number, words in enumerate(
        ("signature", "provenance", "evaluation", "promotion record", "derived edge")
    ):
        y = 56 + 50 * number
        picture.box("about", 710, y, 180, 38, words)
        picture.arrow("about", f"M708 {y + 19}L614 {70 + 9 * number}")
    picture.save()


if __name__ == "__main__":
    hand_over()
    kit()
