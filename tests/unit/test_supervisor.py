"""Back-off, ports, command lines: what `up` decides before it starts anything."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from broker.addresses import is_loopback, without_password
from broker.errors import SettingsError
from broker.sections import DatabaseSettings, HttpSettings
from broker.settings import Settings
from service.store.database import Database
from service.supervisor import count_failures, describe_exit, restart_delay_s
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


def test_the_wait_doubles_from_a_fifth_of_a_second_to_ten() -> None:
    assert [restart_delay_s(n) for n in range(1, 9)] == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10]
    assert restart_delay_s(100_000) == 10


def test_half_a_minute_of_life_wipes_the_slate() -> None:
    assert count_failures(0, lived_s=0.1) == 1
    assert count_failures(5, lived_s=29.9) == 6
    assert count_failures(5, lived_s=30) == 1


def test_an_end_is_told_in_words() -> None:
    assert describe_exit(1) == "ended with exit code 1"
    assert describe_exit(-9) == "was ended by SIGKILL"
    assert describe_exit(-63) == "was ended by signal 63"


def test_a_free_default_port_is_taken_without_a_word() -> None:
    assert choose_port("--http-port", None, 8080, lambda _: True) == (8080, None)


def test_a_taken_default_port_moves_to_the_next_free_one_and_says_so() -> None:
    port, sentence = choose_port("--http-port", None, 8080, lambda port: port >= 8083)
    assert port == 8083
    assert sentence == "Port 8080 is in use by another program: using 8083 (--http-port)."


def test_a_taken_port_given_by_flag_is_one_sentence() -> None:
    with pytest.raises(SettingsError) as caught:
        choose_port("--http-port", 8080, 8080, lambda port: port != 8080)
    assert str(caught.value) == (
        "--http-port 8080 is in use by another program."
        " Choose another, or leave it out to get the next free one."
    )


def test_the_search_for_a_port_ends_at_the_last_one() -> None:
    asked: list[int] = []

    def is_free(port: int) -> bool:
        asked.append(port)
        return False

    with pytest.raises(SettingsError, match="no port from 65530 to"):
        choose_port("--mqtt-port", None, 65530, is_free)
    assert asked == list(range(65530, 65536))


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.0.0.53", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.4.2", False),
        ("plant-server", False),
    ],
)
def test_only_loopback_needs_no_login(host: str, expected: bool) -> None:  # noqa: FBT001
    assert is_loopback(host) is expected


def test_another_address_needs_users() -> None:
    elsewhere = Settings(http=HttpSettings(host="10.0.4.2"))
    assert needs_users(UpOptions(host="0.0.0.0"), Settings())
    assert needs_users(UpOptions(), elsewhere)
    assert not needs_users(UpOptions(host="0.0.0.0", no_login=True), Settings())
    assert not needs_users(UpOptions(host="127.0.0.1"), elsewhere)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (UpOptions(broker="mosqitto"), "--broker mosqitto is none of auto, mosquitto"),
        (UpOptions(replicas=2), "cannot share a SQLite file"),
        (UpOptions(replicas=0), "Use 1 or more"),
    ],
)
def test_what_cannot_work_is_refused(options: UpOptions, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        check_options(options, Settings(), "sqlite:///x")


def test_several_services_share_a_postgresql() -> None:
    check_options(UpOptions(replicas=2), Settings(), "postgresql://h/db")
    names = [program.name for program in programs(UpOptions(replicas=2), {})]
    assert names == ["service", "service-2", "ui"]


def test_a_database_flag_and_a_file_that_names_another_do_not_go_together() -> None:
    settings = Settings(database=DatabaseSettings(url_file=Path("secret")))
    with pytest.raises(SettingsError, match="Leave one of them out"):
        check_options(UpOptions(database="sqlite:///x"), settings, "sqlite:///x")
    assert database_url(UpOptions(), settings) is None


def test_the_database_is_the_flag_then_the_settings_then_a_file_in_the_data_folder() -> None:
    configured = Settings(database=DatabaseSettings(url="postgresql://h/db"))
    options = UpOptions(data_dir=Path("/tmp/d"))
    assert database_url(UpOptions(database="sqlite:///f"), configured) == "sqlite:///f"
    assert database_url(options, configured) == "postgresql://h/db"
    assert database_url(options, Settings()) == "sqlite:////tmp/d/yieldline.db"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://bob:s3:cret@db:5432/yield", "postgresql://bob:***@db:5432/yield"),
        ("postgresql://bob:s3@cret@db/yield", "postgresql://bob:***@db/yield"),
        (
            "postgresql://db/y?user=b&password=s3cret&connect_timeout=9",
            "postgresql://db/y?user=b&password=***&connect_timeout=9",
        ),
        ("postgresql://db/y?sslpassword=s3cret", "postgresql://db/y?sslpassword=***"),
        ("postgresql://bob@db/yield", "postgresql://bob@db/yield"),
        ("sqlite:///data/yieldline.db", "sqlite:///data/yieldline.db"),
    ],
)
def test_a_password_is_not_shown(url: str, shown: str) -> None:
    assert without_password(url) == shown
    assert "s3" not in Database(DatabaseSettings(url=SecretStr(url), no_tls=True)).label


def test_choices_reach_the_children_as_settings() -> None:
    variables = environment(
        UpOptions(no_login=True),
        Address("127.0.0.1", 1884),
        "sqlite:///x.db",
        Address("0.0.0.0", 8081),
    )
    assert variables == {
        "YIELDLINE_HTTP__HOST": "0.0.0.0",
        "YIELDLINE_HTTP__PORT": "8081",
        "YIELDLINE_HTTP__NO_LOGIN": "True",
        "YIELDLINE_BROKER__HOST": "127.0.0.1",
        "YIELDLINE_BROKER__PORT": "1884",
        "YIELDLINE_DATABASE__URL": "sqlite:///x.db",
    }
    local = Address("127.0.0.1", 1)
    assert set(environment(UpOptions(), local, None, local)) == {
        "YIELDLINE_HTTP__HOST",
        "YIELDLINE_HTTP__PORT",
        "YIELDLINE_BROKER__HOST",
        "YIELDLINE_BROKER__PORT",
    }


def test_a_broker_without_mqtt_5_is_not_asked_in_it() -> None:
    local = Address("127.0.0.1", 1)
    variables = environment(UpOptions(), local, None, local, embedded=True)
    assert variables["YIELDLINE_BROKER__INGEST_PROTOCOL"] == "3.1.1"
    assert variables["YIELDLINE_SERVICE__CHECK_PROTOCOL"] == "3.1.1"


def test_on_the_embedded_broker_one_service_shares_with_nobody() -> None:
    local = Address("127.0.0.1", 1)
    variables = environment(UpOptions(), local, None, local, embedded=True)
    assert variables["YIELDLINE_SERVICE__SHARE"] == "False"
    check_embedded(UpOptions())
    with pytest.raises(SettingsError, match="--service-replicas 2: the embedded broker"):
        check_embedded(UpOptions(replicas=2))


def test_children_are_known_by_their_command_lines() -> None:
    service, web = programs(UpOptions(), {"A": "b"})
    assert " ".join(service.command).endswith("yieldline service")
    assert " ".join(web.command).endswith("yieldline ui")
    assert service.environment == {"A": "b"}
    assert "yieldline simulate --history" in " ".join(simulator(UpOptions(), {}).command)
    assert simulator(UpOptions(seed=7), {}).command[-2:] == ("--seed", "7")
    broker = " ".join(embedded_broker(1884, Path("data/broker")).command)
    assert "yieldline broker --broker embedded --port 1884" in broker


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("::1", "http://[::1]:80"),
        ("plant-server", "http://plant-server:80"),
    ],
)
def test_the_page_is_named_so_that_a_browser_here_reaches_it(host: str, url: str) -> None:
    assert page_url(Address(host, 80)) == url
