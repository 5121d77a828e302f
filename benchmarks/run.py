"""kitline, kit, oras-py and curl side by side against one loopback registry: `make bench`.

Prints the ratios that kitline promises, with the limit of each, and beside them all medians and
what the disk itself can do. Needs the peers (`make peers`), twice the size of the data in memory
and five times on disk.
"""

from __future__ import annotations

import argparse
import compileall
import json
import math
import os
import re
import statistics
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))  # tests/harness starts the registries

from bench import Bench  # noqa: E402
from data import make_large, make_small  # noqa: E402
from machine import write_rate  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

UNITS = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
PUSH, UNPACK = "kitline pack to registry", "kitline unpack from registry"

# (what, the runs above the line, the runs below it, at most)
RATIOS = [
    ("large: pack into registry / curl PUT", [f"large {PUSH}"], ["large curl put"], 1.0),
    ("large: pack into registry / kit push", [f"large {PUSH}"], ["large kit push"], 1.1),
    (
        "large: pack into registry / kit pack + push",
        [f"large {PUSH}"],
        ["large kit pack", "large kit push"],
        0.65,
    ),
    (
        "large: unpack from registry / kit's + sync",
        [f"large {UNPACK}"],
        ["large kit unpack from registry + sync"],
        1.1,
    ),
    (
        "large: unpack from registry / kit pull + unpack + sync",
        [f"large {UNPACK}"],
        ["large kit pull", "large kit unpack from store + sync"],
        0.35,
    ),
    (
        "large: the same, neither synced",
        [f"large {UNPACK}, not synced"],
        ["large kit unpack from registry"],
        math.inf,
    ),
    (
        "small: pack into registry / kit pack + push",
        [f"small {PUSH}"],
        ["small kit pack", "small kit push"],
        0.8,
    ),
    (
        "small: unpack from registry / kit's + sync",
        [f"small {UNPACK}"],
        ["small kit unpack from registry + sync"],
        0.9,
    ),
    (
        "small: the same, neither synced",
        [f"small {UNPACK}, not synced"],
        ["small kit unpack from registry"],
        math.inf,
    ),
]


def size_in_bytes(text: str) -> int:
    """Read `2GiB`, `64MiB` or a number of bytes."""
    found = re.fullmatch(r"(\d+)\s*(|KiB|MiB|GiB)", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 64MiB or 2GiB")
    return int(found[1]) * UNITS[found[2]]


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", type=size_in_bytes, default="2GiB", help="of the model file")
    parser.add_argument("--files", type=int, default=2000, help="small files of 100 KiB")
    parser.add_argument("--rounds", type=int, default=5, help="timed, after one that is not")
    parser.add_argument("--no-warm-up", action="store_true", help="leave the untimed round out")
    parser.add_argument("--no-oras-py", action="store_true", help="it holds the file in memory")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    parser.add_argument("--dir", type=Path, default=ROOT / ".bench", help="on the disk to measure")
    return parser.parse_args()


def memory_folder() -> Path:
    """Return a folder in memory; without one the registry writes to disk, and that is said."""
    shared = Path("/dev/shm")
    return shared if os.access(shared, os.W_OK) else Path(tempfile.gettempdir())


def main() -> None:
    """Make the data, run the rounds, print the figures."""
    asked = parse()
    asked.dir.mkdir(exist_ok=True)
    plugins = (f"kitline_{tool}" for tool in ("airflow", "dvc", "kfp", "mlflow"))
    for package in ("kitline", *plugins):
        # As pip leaves an installed package: compiled, whatever this environment says of that.
        found = find_spec(package)
        assert found is not None
        for folder in found.submodule_search_locations or ():
            compileall.compile_dir(folder, quiet=1)
    with tempfile.TemporaryDirectory(dir=asked.dir) as work:
        large = make_large(Path(work, "large"), asked.size)
        small = make_small(Path(work, "small"), asked.files, 100 << 10)
        bench = Bench(work=Path(work), memory=memory_folder())
        with_oras = not asked.no_oras_py
        _rounds(bench, asked, lambda turn: bench.round_large(turn, large, with_oras=with_oras))
        _rounds(bench, asked, lambda turn: bench.round_small(turn, small))
        rates = {
            "disk write, O_DIRECT": write_rate(Path(work), asked.size // 2, direct=True),
            "disk write, buffered + fdatasync": write_rate(
                Path(work), asked.size // 2, direct=False
            ),
        }
    report = summarize(bench, rates, asked)
    print(json.dumps(report, indent=2) if asked.json else "\n".join(as_text(report)))


def _rounds(bench: Bench, asked: argparse.Namespace, run: Callable[[int], None]) -> None:
    """Run the warm-up and the rounds that count."""
    before = {name: list(times) for name, times in bench.seconds.items()}
    for turn in range(asked.rounds + (not asked.no_warm_up)):
        timed = turn or asked.no_warm_up
        print(f"round {turn}" if timed else "warm-up, not counted", file=sys.stderr)
        run(turn)
        if not timed:
            bench.seconds.clear()
            bench.seconds.update(before)


def summarize(bench: Bench, rates: dict[str, float], asked: argparse.Namespace) -> dict[str, Any]:
    """Turn what was measured into medians and ratios."""
    median = {name: statistics.median(times) for name, times in bench.seconds.items()}
    checks = [
        (what, sum(map(median.__getitem__, top)) / sum(map(median.__getitem__, bottom)), limit)
        for what, top, bottom, limit in RATIOS
    ]
    for kind in ("large", "small"):
        again = median[f"{kind} {PUSH} again"] - median["start-up"]
        checks.append((f"{kind}: pack again unchanged, after start-up, s", again, 0.3))
        for verb in (PUSH, UNPACK):
            resident = bench.resident[f"{kind} {verb}"] / UNITS["MiB"]
            checks.append((f"{kind}: {verb}, resident MiB", resident, 100.0))
        written = bench.written[f"{kind} {PUSH}"] / UNITS["MiB"]
        checks.append((f"{kind}: {PUSH}, written to disk MiB", written, 1.0))
    return {
        "size": asked.size,
        "files": asked.files,
        "rounds": asked.rounds,
        "registry": f"distribution 3, filesystem driver below {bench.memory}",
        "checks": [
            {"what": what, "value": round(value, 3), "at_most": limit if limit < math.inf else None}
            for what, value, limit in checks
        ],
        "programs": [
            {
                "what": name,
                "seconds": round(seconds, 3),
                "resident_mib": round(bench.resident[name] / UNITS["MiB"], 1),
                "written_mib": round(bench.written[name] / UNITS["MiB"], 1),
            }
            for name, seconds in sorted(median.items())
        ],
        "machine": {name: round(rate / UNITS["MiB"]) for name, rate in rates.items()},
    }


def as_text(report: dict[str, Any]) -> Iterator[str]:
    """Yield the tables, line by line."""
    yield (
        f"{report['size'] / UNITS['MiB']:.0f} MiB model file, {report['files']} files of 100 KiB;"
        f" medians of {report['rounds']} rounds; {report['registry']}"
    )
    yield f"\n{'promise':<58}{'measured':>9}{'at most':>9}"
    for check in report["checks"]:
        limit = check["at_most"]
        verdict = "" if limit is None else "  ok" if check["value"] <= limit else "  OVER"
        shown = "-" if limit is None else f"{limit:.2f}"
        yield f"{check['what']:<58}{check['value']:>9.2f}{shown:>9}{verdict}"
    yield f"\n{'program':<44}{'seconds':>9}{'RSS MiB':>9}{'disk MiB':>10}"
    for program in report["programs"]:
        yield (
            f"{program['what']:<44}{program['seconds']:>9.3f}{program['resident_mib']:>9.1f}"
            f"{program['written_mib']:>10.1f}"
        )
    yield ""
    for name, rate in report["machine"].items():
        yield f"{name:<44}{rate:>9} MiB/s"


if __name__ == "__main__":
    main()
