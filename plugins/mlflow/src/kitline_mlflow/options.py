"""Options of the importer: what `-o key=value` may say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kitline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_KNOWN = ("allow-unfinished", "model", "tracking_uri")


@dataclass(frozen=True, kw_only=True)
class Options:
    """`model` picks one of several logged models by id; the others are as they say."""

    model: str | None = None
    tracking_uri: str | None = None
    allow_unfinished: bool = False

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> Options:
        """Read the options.

        Raises:
            UsageError: naming an option that is unknown or has an unusable value.
        """
        for key in given:
            if key not in _KNOWN:
                raise UsageError(
                    f"the mlflow importer has no option {key!r}; known are {', '.join(_KNOWN)}"
                )
        allow = given.get("allow-unfinished", "false").lower()
        if allow not in ("true", "false"):
            raise UsageError(f"option 'allow-unfinished' is {allow!r}, neither 'true' nor 'false'")
        return cls(
            model=given.get("model"),
            tracking_uri=given.get("tracking_uri"),
            allow_unfinished=allow == "true",
        )
