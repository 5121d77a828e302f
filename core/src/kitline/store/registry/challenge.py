"""Challenges: what a `WWW-Authenticate` header asks for, read strictly.

Source: RFC 9110 sections 5.6 and 11.6.1 (a list of challenges, quoted strings), RFC 6750
(Bearer), distribution's token specification (`realm`, `service`, `scope`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from kitline.errors import MalformedContent, RegistryError
from kitline.frozen import dataclass
from kitline.store.registry.origin import Origin
from kitline.store.registry.scopes import Scope

if TYPE_CHECKING:
    from collections.abc import Mapping

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = r'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"'
_END = r"[ \t]*(?=,|\Z)"
_SEPARATOR = re.compile(r"[ \t,]*")
_SCHEME = re.compile(rf"({_TOKEN})(?: +|(?=[\t,]|\Z))")
_PARAMETER = re.compile(rf"({_TOKEN})[ \t]*=[ \t]*({_TOKEN}|{_QUOTED}){_END}")
_TOKEN68 = re.compile(rf"[A-Za-z0-9._~+/-]+=*{_END}")
_LONGEST = 16 << 10


@dataclass(frozen=True, kw_only=True)
class Challenge:
    """One way in which a registry would accept a request: a scheme and its parameters."""

    scheme: str
    parameters: Mapping[str, str]

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """What a token must allow, as far as the registry says it."""
        return tuple(Scope.parse(text) for text in self.parameters.get("scope", "").split())


def parse_challenges(header: str) -> tuple[Challenge, ...]:
    """Read the header; several of them may have been joined by commas.

    Raises:
        MalformedContent: where it breaks the grammar.
    """
    if len(header) > _LONGEST:
        raise MalformedContent(f"the challenge has {len(header)} characters, more than {_LONGEST}")
    found: list[tuple[str, dict[str, str]]] = []
    position = _skip(header, 0)
    while position < len(header):
        if found and (parameter := _PARAMETER.match(header, position)):
            _add(found[-1][1], parameter[1].lower(), _unquote(parameter[2]))
            end = parameter.end()
        elif scheme := _SCHEME.match(header, position):
            found.append((scheme[1].lower(), {}))
            token68 = _TOKEN68.match(header, scheme.end())
            end = token68.end() if token68 and header[scheme.end() - 1] == " " else scheme.end()
        else:
            shown = header[position : position + 40]
            raise MalformedContent(f"the challenge cannot be read from {shown!r} on")
        position = _skip(header, end)
    return tuple(Challenge(scheme=scheme, parameters=values) for scheme, values in found)


def get_realm(challenge: Challenge, origin: Origin) -> str:
    """Return the absolute address of the token service that a Bearer challenge names.

    Raises:
        MalformedContent: if there is none or it may not get credentials: another scheme than
            https (http if `origin` is), user info or a fragment in it.
    """
    realm = challenge.parameters.get("realm", "")
    if not realm:
        raise MalformedContent("the Bearer challenge names no realm")
    try:
        address = urljoin(f"{origin}/", realm)
        scheme = Origin.of(address).scheme
    except (RegistryError, ValueError) as cause:
        raise MalformedContent(f"the realm {realm!r} is not an address") from cause
    if "#" in realm or not all("!" <= character <= "~" for character in realm):
        raise MalformedContent(f"the realm {realm!r} is not the plain address of a token service")
    if scheme == "http" and origin.scheme != "http":
        raise MalformedContent(
            f"the realm {realm!r} is not https; credentials are not sent in the clear"
        )
    return address


def _skip(header: str, position: int) -> int:
    match = _SEPARATOR.match(header, position)
    return match.end() if match else position


def _add(values: dict[str, str], name: str, value: str) -> None:
    if name in values:
        raise MalformedContent(f"the challenge names {name!r} twice")
    values[name] = value


def _unquote(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text
