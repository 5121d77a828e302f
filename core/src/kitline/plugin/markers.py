"""The two markers of pluggy under the project name `kitline`."""

from __future__ import annotations

import pluggy

PROJECT = "kitline"
"""pluggy's project name, and the entry-point group of plugins."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
