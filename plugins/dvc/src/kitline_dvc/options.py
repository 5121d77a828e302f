"""Options of the importer: what `-o key=value` may say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from kitline.errors import UsageError
from kitline.plugin import check_options

if TYPE_CHECKING:
    from collections.abc import Mapping

_FLAGS = ("fill-cache", "parameters", "pipeline")
_TEXTS = ("cache-dir", "data", "remote", "repo", "rev", "split")
_KNOWN = tuple(sorted((*_FLAGS, *_TEXTS)))


@dataclass(frozen=True, kw_only=True)
class Split:
    """How a dataset is cut into partitions; `files` is None for one per directory."""

    files: int | None = None

    @property
    def text(self) -> str:
        """The option as it was given."""
        return "directory" if self.files is None else f"files:{self.files}"

    @classmethod
    def parse(cls, text: str) -> Split:
        """Read `directory` or `files:N`.

        Raises:
            UsageError: if it is neither, or N is no power of two.
        """
        if text == "directory":
            return cls()
        word, _, count = text.partition(":")
        if word == "files" and count.isascii() and count.isdigit() and len(count) < 10:
            number = int(count)
            if number > 1 and number & (number - 1) == 0:
                return cls(files=number)
        raise UsageError(
            f"option 'split' is {text!r}; write 'directory' or 'files:N' with N a power of two,"
            " such as 'files:1024'"
        )


@dataclass(frozen=True, kw_only=True)
class Options:
    """What may be chosen; names as with `-o`, with `_` for `-`."""

    repo: str | None = None
    rev: str | None = None
    remote: str | None = None
    cache_dir: str | None = None
    fill_cache: bool = False
    parameters: bool = False
    """Whether params and metrics of the whole repository are told, not only a stage's own."""
    pipeline: bool = False
    """Whether `dvc.yaml` and `dvc.lock` come along as code."""
    split: Split | None = None
    data: Literal["copy", "reference"] = "copy"

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> Options:
        """Read the options.

        Raises:
            UsageError: naming an option that is unknown or has an unusable value.
        """
        check_options(given, _KNOWN, "the dvc importer")
        for key in _TEXTS:
            if given.get(key) == "":
                raise UsageError(f"option {key!r} is empty")
        data = given.get("data", "copy")
        if data not in ("copy", "reference"):
            raise UsageError(f"option 'data' is {data!r}, neither 'copy' nor 'reference'")
        split = Split.parse(given["split"]) if "split" in given else None
        if split and data == "reference":
            raise UsageError("options 'split' and 'data=reference' exclude each other")
        return cls(
            repo=given.get("repo"),
            rev=given.get("rev"),
            remote=given.get("remote"),
            cache_dir=given.get("cache-dir"),
            fill_cache=_flag(given, "fill-cache"),
            parameters=_flag(given, "parameters"),
            pipeline=_flag(given, "pipeline"),
            split=split,
            data="reference" if data == "reference" else "copy",
        )


def _flag(given: Mapping[str, str], key: str) -> bool:
    value = given.get(key, "false").lower()
    if value not in ("true", "false"):
        raise UsageError(f"option {key!r} is {value!r}, neither 'true' nor 'false'")
    return value == "true"
