"""Which DVC kitline knows from inside: 3.60 to 3.x, checked against 3.67.1."""

from __future__ import annotations

from kitline.errors import PluginError

OLDEST, BEFORE = (3, 60), (4, 0)


def check_version() -> None:
    """Refuse a DVC whose inside nobody has looked at.

    Raises:
        PluginError: saying which version is there and which is wanted.
    """
    from dvc import __version__ as found

    parts = tuple(int(each) if each.isdigit() else 0 for each in found.split(".")[:2])
    if not OLDEST <= parts < BEFORE:
        raise PluginError(
            f"kitline-dvc reads the inside of DVC 3.60 to 3.x, and found {found};"
            " install 'dvc>=3.60,<4'"
        )
