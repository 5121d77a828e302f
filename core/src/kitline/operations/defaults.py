"""What a verb uses when its caller brings nothing: the user's settings and installed plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.operations.settings import Settings

if TYPE_CHECKING:
    from kitline.plugin.manager import Plugins


def settings_or_default(settings: Settings | None) -> Settings:
    """Return the settings given, else those of files and environment."""
    return Settings.load() if settings is None else settings


def plugins_or_default(plugins: Plugins | None, settings: Settings) -> Plugins:
    """Return the plugins given, else the installed ones."""
    if plugins is not None:
        return plugins
    from kitline.plugin.manager import Plugins

    return Plugins.load(disabled=settings.disable_plugins)
