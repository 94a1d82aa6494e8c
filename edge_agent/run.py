"""`agent run`: a reader in its thread, a sender for each machine on the loop, the spool between."""

import asyncio
import contextlib
import logging
import signal
import sys
import threading
import time
from collections.abc import Coroutine, Iterator
from typing import Any, Final

import structlog

from broker.errors import SpoolFull
from broker.sections import LogSettings
from edge_agent.config import AgentSettings, Config
from edge_agent.errors import NotDone
from edge_agent.presence import MachinePresence, Presence, say_goodbye
from edge_agent.progress import RunProgress, sentence
from edge_agent.reader import Reader, Stopped
from edge_agent.sender import Sender
from edge_agent.spool import Books, Spool
from edge_agent.state import versions

_LOOK_S: Final = 0.1
_SHOW_S: Final = 0.5
_GOODBYE_S: Final = 5.0
_FULL_RETRY_S: Final = 2.0

log = structlog.get_logger()


def run_agent(config: Config, *, once: bool, timeout_s: float) -> None:
    """Forward the sources of `config`.

    Args:
        config: From `load_config`.
        once: Read what is there, wait for all receipts, return. Else until SIGINT or SIGTERM.
        timeout_s: How long `once` may take, in seconds.

    Raises:
        NotDone: `once` was stopped, took too long, or a file could not be read.
        SettingsError: The spool cannot be used.
        BrokerRefused: The broker says no: only a person can help.
    """
    configure_logs(config.log)
    # The proactor of Windows cannot watch a socket for a foreign library.
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(_run(config, once=once, timeout_s=timeout_s))


def configure_logs(settings: LogSettings) -> None:
    """Write events to stderr: stdout belongs to what a person asked for."""
    renderer: Any = structlog.processors.JSONRenderer()
    if not settings.json_lines:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[settings.level.upper()]
        ),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),  # the bar may replace it
    )


async def _run(config: Config, *, once: bool, timeout_s: float) -> None:
    asked_to_stop = asyncio.Event()
    with signals(asked_to_stop):
        spool = await _open_spool(config.agent, asked_to_stop, once=once)
        if spool is None:
            return
        try:
            agent = _Agent(config, spool, asked_to_stop)
            log.info("agent_started", **versions(), machines=sorted(config.machines()))
            await agent.work(agent.do_once(timeout_s) if once else agent.do_forever(), once=once)
        finally:
            spool.close()
    if once and not agent.is_done:
        raise NotDone("stopped before everything was stored. The rest is sent at the next start.")


async def _open_spool(
    settings: AgentSettings, asked_to_stop: asyncio.Event, *, once: bool
) -> Spool | None:
    """Open it; where its disk is full, wait for room, as while running. None: we were stopped."""
    is_said = False
    while not asked_to_stop.is_set():
        try:
            return Spool(settings.spool_file, settings.spool_bytes_max, settings.refused_bytes_max)
        except SpoolFull as error:
            if once:
                raise NotDone(str(error)) from error
            if not is_said:
                log.warning("reading_waits", reason=str(error))
            is_said = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FULL_RETRY_S):
                await asked_to_stop.wait()
    return None


class _Agent:
    """The parts and their life."""

    def __init__(self, config: Config, spool: Spool, asked_to_stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        self._config, self._spool, self._asked_to_stop = config, spool, asked_to_stop
        self.is_done = False
        """`do_once` came to its end."""
        self._reader_stop = threading.Event()
        self._is_reading = threading.Lock()  # held by the reader's thread
        self._reader = Reader(
            config,
            spool,
            self._reader_stop,
            on_commit=lambda: loop.call_soon_threadsafe(self._wake),
        )
        self._senders = [
            Sender(config, source, spool, self._reader) for source in config.machines().values()
        ]

    async def work(self, task: Coroutine[Any, Any, None], *, once: bool) -> None:
        """Run `task` beside the senders; whatever ends first, or fails, ends all."""
        tasks = {
            asyncio.create_task(task, name="reading"),
            asyncio.create_task(self._until_asked(), name="asked to stop"),
            asyncio.create_task(self._show_progress(is_constant=once), name="progress"),
            asyncio.create_task(self._show_life(), name="signs of life"),
        }
        sending = {
            asyncio.create_task(each.run(), name=f"sender {each.machine_id}")
            for each in self._senders
        }
        try:
            done, _ = await asyncio.wait(tasks | sending, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()
        finally:
            await self._say_goodbye(tasks, sending)

    async def do_forever(self) -> None:
        """Read as the files grow."""
        await asyncio.to_thread(self._read_on)

    async def do_once(self, timeout_s: float) -> None:
        """Read all there is and wait for every receipt."""
        reading = asyncio.create_task(asyncio.to_thread(self._read_all), name="reading once")
        try:
            async with asyncio.timeout(timeout_s):
                while (  # noqa: ASYNC110 - the books are on the disk
                    not reading.done() or (not reading.exception() and self._has_waiting())
                ):
                    await asyncio.sleep(_LOOK_S)
            await reading
        except TimeoutError as error:
            left = self._left(is_read=reading.done())
            raise NotDone(f"not done after {timeout_s:g} s: {left}") from error
        self.is_done = True
        log.info("agent_done", summary=sentence(self._books()))
        if self._reader.has_failed:
            raise NotDone(" ".join(self._reader.troubles()))

    def _read_on(self) -> None:
        with self._is_reading:
            self._reader.run(self._config.agent.poll_s)

    def _read_all(self) -> None:
        with self._is_reading, contextlib.suppress(Stopped):
            while self._reader.read_all(is_final=True):
                pass  # of a long file it read a part

    async def _until_asked(self) -> None:
        await self._asked_to_stop.wait()

    async def _show_progress(self, *, is_constant: bool) -> None:
        with RunProgress(is_constant=is_constant) as progress:
            while True:
                await asyncio.sleep(_SHOW_S)
                left_bytes = await asyncio.to_thread(self._reader.lag_bytes)
                with contextlib.suppress(SpoolFull):  # who reads and sends says it
                    progress.show(self._books(), left_bytes)

    async def _show_life(self) -> None:
        """Leave a sign of life beside the spool, for `agent status`.

        With every heartbeat, and when a connection comes or goes: who asks soon after the start
        would hear of none.
        """
        started_at, settings = time.time(), self._config.agent
        try:
            while True:
                presence = Presence.of_this_process(
                    started_at, settings.heartbeat_s, versions()["version"], self._presences()
                )
                presence.write(
                    settings.spool_file
                )  # some bytes; in a thread it could come too late
                await self._next_word(settings.heartbeat_s)
        finally:
            say_goodbye(settings.spool_file)

    async def _next_word(self, heartbeat_s: float) -> None:
        said = self._connected()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(heartbeat_s):
                while self._connected() == said:  # noqa: ASYNC110 - they are flags
                    await asyncio.sleep(_SHOW_S)

    def _connected(self) -> list[bool]:
        return [sender.is_connected for sender in self._senders]

    def _presences(self) -> dict[str, MachinePresence]:
        return {
            sender.machine_id: MachinePresence(
                is_connected=sender.is_connected,
                in_flight_count=sender.in_flight_count,
                last_error=sender.last_error,
                troubles=tuple(self._reader.troubles(sender.machine_id)),
            )
            for sender in self._senders
        }

    def _books(self) -> Books:
        """Return the sum over the machines of this configuration: only those are sent."""
        each = [self._spool.books(machine_id) for machine_id in self._config.machines()]
        return Books(*(sum(column) for column in zip(*each, strict=True)))

    def _has_waiting(self) -> bool:
        """Tell whether a message has no receipt; a spool that cannot be asked may hold some."""
        try:
            return self._books().depth > 0
        except SpoolFull:
            return True

    def _left(self, *, is_read: bool) -> str:
        """Return what `do_once` did not come to, and what reading waits for."""
        what = f"{_messages(self._books().depth)} still in the spool"
        if is_read:
            return f"{what}. The rest is sent at the next start. Is the service running?"
        waits = [*self._reader.troubles(), "The rest is read and sent at the next start."]
        return f"{what}, and not all was read. {' '.join(waits)} Is the service running?"

    def _wake(self) -> None:
        for sender in self._senders:
            sender.wake()

    async def _say_goodbye(
        self, tasks: set[asyncio.Task[None]], sending: set[asyncio.Task[None]]
    ) -> None:
        self._reader_stop.set()
        for sender in self._senders:
            sender.stop()
        await asyncio.wait(sending, timeout=_GOODBYE_S)
        # Its thread cannot be cancelled, and the spool closes next: let it finish its batch.
        if await asyncio.to_thread(self._is_reading.acquire, timeout=_GOODBYE_S):
            self._is_reading.release()
        for task in tasks | sending:
            task.cancel()
        await asyncio.gather(*tasks, *sending, return_exceptions=True)


def _messages(count: int) -> str:
    return "1 message is" if count == 1 else f"{count} messages are"


@contextlib.contextmanager
def signals(asked_to_stop: asyncio.Event) -> Iterator[None]:
    """Set the event on SIGINT and SIGTERM; Windows has its own way, which cancels."""
    loop = asyncio.get_running_loop()
    known = (signal.SIGINT, signal.SIGTERM)
    try:
        for each in known:
            loop.add_signal_handler(each, asked_to_stop.set)
    except NotImplementedError:
        yield
        return
    try:
        yield
    finally:
        for each in known:
            loop.remove_signal_handler(each)
