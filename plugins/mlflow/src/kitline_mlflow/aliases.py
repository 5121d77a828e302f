"""Aliases: which names MLflow lets a version of a model or a prompt have."""

from __future__ import annotations

import re

_ALIAS = re.compile(r"(?!latest\Z)(?![vV][0-9]+\Z)[A-Za-z0-9_-]{1,255}\Z", re.ASCII)
RULE = "letters, digits, '-' and '_', and neither 'latest' nor 'v1', 'v2'…"
"""What an alias may be, for messages."""


def is_alias(text: str) -> bool:
    """Tell whether MLflow takes a text as an alias."""
    return _ALIAS.match(text) is not None
