from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kitline.errors import InvalidConfig
from kitline.kit.kitfile import Code, Docs, Kitfile, Model, Part, Prompt
from kitline.kit.pairing import pair_parts
from kitline.oci import media_types
from kitline.oci.descriptor import Descriptor
from kitline.oci.digest import Digest


def layer(
    base: str, content: str, path: str | None = None, *, is_prompt: bool = False
) -> Descriptor:
    annotations = {media_types.FILEPATH: path} if path else {}
    if is_prompt:
        annotations[media_types.LAYER_SUBTYPE] = "prompt"
    return Descriptor(
        media_type=f"application/vnd.kitops.modelkit.{base}.v1.tar",
        digest=Digest.of(content.encode()),
        size=1,
        annotations=annotations,
    )


def digest(content: str) -> str:
    return str(Digest.of(content.encode()))


def fields(kitfile: Kitfile, layers: list[Descriptor]) -> dict[str, int]:
    """Return the number of the layer of each entry."""
    return {
        part.field: next(n for n, each in enumerate(layers) if each is found)
        for part, found in pair_parts(kitfile, layers)
    }


def test_digests_decide_whatever_the_order_and_the_paths_are() -> None:
    kitfile = Kitfile(
        code=(Code(path="a", digest=digest("A")),), docs=(Docs(path="b", digest=digest("B")),)
    )
    layers = [layer("docs", "B", "elsewhere"), layer("model", "undeclared"), layer("code", "A")]

    assert fields(kitfile, layers) == {"code[0]": 2, "docs[0]": 0}


def test_paths_decide_where_digests_repeat() -> None:
    same = digest("same")
    kitfile = Kitfile(code=(Code(path="./a", digest=same), Code(path="b/", digest=same)))
    layers = [layer("code", "same", "b"), layer("code", "same", "a")]

    assert fields(kitfile, layers) == {"code[0]": 1, "code[1]": 0}


def test_one_layer_may_serve_two_entries_of_equal_content() -> None:
    same = digest("same")
    kitfile = Kitfile(code=(Code(path="a", digest=same), Code(path="b", digest=same)))

    assert fields(kitfile, [layer("code", "same", "a")]) == {"code[0]": 0, "code[1]": 0}


def test_kits_without_digests_are_paired_by_position_within_a_kind() -> None:
    kitfile = Kitfile(
        model=Model(path="m", parts=(Part(path="p"), Part(path="q"))),
        code=(Code(path="c"),),
        prompts=(Prompt(path="t"),),
    )
    layers = [
        layer("modelpart", "p"),
        layer("unknown", "?"),
        layer("code", "t", is_prompt=True),
        layer("modelpart", "q"),
        layer("model", "m"),
        layer("code", "c"),
    ]

    assert fields(kitfile, layers) == {
        "model": 4,
        "model.parts[0]": 0,
        "model.parts[1]": 3,
        "code[0]": 5,
        "prompts[0]": 2,
    }


def test_kits_without_digests_are_paired_by_path_first() -> None:
    kitfile = Kitfile(docs=(Docs(path="a"), Docs(path="./b")))
    layers = [layer("docs", "2", "b"), layer("docs", "3", "undeclared"), layer("docs", "1", "a")]

    assert fields(kitfile, layers) == {"docs[0]": 2, "docs[1]": 0}


def test_a_digest_that_no_layer_has_is_named() -> None:
    kitfile = Kitfile(model=Model(path="m", digest=digest("m"), parts=(Part(digest=digest("p")),)))

    with pytest.raises(InvalidConfig, match=r"^model\.parts\[0\]: its layer sha256:.* is not in"):
        pair_parts(kitfile, [layer("model", "m")])


def test_entries_with_and_without_digests_are_refused() -> None:
    kitfile = Kitfile(code=(Code(digest=digest("a")),), docs=(Docs(path="d"),))

    with pytest.raises(InvalidConfig, match=r"some do not: docs\[0\]$"):
        pair_parts(kitfile, [layer("code", "a"), layer("docs", "d")])


@pytest.mark.parametrize("count", [0, 1, 3])
def test_too_few_and_too_many_layers_are_refused_where_position_decides(count: int) -> None:
    kitfile = Kitfile(docs=(Docs(path="a"), Docs(path="b")))

    with pytest.raises(InvalidConfig, match=rf"{count} docs layers .* 2 entries \(docs\[0\], docs"):
        pair_parts(kitfile, [layer("docs", str(number)) for number in range(count)])


def test_a_layer_of_an_unknown_kind_cannot_be_an_entry() -> None:
    kitfile = Kitfile(docs=(Docs(path="a", digest=digest("1")),))

    with pytest.raises(InvalidConfig, match=r"docs\[0\]: its layer has the media type '.*unknown"):
        pair_parts(kitfile, [layer("unknown", "1")])


def test_a_kit_without_entries_has_no_pairs() -> None:
    assert pair_parts(Kitfile(), [layer("docs", "1")]) == []


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.none() | st.sampled_from("xy")), max_size=4),
    st.lists(
        st.builds(
            layer,
            st.sampled_from(["code", "docs", "unknown"]),
            st.sampled_from("xy"),
            st.none() | st.sampled_from("ab"),
        ),
        max_size=4,
    ),
)
def test_any_kit_is_paired_or_refused(
    entries: list[tuple[str, str | None]], layers: list[Descriptor]
) -> None:
    docs = tuple(Docs(path=path, digest=text and digest(text)) for path, text in entries)
    try:
        pairs = pair_parts(Kitfile(docs=docs), layers)
    except InvalidConfig:
        return
    assert [part.path for part, _ in pairs] == [each.path for each in docs]
    assert all(part.digest in (None, str(found.digest)) for part, found in pairs)
