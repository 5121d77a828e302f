"""Options of the exporter: what `-o key=value` may say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from kitline.errors import UsageError
from kitline.plugin import check_options

from kitline_mlflow.aliases import RULE, is_alias
from kitline_mlflow.options import is_true

if TYPE_CHECKING:
    from collections.abc import Mapping

Mode = Literal["source", "pointer", "copy"]
MODES: tuple[Mode, ...] = get_args(Mode)
_KNOWN = ("alias", "as", "experiment", "prompts", "register", "tracking_uri")


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """What to make of a kit, and where."""

    mode: Mode = "source"
    register: str | None = None
    """The registered model that gets a version."""
    aliases: tuple[str, ...] = ()
    experiment: str | None = None
    """Name of the experiment for runs and logged models; None: the one that the run came from."""
    prompts: bool = True
    tracking_uri: str | None = None

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> ExportOptions:
        """Read the options.

        Raises:
            UsageError: naming an option that is unknown or has an unusable value.
        """
        check_options(given, _KNOWN, "the mlflow exporter")
        aliases = tuple(each.strip() for each in given.get("alias", "").split(",") if each.strip())
        register = _name(given, "register")
        if aliases and register is None and given.get("prompts") == "false":
            raise UsageError("option 'alias' needs a version to point at: add '-o register=NAME'")
        return cls(
            mode=_mode(given.get("as", "source")),
            register=register,
            aliases=tuple(_alias(each) for each in aliases),
            experiment=_name(given, "experiment"),
            prompts=is_true(given, "prompts", default=True),
            tracking_uri=given.get("tracking_uri"),
        )


def _mode(text: str) -> Mode:
    for mode in MODES:
        if text == mode:
            return mode
    raise UsageError(f"option 'as' is {text!r}, none of {', '.join(map(repr, MODES))}")


def _name(given: Mapping[str, str], key: str) -> str | None:
    name = given.get(key)
    if name is not None and (not name.strip() or (key == "register" and set(name) & set("/:"))):
        raise UsageError(f"option {key!r} is {name!r}; MLflow takes no such name")
    return name


def _alias(text: str) -> str:
    if not is_alias(text):
        raise UsageError(f"option 'alias' is {text!r}, none that MLflow takes: {RULE}")
    return text
