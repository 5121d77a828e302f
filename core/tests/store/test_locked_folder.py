"""Folders for work: gone when closed, or with the next one if their process died."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from kitline.plugin import LockedFolder

DIES = """
import sys, time
from pathlib import Path
from kitline.plugin import LockedFolder
print(LockedFolder("work-", Path(sys.argv[1])).path, flush=True)
time.sleep(600)
"""


def test_a_folder_and_all_in_it_goes_when_it_is_closed(tmp_path: Path) -> None:
    with LockedFolder("work-", tmp_path) as made:
        (made.path / "closed").mkdir()
        (made.path / "closed/file").write_bytes(b"1")
        (made.path / "closed").chmod(0o500)
        assert made.path.stat().st_mode & 0o777 == 0o700
    made.close()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_goes_with_the_next_one(tmp_path: Path) -> None:
    command = [sys.executable, "-c", DIES, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        left = Path(process.stdout.readline().strip())
        with LockedFolder("work-", tmp_path):
            assert left.exists(), "its process lives"
        process.kill()
    with LockedFolder("other-", tmp_path):
        assert left.exists(), "it is of another kind"
    with LockedFolder("work-", tmp_path):
        assert not left.exists()
