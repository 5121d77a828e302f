from __future__ import annotations

import pytest
from kitline.errors import SourceError
from kitline.kit.ignore import IgnoreRules

# Verdicts of moby/patternmatcher 0.6.1, as kit 1.15.0 uses it
VERDICTS = [
    ("*.tmp", "a.tmp", True),
    ("*.tmp", "src/a.tmp", False),
    ("**/*.tmp", "src/a.tmp", True),
    ("**/*.tmp", "a.tmp", True),
    ("/top.txt", "top.txt", True),
    ("top.txt", "sub/top.txt", False),
    ("**/__pycache__", "src/__pycache__/x.pyc", True),
    (".git", ".git/HEAD", True),
    ("model/*\n!model/keep.bin", "model", False),
    ("model/*\n!model/keep.bin", "model/keep.bin", False),
    ("model/*\n!model/keep.bin", "model/drop.bin", True),
    ("model\n!model/keep.bin", "model/keep.bin", False),
    ("!a\na", "a", True),
    ("a/**", "a", False),
    ("a/**", "a/b/c", True),
    ("**", "any/thing", True),
    ("a?c", "abc", True),
    ("a?c", "a/c", False),
    ("[a-c]x", "bx", True),
    ("[^a]x", "ax", False),
    ("[!a]x", "!x", True),
    (r"a\*", "a*", True),
    (r"a\*", "ab", False),
    ("a|b*", "bc", True),
    ("  ./d/../e/ ", "e/f", True),
    ("#a", "#a", False),
    ("a.b*", "axb", False),
    ("é?", "éà", True),
]


@pytest.mark.parametrize(("text", "path", "ignored"), VERDICTS)
def test_a_pattern_means_what_it_means_to_kit(text: str, path: str, ignored: bool) -> None:
    assert IgnoreRules.parse(text).ignores(path) is ignored


@pytest.mark.parametrize("name", ["Kitfile", "kitfile", ".kitfile", ".kitignore"])
def test_the_kitfile_at_the_root_is_left_out_whatever_the_rules_say(name: str) -> None:
    rules = IgnoreRules.parse(f"!{name}\n")
    assert rules.ignores(name)
    assert not rules.ignores(f"sub/{name}")


def test_a_byte_order_mark_does_not_count() -> None:
    assert IgnoreRules.parse("\ufeffa\r\n").ignores("a")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a[", "a class in '[…]' is not complete"),
        ("[]", "a class in '[…]' is not complete"),
        ("[a-]", "a class in '[…]' is not complete"),
        ("x\\", r"nothing follows '\\'"),
        ("!", "an exception names no path"),
        ("[b-a]", "bad character range b-a"),
    ],
)
def test_a_pattern_with_bad_syntax_is_shown(text: str, reason: str) -> None:
    with pytest.raises(SourceError) as caught:
        IgnoreRules.parse(text).ignores("a")
    assert str(caught.value).startswith(f"cannot use the pattern {text!r} of '.kitignore': ")
    assert reason.replace(r"\\", "\\") in str(caught.value)


def test_a_line_beyond_the_limit_is_refused() -> None:
    with pytest.raises(SourceError, match="a line is longer than 65536 bytes"):
        IgnoreRules.parse("a" * 70_000)
