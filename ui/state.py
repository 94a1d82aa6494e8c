"""What every page and every HTTP route shares: one of it per process.

    state = AppState(settings)          # nothing is opened yet
    stop = state.live.listen(callback)  # callback(messages) for every burst from the broker
    async with state.running(): ...     # the web app's lifespan does this

Pages read `state.live.connected` and `.changed_at` to tell a quiet floor from a lost feed, and use
`state.database` through `service.store.queries`, always in `asyncio.to_thread`: queries block.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from typing import TypeAlias

import structlog

from broker.live import LiveFeed, LiveMessage
from broker.settings import Settings
from service.store.database import Database

log = structlog.get_logger()

Listener: TypeAlias = Callable[[Sequence[LiveMessage]], None]


class LiveHub:
    """One subscription at the broker, passed on to any number of listeners in this process."""

    def __init__(self, feed: LiveFeed) -> None:
        self._feed = feed
        self._listeners: dict[object, Listener] = {}

    @property
    def connected(self) -> bool:
        """Whether the broker passes messages on to us now."""
        return self._feed.connected

    @property
    def changed_at(self) -> datetime:
        """Since when `connected` is what it is; aware, UTC."""
        return self._feed.changed_at

    @property
    def trouble(self) -> str | None:
        """Why it is not connected, in words; None while it is."""
        return self._feed.trouble

    @property
    def listener_count(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def listen(self, callback: Listener) -> Callable[[], None]:
        """Have `callback(messages)` called for every burst, until the returned function is called.

        It gets at least one `LiveMessage` (topic, payload, retained), in order of arrival, of the
        channels result, state and rejected. It runs on the event loop: it must be quick, must not
        block, and must treat the payload as untrusted. One that raises is logged and stays.
        """
        key = object()
        self._listeners[key] = callback
        return lambda: self._listeners.pop(key, None) and None

    async def run(self) -> None:
        """Pass messages on until cancelled, across losses of the broker."""
        async for messages in self._feed.batches():
            if messages:
                self._pass_on(messages)

    def _pass_on(self, messages: Sequence[LiveMessage]) -> None:
        for callback in list(self._listeners.values()):
            try:
                callback(messages)
            except Exception:
                # One page's bug must not silence the others.
                log.exception(
                    "live_listener_failed", listener=getattr(callback, "__qualname__", "")
                )


class AppState:
    """The settings, the database and the live feed of this web process."""

    def __init__(self, settings: Settings) -> None:
        """Wire the parts; nothing is opened yet.

        Raises:
            SettingsError: The database's URL makes no sense.
        """
        self.settings = settings
        self.database = Database(settings.database)
        self.template = settings.template()
        self.live = LiveHub(LiveFeed(settings, self.template))
        self.started_at = datetime.now(UTC)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep the live feed running; close it and the database at the end."""
        task = asyncio.create_task(self.live.run(), name="live feed")
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            self.database.dispose()
