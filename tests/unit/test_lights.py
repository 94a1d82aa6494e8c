"""What stands beside each part on the System page: a word, and a sentence that says what to do."""

from datetime import UTC, datetime
from typing import Any

import pytest

from ui import lights
from ui.meter import AgentWord, quantile
from ui.system import agent_row, broker_counters

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def agent(*, said_s: float | None = 0.0, is_offline: bool = False, **facts: Any) -> AgentWord:  # noqa: ANN401 - as sent
    said = None if said_s is None else NOW.timestamp() - said_s
    facts = {"version": "1.0", "spool_depth": 0, "lag_s": 0.0, "last_error": None, **facts}
    return AgentWord("FCT-1", "L1", "live", facts, said, is_offline)


@pytest.mark.parametrize(
    ("word", "look", "said"),
    [
        (agent(), "ok", "up"),
        (agent(is_offline=True, last_error="disk"), "off", "offline"),
        (agent(said_s=61), "warn", "silent"),
        (agent(said_s=None), "warn", "silent"),
        (agent(last_error="the spool's disk is full"), "bad", "in trouble"),
        (agent(lag_s=61), "warn", "behind"),
        (agent(lag_s="61"), "ok", "up"),
        (agent(version="0.9"), "warn", "other version"),
    ],
)
def test_the_worst_that_is_true_of_an_agent_is_said(word: AgentWord, look: str, said: str) -> None:
    row = agent_row(word, NOW, "1.0")
    assert (row["light"]["look"], row["light"]["word"]) == (look, said)


def test_an_agents_trouble_is_told_in_its_own_words() -> None:
    assert (
        "disk is full"
        in agent_row(agent(last_error="disk is full"), NOW, "1.0")["light"]["meaning"]
    )


def test_what_an_agent_says_that_makes_no_sense_is_not_passed_on() -> None:
    row = agent_row(agent(version=3, spool_depth="many", lag_s=True, last_error=[1]), NOW, "1.0")
    assert [row[name] for name in ("version", "spool_depth", "lag_s", "last_error")] == [None] * 4


def service(age_s: float = 1.0, **facts: object) -> dict[str, Any]:
    return {"service": "s", "age_s": age_s, "facts": {"connected": True, "pending": 0, **facts}}


@pytest.mark.parametrize(
    ("one", "has_other", "look", "word"),
    [
        (service(), False, "ok", "up"),
        (service(11), False, "bad", "silent"),
        (service(11), True, "off", "silent"),
        (service(connected=False, trouble="database away."), False, "bad", "not connected"),
        (service(pending=1_001), False, "warn", "catching up"),
        (service(session_lost_s=7), False, "warn", "lost its queue"),
        (service(answers_refused=3), False, "warn", "answers refused"),
        (service(rules_trouble="low 9 is above high 5."), False, "warn", "judges by older rules"),
    ],
)
def test_a_silent_service_is_only_bad_when_nobody_does_its_work(
    *,
    one: dict[str, Any],
    has_other: bool,
    look: str,
    word: str,
) -> None:
    assert lights.service_light(one, has_other=has_other)[:2] == (look, word)


@pytest.mark.parametrize(
    ("is_enabled", "is_elected", "has_service", "look"),
    [
        (False, True, True, "off"),
        (True, True, False, "ok"),
        (True, False, True, "bad"),
        (True, None, True, "ok"),
        (True, None, False, "bad"),
    ],
)
def test_without_the_databases_word_a_living_service_watches(
    *,
    is_enabled: bool,
    is_elected: bool | None,
    has_service: bool,
    look: str,
) -> None:
    light = lights.watcher_light(
        is_enabled=is_enabled, is_elected=is_elected, has_service=has_service
    )
    assert light.look == look


def test_nobody_is_said_to_be_missing_while_the_database_tells_nothing() -> None:
    light = lights.watcher_light(is_enabled=True, is_elected=None, has_service=None)
    assert (light.look, light.word) == ("warn", "not known")
    assert "Start" not in light.meaning
    switched_off = lights.watcher_light(is_enabled=False, is_elected=None, has_service=None)
    assert switched_off.look == "off"


def test_every_light_that_is_not_well_says_what_to_do() -> None:
    unwell = [
        lights.books_light(3, 5),
        lights.broker_light(is_connected=False, trouble="refused"),
        lights.broker_light(is_connected=True, trouble=None, dropped=45),
        lights.database_light("database x is away.", None),
        lights.database_light(None, 251),
        lights.database_light(None, 1, lights.DISK_FREE_MIN_BYTES - 1),
        lights.web_light(251),
        lights.audit_light(7),
    ]
    assert [each.look for each in unwell] == ["bad"] * 4 + ["warn"] * 3 + ["bad"]
    assert all(each.meaning.count(".") >= 2 and each.meaning.endswith(".") for each in unwell)


def test_a_quiet_house_has_no_alarming_light() -> None:
    quiet = [
        lights.books_light(0, 5),
        lights.broker_light(is_connected=True, trouble=None),
        lights.database_light(None, 249),
        lights.database_light(None, 249, lights.DISK_FREE_MIN_BYTES),
        lights.web_light(None),
        lights.audit_light(None),
    ]
    assert {each.look for each in quiet} == {"ok"}
    assert lights.books_light(0, 0).look == "off"
    assert lights.dropped_meaning(0) is None
    assert "max_queued_messages" in str(lights.dropped_meaning(2))


def test_the_brokers_words_become_numbers_and_nonsense_nothing() -> None:
    found = broker_counters(
        {
            "version": "mosquitto version 2.0.11",
            "uptime": "22 seconds",
            "clients/connected": "19",
            "publish/messages/dropped": "many",
            "load/messages/received/1min": "8468.35",
            "load/messages/sent/1min": "fast",
        }
    )
    assert (found["version"], found["uptime_s"], found["clients"]) == ("2.0.11", 22, 19)
    assert found["received_per_minute"] == 8468.35
    assert [found[name] for name in ("dropped", "held", "sent_per_minute")] == [None] * 3


def test_a_quantile_is_one_of_the_values() -> None:
    values = [float(each) for each in range(1, 101)]
    assert (quantile(values, 0.5), quantile(values, 0.99), quantile([7.0], 0.99)) == (50, 99, 7)
    assert quantile([], 0.5) is None
