"""Redaction: addresses in messages lose their user and password."""

from __future__ import annotations

import re

# as much as possible up to the last '@' before the path: passwords may hold '@' and ':'
_USER = re.compile(r"(?<=://)[^/\s'\"<>]*@")


def without_passwords(text: str) -> str:
    """Return a text in which every `scheme://user:password@host` reads `scheme://host`."""
    return _USER.sub("", text)
