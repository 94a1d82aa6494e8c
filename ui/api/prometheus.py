"""What Prometheus scrapes at `/metrics`."""

from collections.abc import Iterator
from datetime import UTC, datetime

from fastapi import APIRouter, FastAPI, Response
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_1_0_0, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from broker.errors import YieldlineError
from service.store.queries.alerts import count_living
from service.store.queries.backups import last_backup
from service.store.queries.health import books, services
from service.store.queries.strain import read_strain
from ui.api.house_metrics import of_agents, of_broker, of_certificates, of_strain
from ui.api.service_metrics import of_alerts, of_services, of_watcher
from ui.asking import SharedQuestion
from ui.books import balance
from ui.state import AppState
from ui.system import broker_counters
from ui.watching import watching

_BOOKS = {
    "received": "Messages and array elements the service took in.",
    "stored": "Of them, runs stored for the first time.",
    "rejected": "Of them, refused; their bytes are kept.",
    "duplicates": "Of them, stored already.",
}


class _Floor(Collector):
    """The books by machine, and this process, at one scrape."""

    def __init__(self, state: AppState) -> None:
        self._state = state
        self._kept: list[Metric] = []
        """What the database says; empty while it does not answer."""

    async def ask_database(self, question: SharedQuestion[list[Metric]]) -> None:
        """Read what only the database knows, or go without it.

        Prometheus gives up after ten seconds by default, and would take a database that hangs
        for us: the question's patience is shorter.
        """
        try:
            self._kept = await question.ask(lambda: list(self._stored()))
        except YieldlineError:
            self._kept = []

    def collect(self) -> Iterator[Metric]:
        """Yield what is known; without the database only what this process knows itself."""
        state = self._state
        yield _gauge("yieldline_live_viewers", "Readers of the live stream.", state.viewer_count)
        yield _gauge(
            "yieldline_broker_connected", "1 while the broker passes on.", state.live.connected
        )
        yield from self._seen()
        yield _gauge("yieldline_database_up", "1 while the database answers.", bool(self._kept))
        yield from self._kept

    def _seen(self) -> Iterator[Metric]:
        """Yield what this process knows without the database."""
        state = self._state
        said = "Elements that POST /ingest handed to the broker."
        published = CounterMetricFamily("yieldline_ingest_published", said)
        published.add_metric([], state.ingest.published_count)
        yield published
        yield from of_broker(broker_counters(state.counters.counters))
        agents, forget_s = state.feed_facts().agents, state.settings.alerts.silent_forget_s
        yield from of_agents(agents, datetime.now(UTC), forget_s=forget_s)
        yield of_certificates(state.certificates.ends)

    def _stored(self) -> Iterator[Metric]:
        state, now = self._state, datetime.now(UTC)
        heartbeats = services(state.database, now)
        yield from self._books()
        yield from of_services(heartbeats)
        yield from of_watcher(watching(state.settings, heartbeats, now))
        yield of_alerts(count_living(state.database))
        yield from self._backups()
        yield from of_strain(read_strain(state.database))

    def _books(self) -> Iterator[Metric]:
        entries = books(self._state.database)
        items = [balance(each, self._state.agent_of(each["machine_id"])) for each in entries]
        said = "Records that are not where they should be; 0: the books balance."
        difference = sum(int(each["difference"]) for each in items)
        yield _gauge("yieldline_books_difference", said, difference)
        for name, said in _BOOKS.items():
            counter = CounterMetricFamily(f"yieldline_{name}", said, labels=["machine_id", "line"])
            for entry in entries:
                counter.add_metric([entry["machine_id"], entry["line"]], entry[name])
            yield counter

    def _backups(self) -> Iterator[Metric]:
        known = last_backup(self._state.database, datetime.now(UTC))
        if known is not None:
            yield _gauge("yieldline_backup_ok", "1 if the last backup is whole.", known["ok"])
        if known is not None and known["age_s"] is not None:
            said = "Seconds since the newest whole backup."
            yield _gauge("yieldline_backup_age_seconds", said, known["age_s"])


def register(app: FastAPI, state: AppState) -> None:
    """Add `/metrics`."""
    process = (PlatformCollector(None), ProcessCollector(registry=None))
    router = APIRouter(tags=["health"])
    question: SharedQuestion[list[Metric]] = SharedQuestion()

    @router.get(
        "/metrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": {}}, "description": "Prometheus text."}},
    )
    async def get_metrics() -> Response:
        """Show the books and this process to Prometheus."""
        floor, registry = _Floor(state), CollectorRegistry()
        await floor.ask_database(question)
        for collector in (floor, *process):
            registry.register(collector)
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_1_0_0)

    app.include_router(router)


def _gauge(name: str, said: str, value: float) -> Metric:
    return GaugeMetricFamily(name, said, value=float(value))
