from __future__ import annotations

import pytest
from kitline.errors import UsageError
from kitline.kit.filters import parse_filters
from kitline.kit.kitfile import Code, Dataset, Kitfile, Model, Part

KITFILE = Kitfile(
    model=Model(name="m", path="model.bin", parts=(Part(name="tok", path="t.json"),)),
    code=(Code(path="src/"),),
    datasets=(
        Dataset(name="train", path="./data/train/"),
        Dataset(name="val", path="data/val"),
        Dataset(name="far", path="far", remote_path="s3://b/k", remote_hash="e"),
    ),
)


def selected(*texts: str) -> list[str]:
    filters = parse_filters(texts)
    return [part.field for part in KITFILE.parts() if filters.selects(part)]


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("model", ["model", "model.parts[0]"]),
        ("model:tok", ["model.parts[0]"]),
        ("model:model.bin", ["model"]),
        ("datasets:train,data/val", ["datasets[0]", "datasets[1]"]),
        ("datasets:./data/train/", ["datasets[0]"]),
        ("datasets:data/train", ["datasets[0]"]),
        ("code,datasets:src,val", ["code[0]", "datasets[1]"]),
        ("code:src/", ["code[0]"]),
        ("code: src/", []),
        ("docs", []),
        ("kitfile", []),
    ],
)
def test_a_filter_selects_by_drawer_name_and_path(text: str, fields: list[str]) -> None:
    assert selected(text) == fields


def test_filters_add_up() -> None:
    assert selected("model:tok", "datasets:val") == ["model.parts[0]", "datasets[1]"]


def test_no_filter_selects_everything() -> None:
    assert len(selected()) == 5
    assert parse_filters([]).wants_kitfile


def test_the_kitfile_is_left_out_by_any_filter_that_does_not_name_it() -> None:
    assert not parse_filters(["model"]).wants_kitfile
    assert parse_filters(["model", "kitfile"]).wants_kitfile


def test_remote_entries_can_be_selected() -> None:
    (remote,) = KITFILE.remotes()

    assert parse_filters(["datasets:far"]).selects(remote)
    assert not parse_filters(["model"]).selects(remote)


def test_a_part_may_go_by_further_names() -> None:
    model = KITFILE.parts()[0]

    assert parse_filters(["model:parent"]).selects(model, "parent")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("models", "filter 'models': 'models' is not a drawer; known are kitfile, model, datasets"),
        ("", "filter '': '' is not a drawer"),
        ("model,", "'' is not a drawer"),
        ("model:a:b", "holds ':' twice"),
    ],
)
def test_a_malformed_filter_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_filters([text])
