"""Names of files mean the same on every machine only where Python takes them for UTF-8."""

from __future__ import annotations

import sys

from kitline.errors import InvalidSetting


def require_utf8_names() -> None:
    """Refuse to work where file names would be read or written in another encoding.

    The same files would get another digest there. Python uses UTF-8 unless the locale names an
    older encoding; then PYTHONUTF8=1 makes it do so.

    Raises:
        InvalidSetting: naming the encoding and what to set.
    """
    encoding = sys.getfilesystemencoding()
    if encoding != "utf-8":
        raise InvalidSetting(
            "LC_ALL or LANG",
            "environment",
            f"file names would be taken for {encoding!r}, which gives other names and digests than"
            " elsewhere; set PYTHONUTF8=1 or a UTF-8 locale",
        )
