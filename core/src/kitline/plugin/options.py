"""The `-o` options of importers and exporters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def check_options(given: Mapping[str, str], known: Collection[str], of: str) -> None:
    """Refuse options that `of`, such as `"the dvc importer"`, does not have.

    Raises:
        UsageError: naming the first of them, and those that there are.
    """
    for name in given:
        if name not in known:
            raise UsageError(f"{of} has no option {name!r}; known are {', '.join(known)}")
