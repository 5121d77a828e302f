from __future__ import annotations

import math
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from kitline.kit.kit_config import from_config, to_config
from kitline.kit.kitfile import (
    Code,
    Dataset,
    Docs,
    Kitfile,
    McpServer,
    Model,
    Package,
    Part,
    Prompt,
)
from kitline.kit.kitfile_write import write_kitfile
from kitline.kit.kitfile_yaml import read_kitfile

# What a YAML text can hold: no half surrogate pairs
TEXTS = st.text(max_size=12) | st.sampled_from(
    ["1.10", "yes", "null", "~", "2024-01-02", "<<", "a: b", "a #b", "- a", "a\nb\n", "1:30", "'"]
)
PATHS = st.integers(0, 10**6).map(lambda number: f"p{number}")
NUMBERS = (
    st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([1e16, 1e21, 1e-7, -0.0, 5e-324])
)
PARAMETERS = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)


@st.composite
def kitfiles(draw: st.DrawFn) -> Kitfile:
    """Draw a Kitfile without problems."""
    paths = iter(draw(st.lists(PATHS, min_size=8, max_size=8, unique=True)))
    model = Model(
        name=draw(TEXTS),
        path=next(paths),
        license=draw(TEXTS),
        framework=draw(TEXTS),
        format=draw(TEXTS),
        version=draw(TEXTS),
        description=draw(TEXTS),
        parts=(Part(name=draw(TEXTS), path=next(paths), license=draw(TEXTS), type="lo.ra"),),
        parameters=draw(PARAMETERS),
    )
    dataset = Dataset(
        name=draw(TEXTS),
        path=next(paths),
        remote_path=draw(st.sampled_from(["", "s3://bucket/key"])),
        description=draw(TEXTS),
        license=draw(TEXTS),
        parameters=draw(PARAMETERS),
    )
    if dataset.remote_path:
        dataset = Dataset(path=dataset.path, remote_path=dataset.remote_path, remote_hash="etag")
    package = Package(
        name=draw(TEXTS),
        version=draw(TEXTS),
        description=draw(TEXTS),
        license=draw(TEXTS),
        authors=tuple(draw(st.lists(TEXTS, max_size=3))),
    )
    return Kitfile(
        manifest_version=draw(TEXTS),
        package=package,
        model=draw(st.sampled_from([None, model])),
        code=(Code(path=next(paths), description=draw(TEXTS), license=draw(TEXTS)), Code(path="")),
        datasets=(dataset,),
        docs=tuple(draw(st.sampled_from([(), (Docs(path="d"), Docs(path="e", description=" "))]))),
        prompts=(Prompt(name=draw(TEXTS), path=next(paths)),),
        mcp_servers=(McpServer(name="srv", path="srv.mcpb", description=draw(TEXTS)),),
    )


@given(kitfiles())
@settings(max_examples=50, deadline=None)
def test_a_kitfile_that_is_written_reads_back_equal(kitfile: Kitfile) -> None:
    assert read_kitfile(write_kitfile(kitfile)).kitfile == kitfile


@given(kitfiles())
@settings(max_examples=50, deadline=None)
def test_a_config_that_is_written_reads_back_equal(kitfile: Kitfile) -> None:
    config = to_config(kitfile)

    found = from_config(config)

    assert (found.package, found.parts()) == (kitfile.package, kitfile.parts())
    # bytes and not values: JSON prints a float of 1e19 as the integer of the same digits
    assert to_config(found) == config


@given(PARAMETERS)
@settings(max_examples=100, deadline=None)
@example({"<<": 1, "=": 2, "x" * 2000: {"a\nb": ["\n", " a\nb", "a\n\n", "\t", "\x85", "\ufeff"]}})
@example([[[], {}], [[1]], {"a": [{"b": {}}]}, "---", "...", "#", "é", "😀"])
def test_parameters_keep_their_values_and_their_kinds(parameters: Any) -> None:
    written = write_kitfile(Kitfile(model=Model(path="a", parameters=parameters)))

    model = read_kitfile(written).kitfile.model

    assert model is not None
    assert to_config(Kitfile(model=model)) == to_config(
        Kitfile(model=Model(path="a", parameters=parameters))
    )


@settings(deadline=None)
@given(NUMBERS)
def test_other_yaml_readers_see_the_same_numbers(number: float) -> None:
    written = write_kitfile(Kitfile(model=Model(path="a", parameters=[number])))

    assert yaml.safe_load(written)["model"]["parameters"] == [number]


def test_the_layout_is_that_of_kit() -> None:
    kitfile = Kitfile(
        package=Package(name="007", authors=("One", "x, y", "1")),
        model=Model(path="m", parameters={"b": [1, [2.5, {}]], "a": "two\nlines\n"}),
        docs=(Docs(), Docs(path="d", description="a: b")),
    )

    assert (
        write_kitfile(kitfile)
        == """\
manifestVersion: 1.0.0
package:
  name: "007"
  authors: [One, 'x, y', "1"]
model:
  path: m
  parameters:
    a: |
      two
      lines
    b:
      - 1
      - - 2.5
        - {}
docs:
  - path: ""
  - path: d
    description: 'a: b'
"""
    )


def test_an_empty_package_is_left_out_and_an_empty_model_stays() -> None:
    assert write_kitfile(Kitfile(model=Model())) == "manifestVersion: 1.0.0\nmodel: {}\n"


def test_digests_and_unknown_keys_stay_out() -> None:
    model = Model(path="a", digest="sha256:" + "0" * 64, extra={"later": 1})

    assert write_kitfile(Kitfile(model=model)) == "manifestVersion: 1.0.0\nmodel:\n  path: a\n"


@pytest.mark.parametrize("value", [math.nan, math.inf, {1: 2}, object()])
def test_what_json_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises(ValueError):
        write_kitfile(Kitfile(model=Model(parameters=[value])))
