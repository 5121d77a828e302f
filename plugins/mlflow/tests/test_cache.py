"""Kits by digest in the cache: fetched once, only as far as wanted, whole or not at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import kitline
import pytest
import requests
from kitline.errors import (
    InvalidSetting,
    KitlineError,
    NotFound,
    TargetError,
    UnsafeLayer,
    VerificationError,
)
from kitline.plugin import Digest
from kitline.testing import Fault
from kitline_mlflow.cache import cache_size, fetch, folder_of, pin, unpack
from kitline_mlflow.cache_outline import KitOutline
from kitline_mlflow.cache_parts import meanings
from kitline_mlflow.cache_view import copy_out, view

if TYPE_CHECKING:
    from pathlib import Path

    from kitline.testing import LocalRegistry

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
BLOBS = r"/blobs/sha256:"
KITFILE = """\
manifestVersion: 1.0.0
package: {name: demo}
model: {name: net, path: weights, parts: [{name: lora, path: lora.bin}]}
datasets: [{name: train, path: data/train.csv}, {name: test, path: "data/a,b.csv"}]
docs: [{path: README.md}]
"""


def packed(folder: Path, registry: LocalRegistry, name: str = "demo", filler: bytes = b"w") -> str:
    (folder / "weights").mkdir(parents=True)
    (folder / "data").mkdir()
    (folder / "weights" / "net.bin").write_bytes(filler * 100_000)
    (folder / "weights" / "run.sh").write_text("#!/bin/sh\n")
    (folder / "weights" / "run.sh").chmod(0o755)
    (folder / "lora.bin").write_text("lora")
    (folder / "data" / "train.csv").write_text("1,2\n")
    (folder / "data" / "a,b.csv").write_text("3,4\n")
    (folder / "README.md").write_text("# Demo\n")
    (folder / "Kitfile").write_text(KITFILE)
    pushed = kitline.pack(folder, f"{registry.host}/{name}:v1")
    registry.forget()
    return str(pushed)


@pytest.fixture(name="kit")
def _kit(tmp_path: Path, registry: LocalRegistry) -> str:
    return packed(tmp_path / "kit", registry)


def blobs(registry: LocalRegistry) -> int:
    return registry.count("GET", BLOBS)


@pytest.mark.parametrize(
    ("path", "place", "layers"),
    [
        ("model", "weights", 2),
        ("model/net.bin", "weights/net.bin", 2),
        ("weights", "weights", 1),
        ("weights/net.bin", "weights/net.bin", 1),
        ("lora.bin", "lora.bin", 1),
        ("datasets", "", 2),
        ("datasets/data/train.csv", "data/train.csv", 2),
        ("data", "data", 2),
        ("data/train.csv", "data/train.csv", 1),
        ("data/a,b.csv", "data/a,b.csv", 2),
        ("docs", "", 1),
        ("Kitfile", "Kitfile", 0),
        ("", "", 5),
    ],
)
def test_only_layers_with_something_of_the_path_are_fetched(
    kit: str, registry: LocalRegistry, path: str, place: str, layers: int
) -> None:
    found = fetch(kit, path)
    assert str(found).endswith(f"/tree/{place}" if place else "/tree")
    assert found.exists()
    configs = 2  # once to know the entries, once to unpack
    assert blobs(registry) - configs == layers


def test_what_is_cached_needs_no_registry(kit: str, registry: LocalRegistry) -> None:
    first = fetch(kit, "model")
    registry.stop()
    assert fetch(kit, "model") == first
    assert (fetch(kit, "model/net.bin")).read_bytes() == b"w" * 100_000


def test_a_tag_is_looked_up_each_time(kit: str, registry: LocalRegistry, tmp_path: Path) -> None:
    tagged = f"modelkit://{registry.host}/demo:v1"
    before = fetch(tagged, "model")
    packed(tmp_path / "other", registry, filler=b"v")
    after = fetch(tagged, "model")
    assert before != after
    assert (after / "net.bin").read_bytes()[:1] == b"v"
    assert str(pin(f"{registry.host}/demo:v1").reference) != kit


def test_a_path_that_is_not_in_the_kit_is_not_found(kit: str) -> None:
    with pytest.raises(NotFound, match=r"holds nothing at 'model/none\.bin'"):
        fetch(kit, "model/none.bin")
    with pytest.raises(NotFound, match="holds nothing at 'prompts'"):
        fetch(kit, "prompts")


def test_a_folder_called_model_does_not_hide_the_model(
    tmp_path: Path, registry: LocalRegistry
) -> None:
    folder = tmp_path / "kit"
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "rows.csv").write_text("rows")
    (folder / "net.onnx").write_text("net")
    (folder / "Kitfile").write_text(
        "manifestVersion: 1.0.0\npackage: {name: demo}\nmodel: {name: net, path: net.onnx}\n"
        "datasets: [{name: rows, path: model}]\n"
    )
    kit = kitline.pack(folder, f"{registry.host}/odd:v1")
    assert fetch(str(kit), "model").read_text() == "net"
    assert fetch(str(kit), "model/rows.csv").read_text() == "rows"


def test_the_model_of_a_base_kit_is_found_by_the_same_word(
    kit: str, registry: LocalRegistry, tmp_path: Path
) -> None:
    folder = tmp_path / "tuned"
    folder.mkdir()
    (folder / "notes.md").write_text("notes")
    (folder / "Kitfile").write_text(
        "manifestVersion: 1.0.0\npackage: {name: tuned}\n"
        f"model: {{name: net, path: '{registry.host}/demo:v1'}}\ndocs: [{{path: notes.md}}]\n"
    )
    tuned = kitline.pack(folder, f"{registry.host}/tuned:v1")
    assert (fetch(str(tuned), "model") / "net.bin").is_file()
    assert kit


def test_code_of_a_model_that_lies_in_a_base_kit_comes_with_it(
    registry: LocalRegistry, tmp_path: Path
) -> None:
    base, tuned = tmp_path / "base", tmp_path / "tuned"
    (base / "model/code").mkdir(parents=True)
    (base / "model/MLmodel").write_text("flavors: {}")
    (base / "model/code/helper.py").write_text("a = 1\n")
    (base / "other.py").write_text("b = 2\n")
    (base / "Kitfile").write_text(
        "manifestVersion: 1.0.0\npackage: {name: base}\nmodel: {name: net, path: model}\n"
        "code: [{path: model/code}, {path: other.py}]\n"
    )
    first = kitline.pack(base, f"{registry.host}/base:v1")
    tuned.mkdir()
    (tuned / "notes.md").write_text("notes")
    (tuned / "Kitfile").write_text(
        "manifestVersion: 1.0.0\npackage: {name: tuned}\n"
        f"model: {{name: net, path: '{registry.host}/base:v1'}}\ndocs: [{{path: notes.md}}]\n"
    )
    made = kitline.pack(tuned, f"{registry.host}/tuned:v1")
    (base / "model/code/helper.py").write_text("a = 'later'\n")
    kitline.pack(base, f"{registry.host}/base:v1")  # the tag moves on, the kit does not
    for found in (fetch(str(made), "model"), unpack(pin(str(made), "model"), tmp_path / "out")):
        assert (found / "MLmodel").is_file()
        assert (found / "code/helper.py").read_text() == "a = 1\n"
        assert not (found.parent / "other.py").exists()
    assert first.digest != made.digest


@pytest.mark.parametrize("model", ["/etc", "../../../etc", "a/../../b", ".."])
def test_a_kit_whose_model_lies_outside_of_it_leads_nowhere(
    registry: LocalRegistry, tmp_path: Path, model: str
) -> None:
    kit = packed(tmp_path / "kit", registry)
    manifest = requests.get(
        f"{registry.url}/v2/demo/manifests/v1", headers={"Accept": OCI_MANIFEST}, timeout=5
    ).json()
    config_url = f"{registry.url}/v2/demo/blobs/{manifest['config']['digest']}"
    config = requests.get(config_url, timeout=5).json()
    config["model"]["path"] = model
    body = json.dumps(config).encode()
    manifest["config"] |= {"digest": str(Digest.of(body)), "size": len(body)}
    for layer in manifest["layers"]:
        layer.pop("annotations", None)
    start = requests.post(f"{registry.url}/v2/demo/blobs/uploads/", timeout=5)
    location = urljoin(registry.url, start.headers["Location"])
    mark = "&" if "?" in location else "?"
    put = f"{location}{mark}digest={Digest.of(body)}"
    assert requests.put(put, data=body, timeout=5).status_code == 201
    hostile = requests.put(
        f"{registry.url}/v2/demo/manifests/hostile",
        data=json.dumps(manifest),
        headers={"Content-Type": manifest["mediaType"]},
        timeout=5,
    )
    assert hostile.status_code == 201, hostile.text
    with pytest.raises(KitlineError):  # by core, if it looks first
        fetch(f"{registry.host}/demo:hostile", "model")
    with pytest.raises(UnsafeLayer, match="which is outside of it"):
        list(meanings(KitOutline(parts=(), model=model), "model"))
    assert kit


def test_files_of_the_cache_are_read_only_and_keep_what_may_run(kit: str) -> None:
    found = fetch(kit, "model")
    assert (found / "net.bin").stat().st_mode & 0o777 == 0o444
    assert (found / "run.sh").stat().st_mode & 0o777 == 0o555


def test_a_copy_may_be_changed_and_the_cache_keeps_its_content(kit: str, tmp_path: Path) -> None:
    found = fetch(kit, "model")
    copy_out(found, tmp_path / "copy")
    copied = tmp_path / "copy" / "net.bin"
    assert copied.stat().st_mode & 0o777 == 0o644
    copied.write_text("mine")
    assert (found / "net.bin").read_bytes() == b"w" * 100_000
    assert sorted(each.name for each in copied.parent.iterdir()) == ["net.bin", "run.sh"]


def test_a_view_costs_no_space_and_takes_new_files(kit: str) -> None:
    found = fetch(kit, "model")
    seen = view(folder_of(pin(kit)), found, "model")
    (seen / "registered_model_meta").write_text("mine")
    assert (seen / "net.bin").samefile(found / "net.bin")
    assert not (found / "registered_model_meta").exists()
    assert view(folder_of(pin(kit)), found, "model") != seen


@pytest.mark.parametrize("harm", ["changed", "longer", "removed", "added", "no receipt", "linked"])
def test_a_damaged_entry_is_fetched_again(
    kit: str, registry: LocalRegistry, tmp_path: Path, harm: str
) -> None:
    found = fetch(kit, "model")
    file = found / "net.bin"
    file.chmod(0o644)
    {
        "changed": lambda: file.write_bytes(b"x" * 100_000),
        "longer": lambda: file.write_bytes(b"w" * 100_001),
        "removed": file.unlink,
        "added": lambda: (found / "extra.py").write_text("import os"),
        "no receipt": lambda: (found.parents[1] / "receipt.json").write_text("{"),
        "linked": lambda: (file.unlink(), file.symlink_to(tmp_path / "elsewhere")),
    }[harm]()
    registry.forget()
    again = fetch(kit, "model")
    assert (again / "net.bin").read_bytes() == b"w" * 100_000
    assert sorted(each.name for each in again.iterdir()) == ["net.bin", "run.sh"]
    assert blobs(registry) > 0


def test_bytecode_beside_code_is_no_damage(kit: str, registry: LocalRegistry) -> None:
    found = fetch(kit, "model")
    (found / "__pycache__").mkdir()
    (found / "__pycache__" / "a.pyc").write_text("bytes")
    registry.forget()
    assert fetch(kit, "model") == found
    assert blobs(registry) == 0


@pytest.mark.parametrize(
    "fault", [Fault.wrong_bytes(times=None), Fault.truncated(times=None)], ids=["wrong", "short"]
)
def test_content_that_is_not_its_digest_is_never_seen(
    kit: str, registry: LocalRegistry, fault: Fault
) -> None:
    fetch(kit, "Kitfile")  # knows the entries
    registry.inject(fault)
    with pytest.raises(VerificationError):
        fetch(kit, "model")
    cache = folder_of(pin(kit))
    assert [each.name for each in (cache / "entries").glob("*-model")] == []
    assert list((cache / "work").iterdir()) == []


def test_what_a_killed_process_left_goes_and_hides_nothing(kit: str) -> None:
    cache = folder_of(pin(kit))
    key = f"{kit.rpartition('@')[2].replace(':', '-')}-model"
    for name in (key, "sha256-0000-model"):
        (cache / "work" / name / "tree").mkdir(parents=True)
        (cache / "work" / name / "tree" / "half.bin").write_text("half")
    found = fetch(kit, "model")
    assert sorted(each.name for each in found.iterdir()) == ["net.bin", "run.sh"]
    assert list((cache / "work").iterdir()) == []


def test_many_threads_fetch_one_kit_once(kit: str, registry: LocalRegistry) -> None:
    fetch(kit, "Kitfile")
    registry.forget()
    registry.inject(Fault.stall(seconds=0.2, path=BLOBS))
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: fetch(kit, "lora.bin"), range(8)))
    assert len(found) == 1
    assert blobs(registry) == 2  # the layer and, to unpack it, the config


def test_many_processes_fetch_one_kit_once(kit: str, registry: LocalRegistry) -> None:
    program = (
        "import sys; from kitline_mlflow.cache import fetch\n"
        "print(fetch(sys.argv[1], 'lora.bin').read_text())"
    )
    fetch(kit, "Kitfile")
    registry.forget()
    registry.inject(Fault.stall(seconds=1.0, path=BLOBS))
    processes = [
        subprocess.Popen([sys.executable, "-c", program, kit], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert [each.communicate()[0] for each in processes] == ["lora\n"] * 4
    assert blobs(registry) == 2  # the layer and, to unpack it, the config


def in_another_process(kit: str, path: str = "") -> None:
    program = "import sys; from kitline_mlflow.cache import fetch; fetch(*sys.argv[1:])"
    subprocess.run([sys.executable, "-c", program, kit, path], check=True)


def entries(kit: str) -> set[str]:
    return {each.name.rpartition("-")[0] for each in (folder_of(pin(kit)) / "entries").iterdir()}


def test_the_least_recently_used_goes_first(
    registry: LocalRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KITLINE_CACHE_SIZE", "250000")
    kits = [
        packed(tmp_path / name, registry, name, filler)
        for name, filler in (("one", b"1"), ("two", b"2"), ("three", b"3"))
    ]
    names = [kit.rpartition("@")[2].replace(":", "-") for kit in kits]
    in_another_process(kits[0], "weights")
    in_another_process(kits[1], "weights")
    in_another_process(kits[0], "weights")
    in_another_process(kits[2], "weights")
    assert entries(kits[0]) == {names[0], names[2]}
    notes = folder_of(pin(kits[0])) / "notes"
    assert {each.name for each in notes.iterdir()} == {names[0], names[2]}


def test_what_a_living_process_uses_stays_even_beyond_the_limit(
    registry: LocalRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KITLINE_CACHE_SIZE", "1")
    kits = [packed(tmp_path / name, registry, name) for name in ("one", "two")]
    first = fetch(kits[0], "model")
    in_another_process(kits[1], "model")
    assert (first / "net.bin").exists()
    in_another_process(kits[1], "docs")
    assert len(entries(kits[0])) == 1


@pytest.mark.parametrize(
    ("text", "size"),
    [("", 10 << 30), ("0", 0), ("123", 123), ("2GB", 2 * 10**9), ("1.5", None), ("2 GiB", 2 << 30),
     ("10m", 10**7), ("-1", None), ("much", None), ("9" * 16, None)],
)  # fmt: skip
def test_the_size_of_the_cache_is_said_in_bytes_or_with_a_unit(
    monkeypatch: pytest.MonkeyPatch, text: str, size: int | None
) -> None:
    monkeypatch.setenv("KITLINE_CACHE_SIZE", text)
    if size is None:
        with pytest.raises(InvalidSetting, match="is not a size such as '20GiB'"):
            cache_size()
    else:
        assert cache_size() == size


def test_a_cache_that_cannot_be_written_is_said_to_be_that(kit: str, isolated_home: Path) -> None:
    (isolated_home / "kitline" / "cache").mkdir(parents=True, exist_ok=True)
    (isolated_home / "kitline" / "cache" / "kits").write_text("a file")
    with pytest.raises(TargetError, match="cannot keep a kit in the cache"):
        fetch(kit, "model")


def test_a_registry_that_is_down_is_a_clear_error(kit: str, registry: LocalRegistry) -> None:
    registry.stop()
    with pytest.raises(KitlineError, match=registry.host):
        fetch(kit, "model")


@pytest.mark.slow
def test_a_large_model_is_streamed(tmp_path: Path, registry: LocalRegistry) -> None:
    folder = tmp_path / "large"
    folder.mkdir()
    with (folder / "net.bin").open("wb") as file:
        for _ in range(200):
            file.write(os.urandom(1 << 20))
    (folder / "Kitfile").write_text(
        "manifestVersion: 1.0.0\npackage: {name: a}\nmodel: {name: net, path: net.bin}\n"
    )
    kit = kitline.pack(folder, f"{registry.host}/large:v1")
    program = (
        "import resource, sys; from kitline_mlflow.cache import fetch\n"
        "fetch(sys.argv[1], 'Kitfile')\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "fetch(sys.argv[1], 'model')\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(kit)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 64 << 10  # KiB
