"""Redaction: what looks like a secret does not leave MLflow.

Values are replaced where their key says that they are secret, and within texts where the text has
the form of one. The built-in patterns always hold; `KITLINE_MLFLOW_REDACT` and `-o redact=` add
regular expressions, separated by spaces or commas, that are looked for in keys and in values.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from kitline.errors import UsageError
from kitline.plugin import without_passwords

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "KITLINE_MLFLOW_REDACT"
REDACTED = "[redacted]"

# whole words at the end of a key: 'max_tokens', 'tokenizer' and 'author' are no secrets
_SECRET_KEY = re.compile(
    r"(?:\A|[^A-Za-z0-9]|(?<=[a-z]))"
    r"(?:password|passwd|passphrase|pwd|secret|secrets|api[-_]?key|apikey|access[-_]?key(?:[-_]?id)?"
    r"|private[-_]?key|secret[-_]?key|account[-_]?key|signing[-_]?key|encryption[-_]?key|credential"
    r"|credentials|authorization|connection[-_]?string|client[-_]?secret|cookie"
    r"|(?:access|auth|api|bearer|refresh|session|id|hf|github|gitlab|security|sas|bot|oauth)"
    r"[-_]?token)\Z",
    re.IGNORECASE,
)
_PLAIN_TOKEN = re.compile(r"(?:\A|.*[./])token\Z", re.IGNORECASE)
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>\\]+")
_SIGNED = re.compile(
    r"(?:\A|&)(?:x-amz-[a-z-]+|x-goog-[a-z-]+|x-oss-[a-z-]+|awsaccesskeyid|googleaccessid|sig|se|sp"
    r"|signature|expires|policy|key-pair-id|token|access_token|auth|key|api_?key|password|secret"
    r"|client_secret|private_token)=",
    re.IGNORECASE,
)
_SECRET_VALUE = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}|\bglpat-[A-Za-z0-9_-]{16,}"
    r"|\bhf_[A-Za-z0-9]{20,}|\bsk-[A-Za-z0-9_-]{20,}|\bxox[abprs]-[A-Za-z0-9-]{10,}"
    r"|\bdapi[0-9a-f]{32}\b|\bAIza[0-9A-Za-z_-]{35}|\bnpm_[A-Za-z0-9]{30,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"
    r"|(?<=[Bb]earer )[A-Za-z0-9._~+/-]{8,}=*|(?<=[Bb]asic )[A-Za-z0-9+/]{8,}=*"
    r"|(?<=AccountKey=)[A-Za-z0-9+/]{16,}=*"
    r"|(?<=--password[= ])\S+|(?<=--token[= ])\S+|(?<=--api-key[= ])\S+|(?<=--secret[= ])\S+",
    re.DOTALL,
)


@dataclass(kw_only=True)
class Redactor:
    """Replaces secrets, and remembers where."""

    more: tuple[re.Pattern[str], ...] = ()
    found: set[str] = field(default_factory=set)
    """Names of the fields that were changed."""

    @classmethod
    def parse(cls, option: str = "") -> Redactor:
        """Read the patterns of `KITLINE_MLFLOW_REDACT` and of the option.

        Raises:
            UsageError: if one is no regular expression.
        """
        patterns = []
        for text in re.split(r"[,\s]+", f"{os.environ.get(VARIABLE, '')} {option}"):
            if not text:
                continue
            try:
                patterns.append(re.compile(text, re.IGNORECASE))
            except re.error as cause:
                raise UsageError(
                    f"cannot redact by {text!r}, which is no regular expression: {cause};"
                    f" change {VARIABLE} or '-o redact=…'"
                ) from cause
        return cls(more=tuple(patterns))

    def mapping(self, fields: Mapping[str, str], what: str) -> dict[str, str]:
        """Return the fields sorted by key, secrets replaced; `what` names them in `found`."""
        return {key: self.value(key, fields[key], what) for key in sorted(fields)}

    def value(self, key: str, value: str, what: str) -> str:
        """Return a value, replaced if its key or its form says that it is secret."""
        if _is_secret_key(key) or any(each.search(key) for each in self.more):
            cleaned = REDACTED if value else value
        else:
            cleaned = self.text(value)
        if cleaned != value:
            self.found.add(f"{what} {key!r}")
        return cleaned

    def text(self, text: str) -> str:
        """Return a text without what has the form of a secret; JSON is looked into."""
        if text[:1] in ("{", "["):
            try:
                parsed = json.loads(text)
            except (ValueError, RecursionError):
                pass
            else:
                cleaned = self._json(parsed)
                if cleaned != parsed:
                    return json.dumps(cleaned, sort_keys=True, ensure_ascii=False)
                return text
        return self._plain(text)

    def _json(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: REDACTED
                if isinstance(each, str)
                and each
                and (_is_secret_key(key) or any(p.search(key) for p in self.more))
                else self._json(each)
                for key, each in value.items()
            }
        if isinstance(value, list):
            return [self._json(each) for each in value]
        return self.text(value) if isinstance(value, str) else value

    def _plain(self, text: str) -> str:
        text = _ADDRESS.sub(lambda found: clean_address(found[0]), text)
        text = _SECRET_VALUE.sub(REDACTED, without_passwords(text))
        for each in self.more:
            text = each.sub(REDACTED, text)
        return text


def clean_address(address: str) -> str:
    """Return an address without user and password, and without a query that signs."""
    try:
        parts = urlsplit(address)
    except ValueError:  # a bracket that is no IPv6 address
        return without_passwords(address)
    netloc = parts.netloc.rpartition("@")[2]
    query = REDACTED if _SIGNED.search(parts.query) else parts.query
    fragment = REDACTED if _SIGNED.search(parts.fragment) else parts.fragment
    if (netloc, query, fragment) == (parts.netloc, parts.query, parts.fragment):
        return address
    return urlunsplit((parts.scheme, netloc, parts.path, query, fragment))


def reason_of(cause: str | Exception) -> str:
    """Return what an error of MLflow or below it says, in one line and without secrets."""
    return Redactor().text(" ".join(str(cause).split())) or type(cause).__name__


def _is_secret_key(key: str) -> bool:
    return bool(_SECRET_KEY.search(key) or _PLAIN_TOKEN.match(key))
