"""What logging a model to a ModelKit costs beside MLflow's own log: `benchmarks/mlflow_log.py`.

One big file is logged by MLflow alone and then packed by kitline alone, and logged by
`kitline_mlflow`, in turn, against a fresh registry in memory. Then `import mlflow` with the plugin
and without. With `--server` MLflow is a server that passes artifacts on, in place of a local store.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))  # tests/harness starts the registries

from bench import Bench  # noqa: E402
from data import Large, make_large  # noqa: E402
from dvc_import import as_text  # noqa: E402
from mlflow_server import running  # noqa: E402
from run import UNITS, memory_folder, size_in_bytes  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from harness.registries import Registry

HERE = Path(__file__).parent
ARTIFACTS = "artifacts"
ALONE, LOG = "MLflow's log, then kitline.pack", "kitline_mlflow.log_model"
IMPORT = """
import importlib.metadata, sys, time
every, hidden = importlib.metadata.entry_points, sys.argv[1]
def asked(**what):
    found = every(**what)
    return type(found)(each for each in found if not each.value.startswith(hidden))
importlib.metadata.entry_points = asked
import mlflow
print(time.process_time())
"""
"""Processor time: the disk has other things to do. Entry points are filtered either way, so that
the filter itself costs nothing more."""


def main() -> None:
    """Make the file, run the rounds, print the figures."""
    asked = parse()
    asked.dir.mkdir(exist_ok=True)
    found: dict[str, list[dict[str, float]]] = {ALONE: [], LOG: []}
    with tempfile.TemporaryDirectory(dir=asked.dir) as work:
        os.environ["TMPDIR"] = work  # MLflow saves there first; on the same disk as its store
        large = make_large(Path(work, "large"), asked.size)
        bench = Bench(work=Path(work), memory=memory_folder())
        with tracking(Path(work), asked) as place:
            for turn in range(asked.rounds + 1):
                print(f"round {turn}{'' if turn else ' (not counted)'}", file=sys.stderr)
                play(bench, large, turn, place, found)
                if not turn:
                    for times in found.values():
                        times.clear()
        imports = time_imports(bench, asked.imports)
    report = summarize(found, imports, asked)
    print(json.dumps(report, indent=2) if asked.json else as_text(report))


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", type=size_in_bytes, default="2GiB", help="of the model file")
    parser.add_argument("--server", action="store_true", help="log to a proxying MLflow server")
    parser.add_argument("--rounds", type=int, default=3, help="timed, after one that is not")
    parser.add_argument("--imports", type=int, default=10, help="of mlflow, each way")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    parser.add_argument("--dir", type=Path, default=ROOT / ".bench", help="on the disk to measure")
    return parser.parse_args()


@contextlib.contextmanager
def tracking(work: Path, asked: argparse.Namespace) -> Iterator[str]:
    """Yield the database, or the address of a server for as long as it runs."""
    if asked.server:
        with running(work, work / ARTIFACTS) as address:
            yield address
    else:
        yield str(work / "mlflow.db")


def play(
    bench: Bench,
    large: Large,
    turn: int,
    place: str,
    found: dict[str, list[dict[str, float]]],
) -> None:
    """Time everything once; every other round in reverse."""

    def alone() -> None:
        with registry() as target:
            reference = target.reference("bench/pack:v1")
            run(ALONE, "mlflow", large.file, place, large.folder, reference)

    def logged() -> None:
        with registry() as target:
            run(LOG, "log_model", large.file, place, target.reference("bench/log:v1"))

    def registry() -> AbstractContextManager[Registry]:
        return bench.registry(3 * large.size)  # MLflow's own copy takes touched memory first

    def run(name: str, *words: str | Path) -> None:
        done = bench.timed(name, sys.executable, HERE / "log_large.py", *words)
        found[name].append(json.loads(done.output.splitlines()[-1]))
        shutil.rmtree(bench.work / ARTIFACTS, ignore_errors=True)  # what a server has taken

    entrants: list[Callable[[], None]] = [alone, logged]
    for entrant in entrants if turn % 2 == 0 else reversed(entrants):
        entrant()


def time_imports(bench: Bench, count: int) -> dict[str, float]:
    """Return the median seconds of `import mlflow`, with the plugin's entry points and without."""
    times: dict[str, list[float]] = {"kitline": [], "no such module": []}
    for turn in range(count + 1):
        for hidden, seconds in list(times.items())[:: 1 if turn % 2 else -1]:
            done = bench.timed("import mlflow", sys.executable, "-c", IMPORT, hidden)
            if turn:
                seconds.append(float(done.output.splitlines()[-1]))
    without, with_it = map(statistics.median, times.values())
    return {"without the plugin": without, "with it": with_it}


def summarize(
    found: dict[str, list[dict[str, float]]], imports: dict[str, float], asked: argparse.Namespace
) -> dict[str, Any]:
    """Turn what was measured into what is promised."""

    def median(name: str, figure: str = "seconds") -> float:
        return statistics.median(each[figure] for each in found[name])

    pack = median(ALONE, "pack")
    limit = 1.2 * pack + 1
    memory = max(each["resident"] for each in found[LOG]) - median(ALONE, "resident")
    rows = [
        (
            "log_model after MLflow has the model, s (1.2 x + 1 s)",
            median(LOG, "after_ready"),
            limit,
        ),
        ("the same / kitline.pack", median(LOG, "after_ready") / pack, None),
        ("log_model - MLflow's log, s (1.2 x + 1 s)", median(LOG) - median(ALONE), limit),
        ("log_model, resident MiB above MLflow's own", memory / UNITS["MiB"], 150.0),
        (
            "import mlflow with the plugin - without, ms",
            1000 * (imports["with it"] - imports["without the plugin"]),
            50.0,
        ),
    ]
    programs = {"MLflow's log": median(ALONE), "kitline.pack": pack, LOG: median(LOG)}
    programs |= {f"import mlflow, {how}": seconds for how, seconds in imports.items()}
    return {
        "size": asked.size,
        "rounds": asked.rounds,
        "load": os.getloadavg()[0],
        "checks": [
            {"what": what, "value": round(value, 3), "at_most": at_most}
            for what, value, at_most in rows
        ],
        "programs": [
            {"what": name, "seconds": round(seconds, 3)} for name, seconds in programs.items()
        ],
    }


if __name__ == "__main__":
    main()
