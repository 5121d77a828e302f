"""Redaction: addresses in messages lose their user, password and secret query values."""

from __future__ import annotations

import re

# as much as possible up to the last '@' before the path: passwords may hold '@' and ':'
_USER = re.compile(r"(?<=://)[^/\s'\"<>]*@")


# signed addresses (X-Amz-Signature, sig) and tokens that people put into a query
_QUERY = re.compile(
    r"(?i)([?&;](?:[\w.-]*(?:token|secret|passw|signature|credential|api_?key|access_?key)[\w.-]*"
    r"|sig|key|auth)=)[^&;#\s'\"<>]+"
)


def without_passwords(text: str) -> str:
    """Return a text in which addresses hold no secret.

    Every `scheme://user:password@host` reads `scheme://host`, and values of a query that are
    secret by their name (`?token=…`, `&X-Amz-Signature=…`) read `…`.
    """
    return _QUERY.sub(r"\1…", _USER.sub("", text))
