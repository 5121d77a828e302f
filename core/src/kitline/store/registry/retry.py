"""Retries: which faults pass by themselves, and how long to wait for that.

Source: the reference's section on timeouts and retry; the classes are those of oras-go, widened by
`Retry-After` on 503 (RFC 9110, section 10.2.3).
"""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from kitline.store.registry.options import RetryPolicy

PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that may be gone at the next try."""


class Patience:
    """Counts the tries of one operation and sleeps between them."""

    def __init__(
        self,
        policy: RetryPolicy,
        *,
        tries: int | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._policy = policy
        self._tries = tries or policy.tries
        self._sleep = sleep
        self.failed = 0

    def progress(self) -> None:
        """Begin to count anew: something got further."""
        self.failed = 0

    def wait(self, asked: float | None = None, *, most_tries: int | None = None) -> bool:
        """Note a failure and sleep; False if it is time to give up.

        `asked` is the pause in seconds that the registry wants.
        """
        self.failed += 1
        if self.failed >= min(self._tries, most_tries or self._tries):
            return False
        if asked is not None and asked > self._policy.longest_wait:
            return False
        least, most = self._policy.least, self._policy.most
        pause = random.uniform(least, min(most, max(least, least * 2**self.failed)))
        self._sleep(max(pause, asked or 0.0))
        return True


def retry_after(response: requests.Response) -> float | None:
    """Return the pause in seconds that a 429 or 503 asks for, None if it asks for none."""
    text = response.headers.get("Retry-After", "").strip()
    if response.status_code not in (429, 503) or not text:
        return None
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
