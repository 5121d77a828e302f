from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from kitline.errors import TargetError, UnsafeLayer
from kitline.kit.staging import Overwrite, Staging


def put(target: Path, files: dict[str, bytes], overwrite: Overwrite = "refuse") -> None:
    with Staging(target, overwrite, durable=False) as staging:
        for path, content in files.items():
            staging.write_file(path, content)
        staging.commit()


def tree_of(root: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(root)): None if path.is_dir() else path.read_bytes()
        for path in sorted(root.rglob("*"))
    }


def test_a_missing_target_appears_whole_with_its_parents(tmp_path: Path) -> None:
    with Staging(tmp_path / "a" / "b") as staging:
        staging.write_file("f", b"x")
        assert not (tmp_path / "a" / "b").exists()
        staging.commit()
    assert tree_of(tmp_path) == {"a": None, "a/b": None, "a/b/f": b"x"}


def test_an_empty_target_is_filled(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    put(tmp_path / "t", {"d/f": b"x"})
    assert tree_of(tmp_path) == {"t": None, "t/d": None, "t/d/f": b"x"}


def test_the_working_folder_is_filled_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    put(Path("."), {"d/f": b"x"})
    assert os.listdir(".") == ["d"]


def test_a_target_that_is_a_link_to_a_folder_is_meant(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    put(tmp_path / "link", {"f": b"x"})
    assert (tmp_path / "link").is_symlink()
    assert tree_of(tmp_path / "real") == {"f": b"x"}


def test_content_beside_the_kit_stays(tmp_path: Path) -> None:
    put(tmp_path / "t", {"own": b"1", "d/own": b"2"})
    put(tmp_path / "t", {"f": b"3", "d/f": b"4", "e/f": b"5"})
    files = {path: each for path, each in tree_of(tmp_path / "t").items() if each}
    assert files == {"own": b"1", "d/own": b"2", "f": b"3", "d/f": b"4", "e/f": b"5"}
    assert os.listdir(tmp_path) == ["t"]


def test_conflicts_are_listed_and_nothing_is_changed(tmp_path: Path) -> None:
    put(tmp_path / "t", {"a": b"old", "d/b": b"old"})
    before = tree_of(tmp_path)
    with pytest.raises(TargetError) as caught:
        put(tmp_path / "t", {"a": b"new", "d/b": b"new", "c": b"new"})
    assert str(caught.value) == (
        f"cannot unpack into {str(tmp_path / 't')!r}: 'a' exists; 'd/b' exists; "
        "choose another folder, or use '--overwrite'; nothing was changed"
    )
    assert tree_of(tmp_path) == before


def test_only_the_first_conflicts_are_shown(tmp_path: Path) -> None:
    files = {str(number): b"x" for number in range(9)}
    put(tmp_path / "t", files)
    with pytest.raises(TargetError, match=r"'4' exists; and 4 more;"):
        put(tmp_path / "t", files)


def test_files_are_replaced_when_asked(tmp_path: Path) -> None:
    put(tmp_path / "t", {"a": b"old", "d/b": b"old", "own": b"own"})
    put(tmp_path / "t", {"a": b"new", "d/b": b"new"}, "replace")
    assert tree_of(tmp_path / "t") == {"a": b"new", "d": None, "d/b": b"new", "own": b"own"}


def test_files_are_left_when_asked(tmp_path: Path) -> None:
    put(tmp_path / "t", {"a": b"old", "d/b": b"old"})
    put(tmp_path / "t", {"a": b"new", "d/b": b"new", "d/c": b"new"}, "skip")
    assert tree_of(tmp_path / "t") == {"a": b"old", "d": None, "d/b": b"old", "d/c": b"new"}
    assert os.listdir(tmp_path) == ["t"]


def test_an_equal_kitfile_is_no_conflict_but_another_one_is(tmp_path: Path) -> None:
    put(tmp_path / "t", {"Kitfile": b"same"})

    def put_kitfile(content: bytes) -> None:
        with Staging(tmp_path / "t", durable=False) as staging:
            staging.write_file("Kitfile", content, may_equal=True)
            staging.commit()

    put_kitfile(b"same")
    with pytest.raises(TargetError, match="'Kitfile' exists"):
        put_kitfile(b"other")


@pytest.mark.parametrize("overwrite", ["refuse", "replace", "skip"])
def test_a_link_to_a_folder_in_the_way_is_not_followed(
    tmp_path: Path, overwrite: Overwrite
) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "d").symlink_to("../outside")
    with pytest.raises(TargetError, match="'d' is a link, which is not followed"):
        put(tmp_path / "t", {"d/f": b"x"}, overwrite)
    assert os.listdir(tmp_path / "outside") == []
    assert sorted(os.listdir(tmp_path)) == ["outside", "t"]


def test_a_dangling_link_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "f").symlink_to("../outside")
    with pytest.raises(TargetError, match="'f' exists"):
        put(tmp_path / "t", {"f": b"x"})
    put(tmp_path / "t", {"f": b"x"}, "skip")
    assert (tmp_path / "t" / "f").is_symlink()
    put(tmp_path / "t", {"f": b"x"}, "replace")
    assert not (tmp_path / "t" / "f").is_symlink()
    assert os.listdir(tmp_path) == ["t"]


def test_a_file_and_a_folder_of_one_name_do_not_mix(tmp_path: Path) -> None:
    put(tmp_path / "t", {"a": b"file", "d/f": b"x"})
    with pytest.raises(TargetError, match="'a' is a file where the kit has a folder"):
        put(tmp_path / "t", {"a/x": b"x"}, "replace")
    with pytest.raises(TargetError, match="'d' is a folder where the kit has a file"):
        put(tmp_path / "t", {"d": b"x"}, "replace")


def test_a_target_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(b"")
    with pytest.raises(TargetError, match="it is no folder"):
        put(tmp_path / "t", {})


def test_modes_of_own_folders_stay_and_new_ones_come(tmp_path: Path) -> None:
    target = tmp_path / "t"
    (target / "own").mkdir(parents=True, mode=0o700)
    with Staging(target, durable=False) as staging:
        staging.add_folder("own", 0o755)
        staging.add_folder("new", 0o500)
        staging.write_file("new/f", b"x")
        staging.add_folder("new/in", 0o555)
        staging.commit()
    modes = {path: stat.S_IMODE((target / path).stat().st_mode) for path in ("own", "new")}
    assert modes == {"own": 0o700, "new": 0o500}
    assert stat.S_IMODE((target / "new/in").stat().st_mode) == 0o555
    (target / "new").chmod(0o700)


def test_a_failure_leaves_nothing_not_even_closed_folders(tmp_path: Path) -> None:
    def unpack() -> None:
        with Staging(tmp_path / "t", durable=False) as staging:
            staging.add_folder("closed", 0o000)
            staging.write_file("closed/f", b"x")
            staging.write_file("closed/f", b"x")

    with pytest.raises(UnsafeLayer, match="'closed/f': the kit holds it twice"):
        unpack()
    assert os.listdir(tmp_path) == []


def test_a_path_is_checked_for_small_files_too(tmp_path: Path) -> None:
    with pytest.raises(UnsafeLayer), Staging(tmp_path / "t", durable=False) as staging:
        staging.write_file("../x", b"x")
    assert os.listdir(tmp_path) == []


def test_many_folders_do_not_need_as_many_handles(tmp_path: Path) -> None:
    put(tmp_path / "t", {f"{number}/a/b": b"x" for number in range(200)})
    assert len(tree_of(tmp_path / "t")) == 600


def test_what_a_killed_process_left_goes_with_the_next_unpack(tmp_path: Path) -> None:
    script = """
import sys, time
from pathlib import Path
from kitline.kit.staging import Staging
with Staging(Path(sys.argv[1]) / "t") as staging:
    staging.write_file("closed/f", b"x")
    staging.add_folder("closed", 0o000)
    print("ready", flush=True)
    time.sleep(600)
"""
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        (left,) = tmp_path.iterdir()

        put(tmp_path / "t", {"f": b"1"})
        assert left in list(tmp_path.iterdir()), "its process is alive"
        process.kill()
        process.wait()
        put(tmp_path / "t", {"g": b"2"})

    assert tree_of(tmp_path) == {"t": None, "t/f": b"1", "t/g": b"2"}


def test_what_only_looks_like_a_staging_folder_stays(tmp_path: Path) -> None:
    names = {".kitline-0123456789abcdef", ".kitline-mine", ".kitline"}
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ".kitline-0123456789abcdef").symlink_to("elsewhere")
    (tmp_path / ".kitline-mine").mkdir()
    (tmp_path / ".kitline").mkdir()

    put(tmp_path / "t", {"f": b"1"})

    assert {each.name for each in tmp_path.iterdir()} == {*names, "elsewhere", "t"}
