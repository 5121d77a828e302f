"""Importing a DVC revision beside packing a folder, and beside what it replaces.

What it replaces is `dvc checkout` into an empty workspace, `kit pack` and `kit push`. Every ratio
compares runs of the same rounds, in turn, against a fresh registry in memory.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))  # tests/harness starts the registries

from bench import KITLINE, Bench  # noqa: E402
from harness.programs import need_program  # noqa: E402
from run import UNITS, memory_folder  # noqa: E402
from tracked import PATH, TAG, DvcData, clone, make_dvc, set_environment  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

SETS = {
    "small": ("5,000 x 4 KiB", 5_000, 4 << 10),
    "many": ("50,000 x 512 B", 50_000, 512),
    "large": ("one file of 1 GiB", 1, 1 << 30),
}
"""What it is called, how many files, bytes of each."""
START_UP = """
import sys
from dvc.api import DVCFileSystem
found = DVCFileSystem(sys.argv[1], rev=sys.argv[2]).find(sys.argv[3], detail=True)
assert found
"""
"""DVC's own start-up: the revision is opened and its files are found."""
IMPORT, PACK, FOUND = "kitline import", "kitline pack folder", "dvc open + find"
REPLACED = ("dvc checkout", "kit pack", "kit push")


def main() -> None:
    """Make each repository, run the rounds, print the figures."""
    asked = parse()
    asked.dir.mkdir(exist_ok=True)
    checks: list[dict[str, Any]] = []
    programs: list[dict[str, Any]] = []
    for which in asked.sets:
        name, files, size = SETS[which]
        with tempfile.TemporaryDirectory(dir=asked.dir) as work:
            set_environment(Path(work))
            print(f"making {name}", file=sys.stderr)
            data = make_dvc(Path(work, "repo"), name, files=files, size=size)
            processor: dict[str, list[float]] = defaultdict(list)
            bench = Bench(work=Path(work), memory=memory_folder())
            for turn in range(asked.rounds + 1):
                print(f"{name}, round {turn}{'' if turn else ' (not counted)'}", file=sys.stderr)
                play(bench, data, turn, processor)
                if not turn:
                    bench.seconds.clear()
                    bench.written.clear()
                    processor.clear()
        checks += summarize(bench, name, processor)
        programs += [
            {"what": f"{name}: {what}", "seconds": round(statistics.median(times), 3)}
            for what, times in sorted(bench.seconds.items())
        ]
    report = {"rounds": asked.rounds, "checks": checks, "programs": programs}
    print(json.dumps(report, indent=2) if asked.json else as_text(report))


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sets", nargs="*", choices=[[], *SETS], default=list(SETS))
    parser.add_argument("--rounds", type=int, default=3, help="timed, after one that is not")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    parser.add_argument("--dir", type=Path, default=ROOT / ".bench", help="on the disk to measure")
    return parser.parse_args()


def play(bench: Bench, data: DvcData, turn: int, processor: dict[str, list[float]]) -> None:
    """Time everything once; every other round in reverse."""
    entrants: list[Callable[[], None]] = [
        lambda: processor[PACK].append(packed(bench, data)),
        lambda: processor[IMPORT].append(imported(bench, data)),
        lambda: processor[FOUND].append(started(bench, data)),
        lambda: replaced(bench, data),
    ]
    for entrant in entrants if turn % 2 == 0 else reversed(entrants):
        entrant()


def packed(bench: Bench, data: DvcData) -> float:
    """Pack the workspace as the plain folder that it is; return seconds of processor time."""
    with bench.registry(data.room) as registry:
        reference = registry.reference("bench/dvc:v1")
        return bench.timed(PACK, KITLINE, "pack", data.root, "-t", reference).processor


def imported(bench: Bench, data: DvcData) -> float:
    """Import the revision from the cache; return seconds of processor time."""
    with bench.registry(data.room) as registry:
        return bench.timed(
            IMPORT, KITLINE, "import", f"dvc:{PATH}@{TAG}", "-o", f"repo={data.root}",
            "-t", registry.reference("bench/dvc:v1"),
        ).processor  # fmt: skip


def started(bench: Bench, data: DvcData) -> float:
    """Open the revision with DVC and find its files; return seconds of processor time."""
    arguments = ("-c", START_UP, data.root, TAG, PATH)
    return bench.timed(FOUND, sys.executable, *arguments).processor


def replaced(bench: Bench, data: DvcData) -> None:
    """Check the revision out into an empty workspace, pack it with kit, push it."""
    kit, quiet = need_program("kit"), ("--progress", "none")
    dvc = Path(sys.executable).with_name("dvc")
    with bench.registry(data.room) as registry, bench.target() as target:
        workspace = clone(data, target / "workspace")
        reference = registry.reference("bench/kit:v1")
        bench.timed("dvc checkout", dvc, "--cd", workspace, "checkout", "-q")
        bench.timed("kit pack", kit, "pack", workspace, "-t", reference, *quiet)
        bench.timed("kit push", kit, "push", reference, "--plain-http", *quiet)


def summarize(bench: Bench, name: str, processor: dict[str, list[float]]) -> list[dict[str, Any]]:
    """Turn what was measured into the ratios that are promised."""
    median = {what: statistics.median(times) for what, times in bench.seconds.items()}
    busy = {what: statistics.median(times) for what, times in processor.items()}
    rows = [
        ("import / pack folder", median[IMPORT] / median[PACK], None),
        (
            "(import - dvc open + find) / pack folder",
            (median[IMPORT] - median[FOUND]) / median[PACK],
            1.3,
        ),
        (
            "the same in processor time",
            (busy[IMPORT] - busy[FOUND]) / busy[PACK],
            None,
        ),
        (
            "import / (dvc checkout + kit pack + push)",
            median[IMPORT] / sum(median[each] for each in REPLACED),
            0.5,
        ),
        ("import, written to disk MiB", bench.written[IMPORT] / UNITS["MiB"], 1.0),
        ("import, resident MiB", bench.resident[IMPORT] / UNITS["MiB"], None),
    ]
    return [
        {"what": f"{name}: {what}", "value": round(value, 3), "at_most": limit}
        for what, value, limit in rows
    ]


def as_text(report: dict[str, Any]) -> str:
    """Return both tables."""
    lines = [f"{'promise':<62}{'measured':>9}{'at most':>9}"]
    for check in report["checks"]:
        limit = check["at_most"]
        verdict = "" if limit is None else "  ok" if check["value"] <= limit else "  OVER"
        shown = "-" if limit is None else f"{limit:.2f}"
        lines.append(f"{check['what']:<62}{check['value']:>9.2f}{shown:>9}{verdict}")
    lines.append(f"\n{'program':<62}{'seconds':>9}")
    lines += [f"{each['what']:<62}{each['seconds']:>9.3f}" for each in report["programs"]]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
