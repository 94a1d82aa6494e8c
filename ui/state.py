"""What every page and every HTTP route shares: one of it per process.

    state = AppState(settings)          # nothing is opened yet
    stop = state.live.listen(callback)  # callback(messages) for every burst from the broker
    async with state.running(): ...     # the web app's lifespan does this

Pages read `state.live.connected` and `.changed_at` to tell a quiet floor from a lost feed, and use
`state.database` through `service.store.queries`, always in `asyncio.to_thread`: queries block.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias

import structlog

from broker.feed import Feed, LiveMessage
from broker.live import CounterFeed, LiveFeed
from broker.origins import Layers
from broker.result_feed import ResultFeed
from broker.settings import Settings
from broker.topics import Channel
from service.store.database import Database
from ui.access.access import Access
from ui.asking import SharedQuestion
from ui.certificate_dates import CertificateDates
from ui.ingest import IngestLink
from ui.jobs import Jobs
from ui.meter import FeedFacts

log = structlog.get_logger()

Listener: TypeAlias = Callable[[Sequence[LiveMessage]], None]


class LiveHub:
    """The subscriptions at the broker, passed on to any number of listeners in this process."""

    def __init__(self, *feeds: Feed) -> None:
        """Join `feeds`, at least one."""
        self._feeds = feeds
        self._listeners: dict[object, Listener] = {}

    @property
    def connected(self) -> bool:
        """Whether the broker passes messages on to us now, of every feed."""
        return all(feed.connected for feed in self._feeds)

    @property
    def changed_at(self) -> datetime:
        """Since when `connected` is what it is; aware, UTC."""
        wanted = self.connected
        return max(feed.changed_at for feed in self._feeds if feed.connected is wanted)

    @property
    def trouble(self) -> str | None:
        """Why it is not connected, in words; None while it is."""
        return next((feed.trouble for feed in self._feeds if feed.trouble), None)

    def renew(self) -> None:
        """Throw away what results wait for us at the broker; `changed_at` then says so."""
        for feed in self._feeds:
            if isinstance(feed, ResultFeed):
                feed.renew()

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
        async with asyncio.TaskGroup() as group:
            for feed in self._feeds:
                group.create_task(self._drain(feed), name=type(feed).__name__)

    async def _drain(self, feed: Feed) -> None:
        async for messages in feed.batches():
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


def live_hub(settings: Settings) -> LiveHub:
    """Return the hub of a web process: states and rejections, and results by the lane."""
    template = settings.template()
    return LiveHub(
        LiveFeed(settings, template, (Channel.STATE, Channel.REJECTED)),
        ResultFeed(settings, template),
    )


class AppState:
    """The settings, the database, the live feed and the way in of this web process."""

    def __init__(self, settings: Settings, layers: Layers = Layers()) -> None:  # noqa: B008 - frozen
        """Wire the parts; nothing is opened yet.

        Args:
            settings: Of this process.
            layers: Where they come from.

        Raises:
            SettingsError: The database's URL makes no sense.
        """
        self.settings = settings
        self.layers = layers
        self.database = Database(settings.database)
        self.template = settings.template()
        self.live = live_hub(settings)
        self.counters = CounterFeed(settings, self.template)
        self.certificates = CertificateDates(settings.broker)
        self.ingest = IngestLink(settings, self.template, self.database)
        self.jobs = Jobs()
        self.access = Access(settings.http, self.database)
        self.system_question: SharedQuestion[dict[str, Any]] = SharedQuestion()
        """How the whole house does; every System page asks that every few seconds."""
        self.ready_question: SharedQuestion[dict[str, Any]] = SharedQuestion()
        """What the database says of `/readyz`; anybody may ask that, and probes do all the time."""
        self.stopping = asyncio.Event()
        """Set when the process is asked to end, or must: streams end by themselves then."""
        self.failure: BaseException | None = None
        """What ended a task that must never end: a bug. The process ends with it."""
        self.status_of: Callable[[str], str] = lambda _: "unknown"
        """Tells live, stale or offline by machine_id; the floor model knows, once there is one."""
        self.agent_of: Callable[[str], Mapping[str, object] | None] = lambda _: None
        """Tells what a machine's agent last said of itself; likewise."""
        self.feed_facts: Callable[[], FeedFacts] = FeedFacts
        """Tells what the live feed of the pages knows of itself and of agents; likewise."""
        self.viewer_count = 0
        """Who reads the live stream of the API."""
        self.export_count = 0
        """Exports that are being read from the API."""
        self.started_at = datetime.now(UTC)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep the live feed running; close it, the way in and the database at the end."""
        tasks = [
            self.keep(self.live.run(), "live feed"),
            self.keep(self.counters.run(), "broker counters"),
            self.keep(self.certificates.keep(), "certificate dates"),
            self.keep(self.access.watch(), "users and tokens"),
            self.keep(self.jobs.keep_few(), "back-tests"),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.ingest.close()
            await asyncio.to_thread(self.jobs.close)
            self.database.dispose()

    def keep(self, work: Coroutine[object, object, None], name: str) -> asyncio.Task[None]:
        """Start a task that must live as long as the process: if it fails, the process stops."""
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._note_end)
        return task

    def _note_end(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("task_failed", task=task.get_name(), exc_info=error)
            self.failure = error
            self.stopping.set()
