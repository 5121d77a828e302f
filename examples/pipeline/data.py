"""The data: scikit-learn's breast cancer data in a repository as teams have it, code beside it.

569 patients in three parts: three fifths to train with, one fifth held out for evaluation, and one
fifth whom the hospital sees later (`consumer.py`).
"""

import shutil
from pathlib import Path

from surroundings import Workplace

CODE = Path(__file__).parent


def make_repository(work: Workplace) -> None:
    """Make the repository: git keeps the code, DVC the data, and the tag `v1` names both."""
    work.repository.mkdir(parents=True)
    for name in ("train_pipeline.py", "consumer.py"):
        shutil.copy(CODE / name, work.repository)
    shutil.copytree(CODE / "dags", work.repository / "dags", ignore=shutil.ignore_patterns("__*"))
    (work.repository / ".gitignore").write_text("/mlruns\n__pycache__\n")
    work.run("git", "init", "-q", "-b", "main", shown=False)
    work.run("git", "config", "user.name", "Ada", shown=False)
    work.run("git", "config", "user.email", "ada@example.org", shown=False)
    work.run("dvc", "init", "-q", shown=False)
    write_tables(work.repository / "data")
    work.run("dvc", "add", "-q", "data")
    work.run("git", "add", "-A", shown=False)
    work.run("git", "commit", "-qm", "data and code, version 1")
    work.run("git", "tag", "v1")


def write_tables(folder: Path) -> None:
    from sklearn.datasets import load_breast_cancer

    table = load_breast_cancer(as_frame=True).frame
    table["malignant"] = 1 - table.pop("target")
    part = table.index % 5
    folder.mkdir()
    table[part < 3].to_csv(folder / "train.csv", index=False)
    table[part == 3].to_csv(folder / "held-out.csv", index=False)
