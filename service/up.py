"""`yieldline up`: broker, service, web app and a simulated floor as children of one command."""

import asyncio
import os
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from broker.addresses import is_loopback, without_password
from broker.embedded import (
    BrokerKind,
    broker_answers,
    choose_kind,
    describe,
    find_mosquitto,
    port_is_free,
    write_mosquitto_conf,
)
from broker.errors import SettingsError, StoreRefused, StoreUnavailable
from broker.handles import raise_handle_limit
from broker.settings import Settings, as_environment, load_settings
from service.sample_rules import sample_rules
from service.supervisor import EXIT_USAGE, Child, Program
from service.up_plan import (
    Address,
    UpOptions,
    check_embedded,
    check_options,
    choose_port,
    database_url,
    embedded_broker,
    environment,
    needs_users,
    page_url,
    programs,
    simulator,
)

_LOOPBACK = "127.0.0.1"
_FILE = "sqlite:///"
_POLL_S = 0.05
_BROKER_START_S = 15.0
# Together below the ten seconds after which whoever asked us to stop loses patience.
_STOP_S = {"simulate": 2.0, "broker": 2.0}
_STOP_DEFAULT_S = 5.5
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # our own page, no proxy


@dataclass
class _Plan:
    """What is decided before anything is started."""

    http: Address
    variables: Mapping[str, str]
    broker: Program | None
    broker_at: Address
    sentences: list[str]
    """What to tell the person first."""


def up(options: UpOptions) -> int:
    """Start everything and stay until Ctrl-C, SIGTERM or SIGHUP.

    Returns:
        The exit code: 0 stopped by the person, 1 the broker does not come up, 2 wrong usage or
        configuration (said in one sentence on stderr).
    """
    try:
        plan = _decide(options, load_settings())
        for sentence in plan.sentences:
            _say(sentence)
        raise_handle_limit()  # Mosquitto, our child, asks for no more than it is given
        return asyncio.run(_Floor(options, plan).run())
    except (SettingsError, StoreRefused) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_USAGE
    except StoreUnavailable as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _say(line: str) -> None:
    try:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    except BrokenPipeError:  # nobody reads us any more (`| head`): go on in silence
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _decide(options: UpOptions, settings: Settings) -> _Plan:
    database = database_url(options, settings)
    shown = database or settings.database.address()
    check_options(options, settings, shown)
    host = options.host or settings.http.host
    must_log_in = needs_users(options, settings)
    warnings = _check_database(settings, shown, host if must_log_in else None)
    _make_folder(options.data_dir)
    if not port_is_free(host, 0):  # any port at all
        raise SettingsError(
            f"--host {host} is no address of this machine. Use one of its own, or 0.0.0.0 for all."
        )
    sentences: list[str] = []
    kind, at = _decide_broker(options, settings, sentences)
    port, moved = choose_port(
        "--http-port", options.http_port, settings.http.port, lambda port: port_is_free(host, port)
    )
    sentences += [f"Database: {without_password(shown)}"]
    if options.database and without_password(options.database) != options.database:
        sentences.append(
            "Other users of this machine can read the password that stands in --database."
            " YIELDLINE_DATABASE__URL, or database.url_file, is safe from them."
        )
    sentences += [*warnings, moved] if moved else warnings
    http = Address(host, port)
    if not is_loopback(host) and not must_log_in:
        sentences.append(
            f"Anyone who reaches {host}:{port} can see everything, and nobody logs in."
        )
    variables = environment(options, at, database, http, embedded=kind is BrokerKind.EMBEDDED)
    if "secret_file" not in settings.http.model_fields_set:
        variables |= as_environment({"http": {"secret_file": options.data_dir / "session.key"}})
    if options.demo:
        variables |= _rules_of_demo(settings, sentences)
    broker = _broker_program(kind, at.port, options.data_dir) if kind else None
    return _Plan(http, variables, broker, at, sentences)


def _check_database(settings: Settings, url: str, host: str | None) -> list[str]:
    if host is None and url.startswith(_FILE):
        return []  # a file on this machine, and nobody who would have to log in
    from service.up_database import check_database  # noqa: PLC0415 - it loads the drivers

    return check_database(settings.database, url, host)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"--data-dir {folder} cannot be made ({error.strerror}). Choose another folder."
        ) from error


def _decide_broker(
    options: UpOptions, settings: Settings, sentences: list[str]
) -> tuple[BrokerKind | None, Address]:
    """Return the kind of broker to start, None for one that is there, and its address."""
    configured = settings.broker
    port = options.mqtt_port or configured.port
    is_elsewhere = configured.tls or not is_loopback(configured.host)
    if options.broker == "none" or (options.broker == "auto" and is_elsewhere):
        sentences.append(f"Broker: the one at {configured.host}:{port}; none is started.")
        return None, Address(configured.host, port)
    if options.broker == "auto" and broker_answers(_LOOPBACK, port):
        sentences.append(f"Broker: the one that already answers on {_LOOPBACK}:{port}.")
        return None, Address(_LOOPBACK, port)
    kind = choose_kind(options.broker)
    if kind is BrokerKind.EMBEDDED:
        check_embedded(options)
    port, moved = choose_port(
        "--mqtt-port",
        options.mqtt_port,
        configured.port,
        lambda port: port_is_free(_LOOPBACK, port),
    )
    sentences += [moved] if moved else []
    sentences.append(f"Broker: {describe(kind, port)}")
    return kind, Address(_LOOPBACK, port)


def _rules_of_demo(settings: Settings, sentences: list[str]) -> dict[str, str]:
    """Return the variable that names the sample rulebook, where there is no rules file."""
    sample = sample_rules()
    is_chosen = "file" in settings.rules.model_fields_set or settings.rules.file.exists()
    if is_chosen or sample is None:
        return {}
    sentences.append(
        f"Rules: {settings.rules.file} is not here, so results are judged by the sample,"
        f" {sample}, as long as no rulebook is in force."
    )
    return as_environment({"rules": {"file": sample}})


def _broker_program(kind: BrokerKind, port: int, data_dir: Path) -> Program:
    folder = data_dir / "broker"
    if kind is BrokerKind.EMBEDDED:
        return embedded_broker(port, folder)
    conf = write_mosquitto_conf(port, folder)
    return Program("broker", (str(find_mosquitto()), "-c", str(conf)))


class _Floor:
    """The running children; `run` is the whole story."""

    def __init__(self, options: UpOptions, plan: _Plan) -> None:
        self._options = options
        self._plan = plan
        self._children: list[Child] = []
        self._stop = asyncio.Event()
        self._is_up = False
        self._exit_code = 0

    async def run(self) -> int:
        """Start in order, wait for the end, stop in reverse order."""
        self._listen_for_signals()
        story = asyncio.create_task(self._start(), name="start")
        story.add_done_callback(self._on_story_end)
        await self._stop.wait()
        story.cancel()
        await self._stop_all()
        await asyncio.gather(story, return_exceptions=True)
        if not story.cancelled():
            story.result()
        return self._exit_code

    def _listen_for_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)  # Windows has no SIGHUP
            if number is None:
                continue
            try:
                loop.add_signal_handler(number, self._on_signal)
            except NotImplementedError:  # Windows
                signal.signal(number, lambda *_: loop.call_soon_threadsafe(self._on_signal))

    def _on_signal(self) -> None:
        if not self._stop.is_set():
            _say("Stopping; once more to end everything at once.")
            self._stop.set()
            return
        for child in self._children:
            child.kill()

    async def _start(self) -> None:
        if self._plan.broker and not await self._start_broker(self._plan.broker):
            return
        for program in programs(self._options, self._plan.variables):
            self._launch(program)
        url = page_url(self._plan.http)
        await self._until(lambda: _status(f"{url}/healthz") is not None)
        _say(f"Open {url}   (Ctrl-C stops everything)")
        await self._until(lambda: _status(f"{url}/readyz") == 200)  # noqa: PLR2004 - HTTP's OK
        self._is_up = True
        if self._options.demo:
            self._launch(simulator(self._options, self._plan.variables))

    def _on_story_end(self, story: asyncio.Task[None]) -> None:
        """A bug in the story ends everything; `run` raises it."""
        if not story.cancelled() and story.exception():
            self._stop.set()

    async def _start_broker(self, program: Program) -> bool:
        at = self._plan.broker_at
        self._launch(program)
        try:
            async with asyncio.timeout(_BROKER_START_S):
                await self._until(lambda: broker_answers(at.host, at.port))
        except TimeoutError:
            _say(f"The broker does not answer on {at.host}:{at.port}; its lines above say why.")
            self._end(1)
            return False
        return True

    async def _until(self, predicate: Callable[[], bool]) -> None:
        while not await asyncio.to_thread(predicate):  # noqa: ASYNC110 - only asking tells
            await asyncio.sleep(_POLL_S)

    def _launch(self, program: Program) -> None:
        child = Child(program, _say)
        self._children.append(child)
        child.start(self._on_refusal)

    def _on_refusal(self, child: Child) -> None:
        """Tell what a child refused; at the start that ends everything."""
        _say(f"{child.program.name} is not started again: {child.refusal}")
        if not self._is_up:
            self._end(EXIT_USAGE)

    def _end(self, exit_code: int) -> None:
        self._exit_code = exit_code
        self._stop.set()

    async def _stop_all(self) -> None:
        """Stop the simulator first and the broker last; what is between, together."""
        for names in ({"simulate"}, None, {"broker"}):
            batch = [
                child
                for child in reversed(self._children)
                if (child.program.name in names if names else child.program.name not in _STOP_S)
            ]
            await asyncio.gather(
                *(child.stop(_STOP_S.get(child.program.name, _STOP_DEFAULT_S)) for child in batch)
            )


def _status(url: str) -> int | None:
    """Return the HTTP status of `url`; None while nothing answers."""
    try:
        with _direct.open(url, timeout=2) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return None
