"""Options of the importer: what `-o key=value` may say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from kitline.errors import UsageError
from kitline.plugin import check_options

if TYPE_CHECKING:
    from collections.abc import Mapping

RECIPE = "mlflow/2"
RECIPES = ("mlflow/1", RECIPE)
DRAWERS = ("model", "code", "docs", "prompts", "datasets")
DEFAULT_DRAWERS = frozenset({"model", "code", "prompts"})
Normalise = Literal["off", "mlmodel", "skops"]
_KNOWN = (
    *("allow-unfinished", "artifact-hosts", "drawers", "local-artifacts", "model", "normalize"),
    *("recipe", "redact", "run-facts", "tracking_uri", "traces"),
)


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the user chose; the defaults give the faithful kit of a finished run's one model."""

    model: str | None = None
    """Id or name of one of several logged models."""
    tracking_uri: str | None = None
    allow_unfinished: bool = False
    drawers: frozenset[str] = DEFAULT_DRAWERS
    normalise: Normalise = "off"
    """`mlmodel` drops MLmodel's volatile fields, `skops` rewrites skops files as well."""
    facts_in_kit: bool = False
    traces: bool = False
    local_artifacts: bool = False
    """Whether a server elsewhere may name folders of this machine."""
    artifact_hosts: tuple[str, ...] = ()
    """Further hosts that may be sent the tracking server's credentials."""
    redact: str = ""
    recipe: str = RECIPE

    @property
    def is_default(self) -> bool:
        """Whether the kit's content is what it is without options."""
        return (self.drawers, self.normalise, self.facts_in_kit, self.redact, self.recipe) == (
            *(DEFAULT_DRAWERS, "off", False, "", RECIPE),
        )

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> Options:
        """Read the options.

        Raises:
            UsageError: naming an option that is unknown or has an unusable value.
        """
        check_options(given, _KNOWN, "the mlflow importer")
        return cls(
            model=given.get("model"),
            tracking_uri=given.get("tracking_uri"),
            allow_unfinished=is_true(given, "allow-unfinished"),
            drawers=_drawers(given.get("drawers")),
            normalise=_normalise(given.get("normalize", "false")),
            facts_in_kit=_one_of(given, "run-facts", ("statement", "in-kit")) == "in-kit",
            traces=is_true(given, "traces"),
            local_artifacts=is_true(given, "local-artifacts"),
            artifact_hosts=tuple(
                each.strip() for each in given.get("artifact-hosts", "").split(",") if each.strip()
            ),
            redact=given.get("redact", ""),
            recipe=_one_of({"recipe": RECIPE} | dict(given), "recipe", RECIPES),
        )


def is_true(given: Mapping[str, str], key: str, *, default: bool = False) -> bool:
    """Read an option that is `true` or `false`.

    Raises:
        UsageError: if it is neither.
    """
    value = given.get(key, str(default)).lower()
    if value not in ("true", "false"):
        raise UsageError(f"option {key!r} is {value!r}, neither 'true' nor 'false'")
    return value == "true"


def _one_of(given: Mapping[str, str], key: str, known: tuple[str, ...]) -> str:
    value = given.get(key, known[0])
    if value not in known:
        raise UsageError(f"option {key!r} is {value!r}, none of {', '.join(known)}")
    return value


def _drawers(text: str | None) -> frozenset[str]:
    if text is None:
        return DEFAULT_DRAWERS
    found = frozenset(each.strip() for each in text.split(",") if each.strip())
    for each in sorted(found):
        if each not in DRAWERS:
            raise UsageError(f"option 'drawers' holds {each!r}, none of {', '.join(DRAWERS)}")
    if not found:
        raise UsageError(f"option 'drawers' names none of {', '.join(DRAWERS)}")
    return found


def _normalise(text: str) -> Normalise:
    value = {"false": "off", "true": "mlmodel"}.get(text.lower(), text.lower())
    for each in get_args(Normalise):
        if value == each:
            return each  # type: ignore[no-any-return] # one of the literals
    raise UsageError(f"option 'normalize' is {text!r}, none of false, true, mlmodel, skops")
