"""Importing a revision whose data lies in S3 alone, beside `dvc fetch` of the same objects.

The S3 server is moto on loopback, each of whose answers comes 30 ms late. It takes more processor
time for an answer than a client does, so that on few cores both are as fast as the server.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))  # tests/harness starts the registries

from bench import KITLINE, Bench  # noqa: E402
from run import memory_folder  # noqa: E402
from tracked import PATH, TAG, DvcData, git, make_dvc, set_environment  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVER = ROOT / "plugins/dvc/tests/slow_s3.py"
KEYS = {"access_key_id": "testing", "secret_access_key": "moto-secret", "region": "us-east-1"}
DVC = Path(sys.executable).with_name("dvc")


def main() -> None:
    """Make one repository for each kind of remote, run the rounds, print the ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", type=int, default=5000, help="objects of 4 KiB")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--latency", type=int, default=30, help="milliseconds of each answer")
    parser.add_argument("--dir", type=Path, default=ROOT / ".bench", help="where the data lies")
    asked = parser.parse_args()
    asked.dir.mkdir(exist_ok=True)
    for kind in ("plain", "version-aware"):
        with tempfile.TemporaryDirectory(dir=asked.dir) as work, serve_s3(asked.latency) as s3:
            set_environment(Path(work))
            os.environ["DVC_SITE_CACHE_DIR"] = str(Path(work, "site"))
            data = make_dvc(Path(work, "repo"), kind, files=asked.files, size=4 << 10)
            push(data, s3, is_versioned=kind != "plain")
            bench = Bench(work=Path(work), memory=memory_folder())
            for turn in range(asked.rounds):
                for run in (imported, fetched) if turn % 2 else (fetched, imported):
                    shutil.rmtree(data.root / ".dvc/cache", ignore_errors=True)
                    shutil.rmtree(Path(work, "site"), ignore_errors=True)
                    run(bench, data)
            median = {what: statistics.median(times) for what, times in bench.seconds.items()}
            ratio = median["kitline import"] / median["dvc fetch"]
            verdict = "ok" if ratio <= 1.2 else "OVER"
            print(f"{kind}, {asked.files} objects, {asked.latency} ms: import / dvc fetch"
                  f" {ratio:.2f}, at most 1.20  {verdict}  {json.dumps(median)}")  # fmt: skip


@contextlib.contextmanager
def serve_s3(latency: int) -> Iterator[str]:
    """Run the server until the block ends; yields its address."""
    with subprocess.Popen(
        [sys.executable, str(SERVER), str(latency)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as server:  # fmt: skip
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.terminate()


def push(data: DvcData, s3: str, *, is_versioned: bool) -> None:
    """Bring the data into a bucket and forget the cache."""
    import boto3
    from dvc.repo import Repo

    client = boto3.client(
        "s3", endpoint_url=s3, aws_access_key_id=KEYS["access_key_id"],
        aws_secret_access_key=KEYS["secret_access_key"], region_name=KEYS["region"],
    )  # fmt: skip
    client.create_bucket(Bucket="bench")
    if is_versioned:
        client.put_bucket_versioning(Bucket="bench", VersioningConfiguration={"Status": "Enabled"})
    settings = {"url": "s3://bench/store", "endpointurl": s3, "version_aware": is_versioned, **KEYS}
    with Repo(str(data.root)) as repo, repo.config.edit() as config:
        config["core"]["remote"] = "r"
        config["remote"] = {"r": settings}
    subprocess.run([DVC, "--cd", data.root, "push", "-q"], check=True)
    git(data.root, "add", "-A")
    git(data.root, "commit", "-qm", "pushed")
    git(data.root, "tag", "-f", TAG)


def imported(bench: Bench, data: DvcData) -> None:
    """Import the revision from S3 into a registry."""
    with bench.registry(data.room) as registry:
        bench.timed(
            "kitline import", KITLINE, "import", f"dvc:{PATH}@{TAG}", "-o", f"repo={data.root}",
            "-t", registry.reference("bench/dvc:v1"),
        )  # fmt: skip


def fetched(bench: Bench, data: DvcData) -> None:
    """Fetch the same objects into the cache."""
    bench.timed("dvc fetch", DVC, "--cd", data.root, "fetch", "-q")


if __name__ == "__main__":
    main()
