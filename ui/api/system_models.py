"""What `GET /api/v1/system` answers with."""

from pydantic import BaseModel, Field

from broker.messages import Timestamp
from ui.api.books import BooksOfAll
from ui.api.rulebook_models import AuditEntry
from ui.lights import Look


class LightView(BaseModel):
    """How one part does."""

    look: Look = Field(description="ok; warn: look at it; bad: act; off: not there, and no harm.")
    word: str = Field(description="In a word or two.")
    meaning: str = Field(description="What it means, and what to do.")


class BooksPart(BooksOfAll):
    """The books of all senders, as in /api/v1/books."""

    light: LightView


class BrokerCounters(BaseModel):
    """What the broker counts of itself (`$SYS`); null: it does not, or does not let us read it."""

    version: str | None
    uptime_s: int | None = Field(description="Seconds since it started.")
    clients: int | None = Field(description="Connections.")
    dropped: int | None = Field(description="Messages given up since it started.")
    held: int | None = Field(description="Messages in its memory, retained ones included.")
    heap_bytes: int | None = Field(description="Memory in use.")
    received_per_minute: float | None = Field(description="Messages in, over the last minute.")
    sent_per_minute: float | None = Field(description="Messages out, likewise.")


class BrokerPart(BaseModel):
    """The broker, as this process sees it."""

    host: str
    port: int
    tls: bool
    connected: bool
    since: Timestamp = Field(description="Since when it is connected, or away.")
    counters: BrokerCounters
    dropped_meaning: str | None = Field(description="What `dropped` means; null while it is 0.")
    light: LightView


class Times(BaseModel):
    """Measured times in milliseconds."""

    p50: float | None
    p99: float | None
    count: int = Field(description="Of so many measured.")


class BackupView(BaseModel):
    """The newest attempt to back the database up."""

    at: Timestamp = Field(description="When.")
    ok: bool = Field(description="It is whole.")
    file: str | None = Field(description="Its name, without its folder.")
    size_bytes: int | None
    trouble: str | None = Field(description="Why it is not whole.")
    good_at: Timestamp | None = Field(description="When the newest whole one was taken.")
    age_s: float | None = Field(description="Seconds since then.")


class DatabasePart(BaseModel):
    """The database; what only it can tell is null while it is away."""

    address: str = Field(description="Without its password.")
    kind: str | None = Field(description="SQLite or PostgreSQL.")
    version: str | None
    size_bytes: int | None
    free_bytes: int | None = Field(description="Room on the disk of a SQLite file; else null.")
    runs: int | None = Field(description="Numbers from the oldest run kept to the newest.")
    rejections: int | None = Field(description="Likewise.")
    oldest_result_at: Timestamp | None = Field(description="When the oldest run kept was received.")
    write_ms: Times = Field(
        description="Batches that services have committed since they started: at most so long."
    )
    last_backup: BackupView | None = Field(description="Null: nobody has ever taken one.")
    answer_ms: Times = Field(description="Our own small questions of the last ten minutes.")
    light: LightView


class ServicePart(BaseModel):
    """One service process."""

    service: str
    reported_at: Timestamp
    age_s: float = Field(description="Seconds since it last reported.")
    connected: bool
    pending: int = Field(description="Messages in its memory that are not stored yet.")
    rulebook_version: int | None = Field(description="What it judges by.")
    runs: int = Field(description="Stored since it started; two answers make a rate.")
    duplicates: int
    rejections: int
    light: LightView


class WatcherPart(BaseModel):
    """Whoever raises and closes alerts."""

    enabled: bool = Field(description="The setting alerts.enabled of this process.")
    elected: bool | None = Field(
        description="A service looks for alerts; null: none has said so yet, and SQLite does not."
    )
    light: LightView


class AgentPart(BaseModel):
    """A machine's edge agent, by its own last word."""

    machine_id: str
    line: str
    version: str | None
    spool_depth: int | None = Field(description="Messages that are not confirmed yet.")
    spool_bytes: int | None = Field(description="Bytes of the agent's whole spool.")
    lag_s: float | None = Field(description="Age of the oldest of them, in seconds.")
    lag_bytes: int | None = Field(description="Bytes of its files that are not read yet.")
    last_error: str | None
    said_at: Timestamp | None
    light: LightView


class WebPart(BaseModel):
    """This process."""

    host: str
    port: int
    version: str
    started_at: Timestamp
    viewers: int = Field(description="Open pages.")
    stream_readers: int = Field(description="Readers of the API's live streams.")
    exports: int = Field(description="Exports that are being read.")
    frames: int = Field(description="Sent since the start, one a viewer.")
    frames_skipped: int = Field(description="Frames a viewer went without: slow, or hidden.")
    frame_ms: Times = Field(description="To encode and hand over what changed, a tick.")
    frame_spark: list[float] = Field(description="The newest of them, oldest first.")
    late_ms: Times = Field(description="How much later than wanted ticks came.")
    memory_bytes: int | None = Field(description="Null where the system does not tell.")
    light: LightView


class SettingView(BaseModel):
    """One setting of this process."""

    name: str = Field(description="section.key")
    value: str = Field(description="A secret is not shown.")
    origin: str = Field(description="flag, environment, the file's name, default, or program.")


class AuditPart(BaseModel):
    """The newest changes people made."""

    items: list[AuditEntry] = Field(description="Newest first.")
    first_forged: int | None = Field(description="The entry that does not fit; null: all do.")
    light: LightView


class SystemView(BaseModel):
    """Do the books balance, and is everything up?"""

    at: Timestamp
    books: BooksPart | None = Field(description="Null while the database is away.")
    broker: BrokerPart
    database: DatabasePart
    services: list[ServicePart]
    watcher: WatcherPart
    agents: list[AgentPart] = Field(description="By machine_id.")
    web: WebPart
    settings: list[SettingView] = Field(description="Every setting, in the order of the sections.")
    audit: AuditPart | None = Field(description="Null while the database is away.")
