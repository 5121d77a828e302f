"""From a DVC revision to a digest, to training, and back into DVC.

Everything happens in a temporary folder: two git repositories with DVC, and a local store.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAMS = Path(sys.executable).parent


def main(work: Path) -> None:
    os.environ |= {
        "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
        "KITLINE_HOME": str(work / "kitline"),
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(work / "site"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_AUTHOR_NAME": "Ada",
        "GIT_AUTHOR_EMAIL": "ada@example.org",
        "GIT_COMMITTER_NAME": "Ada",
        "GIT_COMMITTER_EMAIL": "ada@example.org",
    }

    say("1. A repository as DVC users have it: the wine data, one folder per class, two versions")
    data = make_repository(work / "data-repository")
    write_wine(data / "wine", classes=2)
    record(data, "v1")
    write_wine(data / "wine", classes=3)
    record(data, "v2")

    say("2. Import: revision v2 becomes a ModelKit, straight from DVC's cache")
    reference = run("kitline", "import", "dvc:wine@v2", "-t", "wine:v2", cwd=data)
    tell(f"the data's name       {reference}")

    say("3. Again, from a bare clone that has no data checked out: the same digest")
    run("git", "clone", "-q", "--bare", str(data), str(work / "bare.git"), cwd=work)
    cache = f"cache-dir={data / '.dvc/cache'}"
    options = ["-o", f"repo={work / 'bare.git'}", "-o", cache]
    again = run("kitline", "import", "dvc:wine@v2", "-t", "wine:again", *options, cwd=work)
    if again != reference:
        sys.exit("the digests differ, which is a bug in kitline")
    tell("                      the same digest: same content, same name")

    say("4. Train: another process gets the digest, and nothing else")
    run("kitline", "unpack", reference, "-d", str(work / "copy"), cwd=work)
    tell(f"accuracy              {train(work / 'copy/wine'):.3f}")

    say("5. Back: an empty repository takes the kit as a path that DVC tracks")
    other = make_repository(work / "other-repository")
    run("kitline", "export", reference, "dvc", "-o", "path=data/wine", cwd=other)
    tell((other / "data/wine.dvc").read_text().replace("\n", "\n   ").rstrip())
    tell("dvc status            " + run("dvc", "status", cwd=other))

    say("6. Or as a stage: dvc repro pulls by digest, once")
    run("kitline", "dvc", "stage", reference, "--out", "data/kit", cwd=other)
    run("dvc", "repro", cwd=other)
    tell("dvc repro, again      " + run("dvc", "repro", cwd=other))

    say("7. Check: the kit holds what v2 says, and not what v1 says")
    run("kitline", "dvc", "verify", reference, "--rev", "v2", cwd=data)
    code = run_for_code("kitline", "dvc", "verify", reference, "--rev", "v1", cwd=data)
    tell(f"exit code             {code}")

    say("8. The data changes: the digest in the .dvc file is stale, and not believed")
    shutil.rmtree(other / "data/wine/class-2")
    run("dvc", "add", "-q", "data/wine", cwd=other)
    subprocess.run(["kitline", "dvc", "status"], cwd=other, check=True)


def make_repository(folder: Path) -> Path:
    run("git", "init", "-q", "-b", "main", str(folder), cwd=folder.parent)
    run("dvc", "init", "-q", cwd=folder)
    run("git", "commit", "-qm", "dvc init", cwd=folder)
    return folder


def write_wine(folder: Path, *, classes: int) -> None:
    """Write the first classes of scikit-learn's bundled wine data as small CSV files."""
    from sklearn.datasets import load_wine

    wine = load_wine()
    for number, (row, label) in enumerate(zip(wine.data, wine.target, strict=True)):
        if label < classes:
            target = folder / f"class-{label}" / f"{number:03}.csv"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(",".join(map(str, row)) + "\n")


def record(repository: Path, version: str) -> None:
    run("dvc", "add", "-q", "wine", cwd=repository)
    run("git", "add", "wine.dvc", ".gitignore", cwd=repository)
    run("git", "commit", "-qm", version, cwd=repository)
    run("git", "tag", version, cwd=repository)


def train(folder: Path) -> float:
    """Train on the unpacked files; return the accuracy on held-out ones."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import train_test_split
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    files = sorted(folder.rglob("*.csv"))
    rows = [[float(value) for value in file.read_text().split(",")] for file in files]
    labels = [file.parent.name for file in files]
    seen, held_out, seen_labels, true_labels = train_test_split(
        rows, labels, random_state=0, stratify=labels
    )
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(seen, seen_labels)
    return float(model.score(held_out, true_labels))


def run(*words: str, cwd: Path) -> str:
    """Run a program; return the last line of its stdout."""
    if words[0] != "git":
        print(f"   $ {' '.join(words)}", flush=True)
    done = subprocess.run(words, cwd=cwd, check=True, stdout=subprocess.PIPE, text=True)
    return (done.stdout.splitlines() or [""])[-1]


def run_for_code(*words: str, cwd: Path) -> int:
    print(f"   $ {' '.join(words)}", flush=True)
    return subprocess.run(words, cwd=cwd, check=False, stdout=subprocess.DEVNULL).returncode


def say(text: str) -> None:
    print(f"\n{text}", flush=True)


def tell(text: str) -> None:
    print(f"   {text}", flush=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="kitline-dvc-example-") as folder:
        try:
            main(Path(folder))
        except subprocess.CalledProcessError as failed:
            sys.exit(failed.returncode)  # its own message is on the screen already
