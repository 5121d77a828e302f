"""Polling: triggers of one connection share threads, one HTTP session and its tokens.

Core's store speaks HTTP with blocking calls, so each look at a registry runs in a thread; the
threads are few and looks are begun no faster than `RATE`, however many triggers there are.
"""

from __future__ import annotations

import asyncio
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from kitline_airflow.connection import DEFAULT, RegistryAccess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import kitline
    from kitline.plugin import Sessions

T = TypeVar("T")

THREADS = 16
"""Looks under way at the same time: 300 triggers a minute at a registry that takes 2 s need ten."""
RATE = 8.0
"""Looks begun in a second, at most."""
INTERVAL = 60.0
"""Seconds between two looks of one trigger, by default."""
LONGEST = 600.0
"""Seconds to wait at most when a registry fails again and again; a longer Retry-After is kept."""


class Line:
    """What the triggers of one connection use together; from `line_of`."""

    def __init__(self, connection: str | None) -> None:
        self._connection = connection
        self._users = 0
        self._next = 0.0
        self._loading: asyncio.Lock | None = None
        self._settings: kitline.Settings | None = None
        self._access = RegistryAccess()
        self._sessions: Sessions | None = None
        self._threads: ThreadPoolExecutor | None = None

    async def ask(self, look: Callable[[Callable[[str], str], kitline.Settings], T]) -> T:
        """Run `look(locate, settings)` in a thread; credentials are read anew if refused.

        Raises:
            KitlineError: what the look raised.
        """
        from kitline.errors import AuthenticationFailed

        settings = await self._ready()
        await self._turn()
        loop = asyncio.get_running_loop()
        assert self._threads is not None
        try:
            return await loop.run_in_executor(self._threads, look, self._access.locate, settings)
        except AuthenticationFailed:
            self._forget(settings)
            raise

    def join(self) -> None:
        """Note one more trigger."""
        self._users += 1
        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="kitline-poll")

    def leave(self) -> bool:
        """Note one trigger less; the last one ends the threads, and True is returned."""
        self._users -= 1
        if self._users:
            return False
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None
        self._forget(self._settings)
        return True

    async def _turn(self) -> None:
        """Wait for a moment of one's own, so that many triggers do not ask at once."""
        now = asyncio.get_running_loop().time()
        mine = self._next = max(now, self._next + 1 / RATE)
        if mine > now:
            await asyncio.sleep(mine - now)

    async def _ready(self) -> kitline.Settings:
        if self._loading is None:
            self._loading = asyncio.Lock()
        async with self._loading:
            if self._settings is None:
                self._access = await read_access_async(self._connection)
                loop = asyncio.get_running_loop()
                self._settings = await loop.run_in_executor(self._threads, self._load)
            return self._settings

    def _load(self) -> kitline.Settings:
        """Load settings, and all that the first look would import, away from the event loop."""
        import kitline
        from kitline.plugin import Sessions

        self._sessions = Sessions(connections=THREADS)
        base = self._access.settings(kitline.Settings.load())
        return replace(base, tries=1, sessions=self._sessions)

    def _forget(self, used: kitline.Settings | None) -> None:
        if used is self._settings:
            self._settings = None
            if self._sessions is not None:
                self._sessions.close()
                self._sessions = None


# Airflow makes each trigger by itself, from its arguments alone; this is the one place where those
# of one process can meet. It holds nothing while no trigger runs.
_lines: dict[tuple[int, str | None], Line] = {}
_guard = threading.Lock()


@asynccontextmanager
async def line_of(connection: str | None) -> AsyncIterator[Line]:
    """Share the line of a connection for as long as the block runs."""
    key = (id(asyncio.get_running_loop()), connection)
    with _guard:
        line = _lines.setdefault(key, Line(connection))
        line.join()
    try:
        yield line
    finally:
        with _guard:
            if line.leave():
                del _lines[key]


async def read_access_async(connection: str | None) -> RegistryAccess:
    """Read a connection inside of the triggerer, without blocking its event loop."""
    from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

    from kitline_airflow.hooks import read_access

    if connection is None:
        return RegistryAccess()
    try:
        if hasattr(BaseHook, "aget_connection"):
            found = await BaseHook.aget_connection(connection)
        else:
            found = await asyncio.to_thread(BaseHook.get_connection, connection)
    except AirflowNotFoundException:
        if connection != DEFAULT:
            raise
        return RegistryAccess()
    # in a thread: to have the secret masked, Airflow's supervisor is told and its answer awaited
    return await asyncio.to_thread(read_access, found)


class Pace:
    """How long a trigger waits: about its interval, longer while the registry fails."""

    def __init__(self, interval: float, *, draw: Callable[[], float] = random.random) -> None:
        self._interval = interval
        self._draw = draw
        self._failures = 0

    def first(self) -> float:
        """Seconds before the first look: many triggers begin at once."""
        return min(self._interval, 5.0) * self._draw()

    def good(self) -> float:
        """Seconds after a look that worked."""
        self._failures = 0
        return self._jittered(self._interval)

    def bad(self, error: BaseException) -> float:
        """Seconds after one that failed, and what the registry asked for at least."""
        self._failures += 1
        wait = min(self._interval * 2 ** min(self._failures - 1, 10), max(LONGEST, self._interval))
        asked: Any = getattr(error, "pause", None)
        return max(self._jittered(wait), float(asked) * (1 + self._draw() / 10) if asked else 0.0)

    def _jittered(self, seconds: float) -> float:
        return seconds * (0.9 + 0.2 * self._draw())
