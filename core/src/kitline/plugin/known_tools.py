"""What kitline knows of other tools: which distribution reads them, which schemes are theirs.

Data only. It makes error messages helpful, and keeps a plugin from claiming another tool's names.
"""

from __future__ import annotations

from kitline.frozen import dataclass


@dataclass(frozen=True, kw_only=True)
class KnownTool:
    """A tool; `own_schemes` are the ones that it defines itself beside those with its name."""

    name: str
    distribution: str
    own_schemes: tuple[str, ...] = ()


KNOWN_TOOLS = (
    # https://mlflow.org/docs/latest/ml/concepts: "runs:/", "models:/"; prompts have "prompts:/"
    KnownTool(
        name="mlflow",
        distribution="kitline-mlflow",
        own_schemes=("runs", "models", "prompts"),
    ),
    KnownTool(name="dvc", distribution="kitline-dvc"),
    KnownTool(name="kfp", distribution="kitline-kfp"),
    KnownTool(name="airflow", distribution="kitline-airflow"),
)


def begins_with_tool(scheme: str, tool: str) -> bool:
    """Tell whether a scheme is the tool's name, alone or in front of `-`, `+` or `.`."""
    return scheme == tool or scheme.startswith(tuple(tool + joint for joint in "-+."))


def find_known_tool(scheme: str) -> KnownTool | None:
    """Return the tool that a scheme belongs to."""
    for tool in KNOWN_TOOLS:
        if scheme in tool.own_schemes or begins_with_tool(scheme, tool.name):
            return tool
    return None


def may_claim(plugin: str, scheme: str) -> bool:
    """Tell whether the plugin of that name may read sources of this scheme."""
    if begins_with_tool(scheme, plugin):
        return True
    return any(tool.name == plugin and scheme in tool.own_schemes for tool in KNOWN_TOOLS)
