from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr

from broker.envelopes import Delivery
from broker.plant_sections import MachineSettings
from broker.sections import DatabaseSettings, TopicsSettings
from broker.settings import Settings
from service.core.lookup import Rulebook
from service.core.records import JudgedRun
from service.pipeline import Pipeline
from service.store.database import Database

PAYLOAD = (
    b'{"barcode": "B", "product_id": "P", "test_step": "s", "measured_value": 1.0,'
    b' "timestamp": "2026-11-23T10:00:00"}'
)


def pipeline(folder: Path, *, template: str, machine: MachineSettings) -> Pipeline:
    settings = Settings(
        topics=TopicsSettings(template=template),
        machines={"M-1": machine},
        database=DatabaseSettings(url=SecretStr(f"sqlite:///{folder}/y.db")),
    )
    return Pipeline(settings, Database(settings.database), Rulebook(1, ()))


def only_run(line: Pipeline, topic: str) -> JudgedRun:
    (arrival,) = line.understand([Delivery(topic, PAYLOAD, 1, retained=False)]).arrivals
    (run,) = arrival.contents
    assert isinstance(run, JudgedRun)
    assert arrival.line == run.run.line
    return run


def test_a_machine_whose_topic_says_no_line_has_that_of_the_settings(tmp_path: Path) -> None:
    line = pipeline(
        tmp_path, template="p/{machine_id}/{channel}", machine=MachineSettings(line="L7")
    )
    assert only_run(line, "p/M-1/test").run.line == "L7"
    assert only_run(line, "p/M-2/test").run.line == "unassigned"


def test_a_line_in_the_topic_beats_the_settings(tmp_path: Path) -> None:
    template = "p/{line}/{machine_id}/{channel}"
    line = pipeline(tmp_path, template=template, machine=MachineSettings(line="L7"))
    assert only_run(line, "p/L1/M-1/test").run.line == "L1"


def test_a_time_without_offset_is_in_the_machines_zone(tmp_path: Path) -> None:
    machine = MachineSettings(time_zone="Europe/Berlin")
    line = pipeline(tmp_path, template="p/{line}/{machine_id}/{channel}", machine=machine)
    began = only_run(line, "p/L1/M-1/test").run.started_at
    assert began == datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
    assert only_run(line, "p/L1/M-2/test").run.started_at.hour == 10


def test_retained_messages_and_probes_leave_nothing_but_are_acknowledged(tmp_path: Path) -> None:
    template = "p/{line}/{machine_id}/{channel}"
    line = pipeline(tmp_path, template=template, machine=MachineSettings())
    probe = Delivery("p/_check/yieldline-service-0/test", b"{}", 1, retained=False)
    retained = Delivery("p/L1/M-1/test", PAYLOAD, 2, retained=True)
    understood = line.understand([probe, retained])
    assert understood.arrivals == []
    assert understood.deliveries == [probe, retained]
