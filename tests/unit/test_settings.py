"""Settings: which layer wins, and the sentence for every mistake."""

from pathlib import Path

import pytest

from broker.errors import SettingsError
from broker.settings import Settings, as_environment, load_settings, setting_names
from broker.topics import Channel


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(text: str, name: str = "yieldline.toml") -> Path:
    path = Path(name)
    path.write_text(text, "utf-8")
    return path


def mistake(file: Path | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(file)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


def test_without_a_file_the_defaults_hold() -> None:
    settings = load_settings()
    assert settings.broker.port == 1883
    assert settings.http.host == "127.0.0.1"


def test_flags_beat_the_environment_beats_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    write('[broker]\nhost = "from-file"\nport = 1\nkeepalive_s = 11\n')
    assert load_settings().broker.host == "from-file"
    monkeypatch.setenv("YIELDLINE_BROKER__HOST", "from-environment")
    monkeypatch.setenv("YIELDLINE_BROKER__PORT", "2")
    assert load_settings().broker.host == "from-environment"
    broker = load_settings(flags={"broker": {"host": "from-flag"}}).broker
    assert (broker.host, broker.port, broker.keepalive_s) == ("from-flag", 2, 11)


def test_a_named_file_is_read_by_flag_and_by_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    other = write("[http]\nport = 81\n", "other.toml")
    assert load_settings(other).http.port == 81
    monkeypatch.setenv("YIELDLINE_CONFIG", str(other))
    assert load_settings().http.port == 81


@pytest.mark.parametrize(
    ("url", "share", "is_shared"),
    [
        ("sqlite:///x.db", None, False),
        ("postgresql://h/x", None, True),
        ("sqlite:///x.db", True, True),
        ("postgresql://h/x", False, False),
    ],
)
def test_a_service_that_can_only_be_alone_is_in_no_group_and_leaves_what_it_was_in(
    url: str, *, share: bool | None, is_shared: bool
) -> None:
    flags = {"database": {"url": url}, "service": {} if share is None else {"share": share}}
    alone, together = "factory/v1/+/+/test", "$share/yieldline/factory/v1/+/+/test"
    expected = (together, alone) if is_shared else (alone, together)
    assert load_settings(flags=flags).filters(Channel.TEST) == expected


def test_the_group_of_the_services_stands_in_a_file_with_those_of_before() -> None:
    assert load_settings().service.shared_groups() == ("yieldline",)
    file = write("0f3a\nformer\n0f3a\n", "group")
    service = load_settings(flags={"service": {"shared_group_file": file}}).service
    assert service.shared_groups() == ("0f3a", "former", "yieldline")
    for text in ("", " \n", "a/b", "#", "a\n+"):
        write(text, "group")
        with pytest.raises(SettingsError, match="holds no name of a group: letters") as caught:
            service.shared_groups()
        assert text.strip() not in str(caught.value) or not text.strip()
    file.unlink()
    with pytest.raises(SettingsError, match=r"shared_group_file 'group' cannot be read"):
        service.shared_groups()


def test_a_misspelt_key_in_the_file_names_the_closest_one() -> None:
    write('[broker]\nhosst = "x"\n')
    assert mistake() == ("yieldline.toml: broker.hosst is not a setting. Did you mean broker.host?")


def test_a_misspelt_section_in_the_file_names_the_closest_one() -> None:
    write('[brokr]\nhost = "x"\n')
    assert mistake() == "yieldline.toml: brokr is not a setting. Did you mean broker?"


@pytest.mark.parametrize("name", ["YIELDLINE_BROKR__HOST", "YIELDLINE_BROKER__HOSST"])
def test_a_misspelt_variable_names_the_closest_one(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "x")
    assert mistake() == (
        f"environment: {name} is not a setting. Did you mean YIELDLINE_BROKER__HOST?"
        " See docs/configuration.md."
    )


def test_a_wrong_type_in_the_file_names_file_and_key() -> None:
    write('[broker]\nport = "many"\n')
    assert mistake().startswith("yieldline.toml: broker.port: ")


def test_a_wrong_type_in_the_environment_names_the_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write("[http]\nport = 80\n")
    monkeypatch.setenv("YIELDLINE_BROKER__PORT", "many")
    assert mistake() == (
        "environment YIELDLINE_BROKER__PORT: broker.port: It must be a whole number."
    )


def test_a_value_out_of_range_says_the_range() -> None:
    write("[broker]\nport = 70000\n")
    assert mistake() == (
        "yieldline.toml: broker.port: Input should be less than or equal to 65535."
    )


def test_a_named_file_that_is_missing_is_an_error() -> None:
    sentence = mistake(Path("nowhere.toml"))
    assert sentence == "nowhere.toml does not exist. Give another --config, or none."


def test_a_file_named_in_the_environment_that_is_missing_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("YIELDLINE_CONFIG", "nowhere.toml")
    assert mistake().startswith("nowhere.toml does not exist.")


@pytest.mark.parametrize("text", ["[broker\n", "port = = 1\n", 'a = "\n'])
def test_bad_toml_names_the_file_and_the_place(text: str) -> None:
    write(text)
    sentence = mistake()
    assert sentence.startswith("yieldline.toml cannot be read as TOML: ")
    assert "line" in sentence or "end of document" in sentence


def test_a_byte_order_mark_before_the_settings_is_no_trouble() -> None:
    Path("yieldline.toml").write_bytes(b'\xef\xbb\xbf[plant]\nname = "North"\n')
    assert load_settings().plant.name == "North"


def test_a_file_that_is_not_utf_8_is_one_sentence() -> None:
    Path("yieldline.toml").write_bytes(b'[plant]\nname = "M\xfcnchen"\n')
    assert mistake() == "yieldline.toml is not UTF-8 text (byte 17). Save it as UTF-8."


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[broker]\npassword = "p"\n', "a password without a username: set both, or neither."),
        ('[broker]\ncert_file = "c"\n', "set cert_file and key_file together, or neither."),
        ('[plant]\ntime_zone = "Europe/Berln"\n', "Did you mean Europe/Berlin?"),
        ('[plant]\nshift_starts = ["25:00"]\n', "'25:00' is not a local time such as 06:00."),
        ('[plant]\nshift_starts = ["14:00", "06:00"]\n', "must rise through the day"),
        ('[topics]\ntemplate = "factory/{line}/{channel}"\n', "must hold {machine_id}"),
        ('[topics]\ntemplate = "factory/{lime}/{machine_id}/{channel}"\n', "not a placeholder"),
        ('[log]\nlevel = "loud"\n', "log.level"),
    ],
)
def test_a_value_that_makes_no_sense_says_why(text: str, sentence: str) -> None:
    write(text)
    assert sentence in mistake()


def test_a_machine_may_have_settings_of_its_own() -> None:
    write('[machines.FCT-12]\nline = "L1"\ntime_zone = "Europe/Berlin"\n')
    assert load_settings().machines["FCT-12"].line == "L1"


def test_a_misspelt_key_of_a_machine_is_an_error() -> None:
    write('[machines.FCT-12]\nlin = "L1"\n')
    assert mistake().startswith("yieldline.toml: machines.FCT-12.lin is not a setting.")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("YIELDLINE_LINES__L1__PLAN_PER_HOUR", "60"),
        ("yieldline_lines__L1__plan_per_hour", "60"),
        ("YIELDLINE_LINES__L1", '{"plan_per_hour": 60}'),
        ("YIELDLINE_LINES", '{"L1": {"plan_per_hour": 60}}'),
    ],
)
def test_a_name_in_the_environment_keeps_its_case_and_joins_its_table_in_the_file(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("[lines.L1]\nplan_per_hour = 5\ntarget_fpy_percent = 90\n[lines.l1]\nplan_per_hour = 7\n")
    monkeypatch.setenv(variable, value)
    lines = load_settings().lines
    assert {name: each.plan_per_hour for name, each in lines.items()} == {"L1": 60, "l1": 7}
    assert lines["L1"].target_fpy_percent == 90


def test_machines_lines_and_products_are_found_by_the_names_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("YIELDLINE_MACHINES__FCT-12__PROCEDURES", '["FCT", "ICT"]')
    monkeypatch.setenv("YIELDLINE_MACHINES__FCT-12__LINE", "L1")
    monkeypatch.setenv("YIELDLINE_PRODUCTS__PROD-A__RETESTS_MAX", "1")
    monkeypatch.setenv("YIELDLINE_PRODUCTS__Pcb.7__RETESTS_MAX", "2")
    settings = load_settings(flags={"http": {"port": 81}})
    assert settings.machines["FCT-12"].procedures == ("FCT", "ICT")
    assert settings.machines["FCT-12"].line == "L1"
    assert {name: each.retests_max for name, each in settings.products.items()} == {
        "PROD-A": 1,
        "Pcb.7": 2,
    }


@pytest.mark.parametrize(
    ("key", "value", "wrong"),
    [
        ("PLAN_PER_HOUR", "-1", "lines.L1.plan_per_hour: Input should be greater than 0."),
        (
            "PLAN_PER_HUOR",
            "1",
            "lines.L1.plan_per_huor is not a setting. Did you mean lines.plan_per_hour?",
        ),
    ],
)
def test_a_mistake_under_a_name_in_the_environment_names_the_variable(
    key: str, value: str, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("[http]\nport = 81\n")
    monkeypatch.setenv(f"YIELDLINE_LINES__L1__{key}", value)
    assert mistake() == f"environment YIELDLINE_LINES__L1__{key}: {wrong}"


def test_secrets_are_not_shown() -> None:
    write(
        '[broker]\nusername = "bob"\npassword = "s3cret"\n'
        '[database]\nurl = "postgresql://bob:s3cret@db/yield"\n'
    )
    settings = load_settings(flags={"http": {"port": 81}})
    assert settings.broker.secret() == "s3cret"
    assert settings.database.address() == "postgresql://bob:s3cret@db/yield"
    for text in (repr(settings), str(settings), settings.model_dump_json()):
        assert "s3cret" not in text


def test_a_secret_is_not_shown_in_a_mistake() -> None:
    write('[broker]\npassword = "s3cret"\n[database]\nurl = 5\n')
    assert "s3cret" not in mistake()


def test_secrets_are_read_from_files() -> None:
    password, url = write("s3cret\n", "password"), write("sqlite:///x.db\n", "url")
    write(
        f'[broker]\nusername = "bob"\npassword_file = "{password}"\n'
        f'[database]\nurl_file = "{url}"\n'
    )
    settings = load_settings()
    assert settings.broker.secret() == "s3cret"
    assert settings.database.address() == "sqlite:///x.db"


def test_a_secret_file_that_is_missing_names_the_setting() -> None:
    write('[broker]\npassword_file = "nowhere"\n[database]\nurl_file = "nowhere"\n')
    settings = load_settings()
    with pytest.raises(SettingsError, match=r"broker\.password_file 'nowhere' cannot be read"):
        settings.broker.secret()
    with pytest.raises(SettingsError, match=r"database\.url_file 'nowhere' cannot be read"):
        settings.database.address()


def test_a_database_we_do_not_know_is_refused() -> None:
    write('[database]\nurl = "mysql://bob:s3cret@db/yield"\n')
    with pytest.raises(SettingsError, match="starts with 'mysql'") as caught:
        load_settings().database.address()
    assert "s3cret" not in str(caught.value)


def test_what_is_handed_to_a_child_is_what_it_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    handed = as_environment(
        {"http": {"port": 8081, "no_login": True}, "broker": {"host": "10.0.4.2"}}
    )
    for name, value in handed.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert (settings.http.port, settings.http.no_login) == (8081, True)
    assert settings.broker.host == "10.0.4.2"


def test_every_setting_says_what_it_is() -> None:
    names = list(setting_names())
    assert ("broker", "host") in names
    assert ("machines", "line") in names
    for section, field in Settings.model_fields.items():
        keys = getattr(field.annotation, "model_fields", {"": field})
        for key, setting in keys.items():
            assert setting.description, f"{section}.{key} has no description"


def test_whom_to_tell_stands_in_a_file_one_address_a_line(tmp_path: Path) -> None:
    write('[alerts]\nnotify_urls = ["json://one"]\n')
    assert load_settings().alerts.addresses() == ("json://one",)
    file = tmp_path / "notify_urls"
    file.write_text("json://s3cret@two\n\n  mailto://three\r\n", "utf-8")
    write(f'[alerts]\nnotify_urls_file = "{file.as_posix()}"\n')
    alerts = load_settings().alerts
    assert alerts.addresses() == ("json://s3cret@two", "mailto://three")
    assert "s3cret" not in repr(alerts)
    file.write_bytes(b"json://s3cret@\xff")
    for reason in ("it is not UTF-8", "No such file or directory"):
        with pytest.raises(SettingsError, match=rf"notify_urls_file .*\({reason}\)") as caught:
            alerts.addresses()
        assert "s3cret" not in str(caught.value)
        file.unlink(missing_ok=True)
