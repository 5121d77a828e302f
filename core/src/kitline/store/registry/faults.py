"""Faults: what a registry's refusal, or its silence, means to people.

Source: OCI distribution specification, "Error codes". Classed by status first, because the codes
differ between registries for one and the same cause.
"""

from __future__ import annotations

import re

from kitline.errors import (
    KitlineError,
    QuotaExceeded,
    RegistryError,
    RegistryUnreachable,
    RepositoryNotFound,
)
from kitline.frozen import dataclass
from kitline.oci.json import decode
from kitline.store.registry.light_requests import requests, urllib3_errors
from kitline.store.registry.retry import PASSING, retry_after

ERROR_LIMIT = 64 << 10
"""Most bytes of an error answer that are looked at."""
_SECRET = r"(?i)\b(bearer|basic|token|password|authorization)\b(\s*[:=]?\s*)(\S{8,})"
_ADDRESS = r"(https?://)[^\s/@]*@|([?&][^\s=&]+=)[^\s&\"']+"
_NO_BUNDLE = "suitable TLS CA certificate bundle"
_BROKEN: tuple[type[Exception], ...] = (
    requests.RequestException,
    urllib3_errors.HTTPError,
    OSError,
)


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """What a registry said with an error status; `text` is short and holds no secret."""

    status: int
    code: str = ""
    text: str = ""

    @classmethod
    def of(cls, response: requests.Response) -> Refusal:
        """Read the first error of an answer, however it is formed."""
        body = response.content[:ERROR_LIMIT]
        code, text = "", ""
        try:
            first = decode(body)["errors"][0]
            code, text = str(first.get("code") or ""), str(first.get("message") or "")
            detail = first.get("detail")
            text += f" ({detail})" if isinstance(detail, str) and detail not in text else ""
        except (ValueError, KeyError, IndexError, TypeError, AttributeError):
            if "html" not in response.headers.get("Content-Type", ""):
                text = body.decode("utf-8", "replace")
        return cls(status=response.status_code, code=clean(code, 60), text=clean(text, 300))

    def __str__(self) -> str:
        said = " ".join(part for part in (self.code and f"{self.code}:", self.text) if part)
        return f"HTTP {self.status}" + (f", {said.rstrip(':')}" if said else "")


class RegistryBusy(RegistryUnreachable):
    """The registry cannot answer now; `pause` is how many seconds it asks to wait, if it does."""

    def __init__(self, message: str, *, pause: float | None) -> None:
        super().__init__(message)
        self.pause = pause


def clean(text: str, limit: int) -> str:
    """Return text from outside on one line, shortened, without what looks like a secret."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    line = re.sub(_SECRET, r"\1\2…", re.sub(_ADDRESS, r"\1\2…", line))
    return line if len(line) <= limit else line[:limit] + "…"


def refusal_error(response: requests.Response, what: str, registry: str) -> KitlineError:
    """Return the error for an answer that nobody expected; `what` says what was attempted."""
    found = Refusal.of(response)
    words = f"{found.code} {found.text}".lower()
    told = f"{what}: the registry answered {found}"
    if found.status in PASSING:
        pause = retry_after(response)
        wait = f"it asks to wait {pause:.0f} s" if pause else "try again later"
        return RegistryBusy(f"{told}; {wait}", pause=pause)
    if found.status in (400, 403, 413, 507) and _means_quota(found.status, words):
        return _made(QuotaExceeded, f"{told}; make room or ask for a larger quota", found)
    if found.status == 413:
        told += "; a proxy in front of the registry may limit requests: send smaller chunks"
    if found.status == 404 and _means_no_repository(found.code, words):
        return RepositoryNotFound(told + creation_hint(registry))
    if found.status == 400 and "https server" in words:
        told += "; it speaks TLS: leave plain HTTP off"
    return _made(RegistryError, told, found)


def denial_error(response: requests.Response, denied: RegistryError, what: str) -> KitlineError:
    """Return the error for a final 401 or 403: `denied`, or want of room."""
    found = Refusal.of(response)
    if _means_quota(found.status, f"{found.code} {found.text}".lower()):
        return refusal_error(response, what, "")
    return _made(type(denied), f"{denied}; the registry answered {found}", found)


def _made(kind: type[RegistryError], message: str, found: Refusal) -> RegistryError:
    return kind(message, status=found.status, code=found.code)


def _means_quota(status: int, words: str) -> bool:
    quota = ("quota", "storage limit", "storage resource", "upper limit", "out of space")
    return status == 507 or any(word in words for word in quota)


def _means_no_repository(code: str, words: str) -> bool:
    return code in ("NAME_UNKNOWN", "NAME_INVALID") or "repository" in words


def creation_hint(registry: str) -> str:
    """Say how a repository comes to be, where a first push does not make it."""
    if ".dkr.ecr." in registry or "ecr-public" in registry or "public.ecr.aws" in registry:
        return "; create it first: 'aws ecr create-repository --repository-name NAME'"
    if registry.endswith(".pkg.dev"):
        return "; create it first: 'gcloud artifacts repositories create NAME'"
    return "; check the name, or create the repository (in some registries: the project) first"


def is_broken(error: BaseException) -> bool:
    """Tell whether an exception means a broken connection, and not a fault of ours."""
    return isinstance(error, _BROKEN) and not isinstance(
        error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema
    )


def is_final(error: BaseException) -> bool:
    """Tell whether a broken connection will not mend: wrong certificate, no TLS there."""
    return isinstance(error, requests.exceptions.SSLError) and any(
        words in str(error)
        for words in (
            "CERTIFICATE",
            "certificate",
            "WRONG_VERSION",
            "wrong version",
            "record layer",
        )
    )


def is_absent(error: BaseException) -> bool:
    """Tell whether nobody listens there at all."""
    return any(words in str(error) for words in ("refused", "NameResolutionError", "resolve"))


def unreachable(error: BaseException, what: str, address: str) -> RegistryUnreachable:
    """Return the error for a connection that broke; `address` is scheme and host."""
    text = str(error)
    if _NO_BUNDLE in text:
        reason = f"no file with CA certificates where the settings say: {clean(text, 300)}"
    elif "refused" in text:
        reason = f"nothing listens at {address} (connection refused); is it running?"
    elif "NameResolutionError" in text or "resolve" in text:
        reason = f"the name in {address} is not known; check its spelling and the network"
    elif is_final(error) and (
        "WRONG_VERSION" in text or "record layer" in text or "wrong version" in text
    ):
        reason = f"{address} does not speak TLS; if plain HTTP is meant, say so (plain_http)"
    elif is_final(error):
        reason = f"the certificate of {address} is not trusted; name its CA file"
    elif "timed out" in text.lower() or isinstance(error, TimeoutError):
        reason = f"{address} did not answer in time"
    else:
        reason = f"the connection to {address} broke ({clean(type(error).__name__, 60)})"
    return RegistryUnreachable(f"{what}: {reason}")
