"""Who may come in, as values: the policy, the routes, logins, tries, headers."""

from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import pytest

from broker.addresses import host_of
from broker.errors import SettingsError
from service.commands.roles import Role, Scope
from tests.support.paths import ROOT
from ui.access.attempts import ADDRESS_TRIES_MAX, TRIES_MAX, Attempts
from ui.access.callers import GUEST, LOCAL, Caller, Kind, Need, is_own_origin, nameless
from ui.access.headers import security_headers
from ui.access.presence import Presence
from ui.access.refusals import Refusals
from ui.access.renewals import Renewals
from ui.access.routes import RULES, SOCKET, find_need, is_page
from ui.access.secret import read_secret
from ui.access.sessions import Lasting, Login, Session, renewed, sign, verify

NICEGUI = f"/_nicegui/{version('nicegui')}"
NOW = datetime(2026, 11, 25, 10, tzinfo=UTC)
SECRET = bytes(range(32))
ANN = Login("ann", 3, NOW + timedelta(microseconds=7))


@pytest.mark.parametrize(
    ("no_login", "is_local", "has_users", "expected"),
    [
        (False, True, False, LOCAL),
        (False, True, True, None),
        (False, False, False, None),
        (False, False, True, None),
        (True, True, False, GUEST),
        (True, False, False, GUEST),
        (True, False, True, GUEST),
    ],
)
def test_who_says_nothing_of_himself_is(
    *, no_login: bool, is_local: bool, has_users: bool, expected: Caller | None
) -> None:
    assert nameless(no_login=no_login, is_local=is_local, has_users=has_users) == expected


@pytest.mark.parametrize("role", Role)
def test_a_role_may_what_those_before_it_may(role: Role) -> None:
    order = list(Role)
    may = [Caller(Kind.USER, role).may(Need(each)) for each in order]
    assert may == [place <= order.index(role) for place in range(len(order))]


@pytest.mark.parametrize("scope", [Scope.INGEST, Scope.WALL])
def test_a_token_for_one_thing_opens_nothing_else(scope: Scope) -> None:
    caller = Caller(Kind.TOKEN, scope.role, scope, "t")
    assert [need for _, _, need in RULES if need and caller.may(need)] == [
        need for _, _, need in RULES if need and need.scope is scope
    ]


def test_the_audit_trail_believes_a_name_only_where_nobody_logs_in() -> None:
    assert Caller(Kind.USER, Role.ADMIN, None, "ann").author("bo") == "ann"
    assert Caller(Kind.TOKEN, Role.ADMIN, Scope.ADMIN, "mes").author("bo") == "token mes"
    assert LOCAL.author("bo") == "bo"


@pytest.mark.parametrize(
    ("origin", "site", "expected"),
    [
        (None, None, None),
        ("http://plant:8080", None, True),
        ("https://PLANT:8080", "same-origin", True),
        (None, "same-origin", True),
        (None, "none", True),
        ("http://plant", None, False),
        ("http://plant:8080.evil.example", None, False),
        ("http://evil.example", None, False),
        ("null", None, False),
        ("http://plant:8080", "cross-site", False),
        (None, "same-site", False),
    ],
)
def test_a_browser_says_whose_page_calls(
    origin: str | None,
    site: str | None,
    expected: bool | None,  # noqa: FBT001 - of the table
) -> None:
    assert is_own_origin(origin, site, "plant:8080") is expected


@pytest.mark.parametrize(
    ("netloc", "host"),
    [("127.0.0.1:8080", "127.0.0.1"), ("[::1]:80", "::1"), ("a", "a"), ("", ""), ("[", "")],
)
def test_the_host_of_an_address_is_found(netloc: str, host: str) -> None:
    assert host_of(netloc) == host


@pytest.mark.parametrize(
    ("method", "path", "need"),
    [
        ("GET", "/healthz", None),
        ("HEAD", "/readyz", None),
        ("GET", "/metrics", Need(Role.VIEWER)),
        ("POST", "/ingest", Need(Role.ADMIN, Scope.INGEST)),
        ("GET", "/api/v1/results/7", Need(Role.VIEWER)),
        ("GET", "/api/v1/tokens", Need(Role.ADMIN)),
        ("GET", "/api/v1/tokens\n", Need(Role.ADMIN)),
        ("GET", f"{NICEGUI}/static/x.js", None),
        ("GET", f"{NICEGUI}/esm/nicegui-echart/dist/x.js", None),
        ("GET", f"{NICEGUI}/nothing", Need(Role.VIEWER)),
        ("GET", f"{NICEGUI}/static", Need(Role.VIEWER)),
        ("GET", f"{NICEGUI}/libraries/a\nb", Need(Role.VIEWER)),
        ("GET", f"{NICEGUI}/resources/key", Need(Role.VIEWER)),
        ("GET", f"{NICEGUI}/dynamic_resources/a/b", Need(Role.VIEWER)),
        ("GET", "/_nicegui/0.0/static/x.js", Need(Role.VIEWER)),
        ("GET", "/units/a/b", Need(Role.VIEWER)),
        ("GET", "/wall", Need(Role.VIEWER, Scope.WALL)),
        ("GET", "/wallpaper", Need(Role.VIEWER)),
        ("POST", "/api/v1/alerts/7/acknowledge", Need(Role.OPERATOR)),
        ("POST", "/api/v1/alerts/7/x/acknowledge", Need(Role.ADMIN)),
        ("DELETE", "/api/v1/shadow", Need(Role.ENGINEER)),
        ("PUT", "/api/v1/anything", Need(Role.ADMIN)),
        (SOCKET, "/_nicegui_ws/socket.io/", Need(Role.VIEWER, Scope.WALL)),
        (SOCKET, "/ws/live", Need(Role.VIEWER)),
    ],
)
def test_a_route_needs_a_role(method: str, path: str, need: Need | None) -> None:
    assert find_need(method, path).need == need


@pytest.mark.parametrize(
    ("path", "expected"), [("/", True), ("/units/x", True), ("/api/v1/books", False)]
)
def test_only_pages_lead_to_the_login(path: str, *, expected: bool) -> None:
    assert is_page("GET", path) is expected
    assert not is_page("POST", path)


def test_a_login_holds_eight_hours_and_only_with_our_signature() -> None:
    text = sign(renewed(ANN, NOW, Lasting()), SECRET)
    assert verify(text, SECRET, NOW + timedelta(hours=8, seconds=-1)) == Session(
        ANN, NOW + timedelta(hours=8)
    )
    assert verify(text, SECRET, NOW + timedelta(hours=8)) is None
    assert verify(text, SECRET[::-1], NOW) is None


@pytest.mark.parametrize(
    ("hours_max", "idle_minutes", "used_after_h", "ends_after_h"),
    [
        (24, None, 0, 8),
        (24, None, 5, 13),
        (24, None, 16, 24),
        (24, None, 23, 24),
        (12, None, 5, 12),
        (4, None, 0, 4),
        (24, 30, 0, 0.5),
        (24, 30, 7, 7.5),
        (24, 30, 23.75, 24),
    ],
)
def test_a_login_in_use_goes_on_within_its_bound(
    hours_max: int, idle_minutes: int | None, used_after_h: float, ends_after_h: float
) -> None:
    login = Login("ann", 3, NOW)
    lasting = Lasting.of(hours_max, idle_minutes)
    session = renewed(login, NOW + timedelta(hours=used_after_h), lasting)
    assert session == Session(login, NOW + timedelta(hours=ends_after_h))


def test_a_renewal_is_remembered_until_it_is_over_and_never_shortens_a_login() -> None:
    renewals, other = Renewals(), ANN._replace(began=NOW)
    for hours in (8, 13, 9):
        renewals.note(Session(ANN, NOW + timedelta(hours=hours)))
    assert renewals.until(ANN) == NOW + timedelta(hours=13)
    assert renewals.until(other) is None
    renewals.forget_before(NOW + timedelta(hours=12))
    assert renewals.until(ANN) is not None
    renewals.forget_before(NOW + timedelta(hours=13))
    assert renewals.until(ANN) is None


@pytest.mark.parametrize("change", ["", ".", "x", "é.ü", "\x00.\x00", "a" * 5_000])
def test_a_cookie_that_is_not_ours_is_no_login(change: str) -> None:
    session = renewed(ANN, NOW, Lasting())
    text = sign(session, SECRET)
    body, signature = text.split(".")
    other = sign(session._replace(login=ANN._replace(name="bo")), SECRET)
    for forged in (change, text + change + "x", f"{other.split('.')[0]}.{signature}", body):
        assert verify(forged, SECRET, NOW) is None


def test_the_sixth_try_within_a_minute_waits() -> None:
    attempts = Attempts()
    assert [attempts.wait_s("ann", "10.0.0.1", second) for second in range(5)] == [0.0] * 5
    assert attempts.wait_s("ann", "10.0.0.1", 6.0) == 54.0
    assert attempts.wait_s("ann", "10.0.0.2", 6.0) == 0.0
    assert attempts.wait_s("bo", "10.0.0.1", 6.0) == 0.0
    assert attempts.wait_s("ann", "10.0.0.1", 61.0) == 0.0
    attempts.forget("ann", "10.0.0.1")
    assert [attempts.wait_s("ann", "10.0.0.1", 61.5) for _ in range(TRIES_MAX)] == [0.0] * 5


def test_one_address_may_not_try_name_after_name() -> None:
    attempts = Attempts()
    waits = [attempts.wait_s(f"user{number}", "10.0.0.1", 0.0) for number in range(100)]
    assert waits.count(0.0) == ADDRESS_TRIES_MAX


def test_a_flood_of_names_gives_nobody_new_tries() -> None:
    attempts = Attempts()
    for _ in range(TRIES_MAX):
        attempts.wait_s("ann", "10.0.0.1", 0.0)
        attempts.wait_s("ann", "10.0.0.2", 0.0)
    for number in range(20_000):
        attempts.wait_s(f"user{number}", "10.0.0.1", 1.0)
    assert attempts.wait_s("ann", "10.0.0.1", 2.0)
    assert attempts.wait_s("ann", "10.0.0.2", 2.0) == 58.0


def test_who_has_many_addresses_has_no_more_tries() -> None:
    attempts = Attempts()
    one_network = [f"2001:db8:0:7::{number:x}" for number in range(TRIES_MAX)]
    assert [attempts.wait_s("ann", each, 0.0) for each in one_network] == [0.0] * TRIES_MAX
    assert attempts.wait_s("ann", "2001:db8::7:ffff:1:2:3%eth0", 0.0)
    assert attempts.wait_s("ann", "2001:db8:0:8::1", 0.0) == 0.0
    for each in ("10.0.0.1", "::ffff:10.0.0.1", "10.0.0.1", "::ffff:a00:1", "10.0.0.1"):
        assert attempts.wait_s("bo", each, 0.0) == 0.0
    assert attempts.wait_s("bo", "::ffff:10.0.0.1", 0.0) == 60.0
    assert attempts.wait_s("bo", "::ffff:10.0.0.2", 0.0) == 0.0
    assert attempts.wait_s("bo", "unknown", 0.0) == 0.0


def test_the_secret_is_made_once_and_only_we_may_read_it(tmp_path: Path) -> None:
    file = tmp_path / "data" / "session.key"
    secret = read_secret(file)
    assert len(secret) == 32
    assert file.stat().st_mode & 0o777 == 0o600
    assert read_secret(file) == secret
    assert list(file.parent.iterdir()) == [file]


def test_a_secret_that_cannot_be_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(b"hunter2")
    with pytest.raises(SettingsError, match="holds 7 bytes, and 32 random"):
        read_secret(tmp_path / "short")
    with pytest.raises(SettingsError, match="can be neither read nor made"):
        read_secret(tmp_path / "short" / "session.key")


def test_a_stay_ends_once_when_its_right_does() -> None:
    presence, ended = Presence(), list[str]()
    ann, bo = (Caller(Kind.USER, Role.VIEWER, None, name) for name in ("ann", "bo"))
    presence.enter(ann, lambda: ended.append("ann"))
    presence.enter(bo, lambda: ended.append("bo"))
    leave = presence.enter(ann, lambda: ended.append("gone before"))
    leave()
    assert presence.sweep(lambda caller: caller.name == "bo") == 1
    assert presence.sweep(lambda caller: caller.name == "bo") == 0
    assert ended == ["ann"]


def test_what_the_page_of_roles_says_an_admin_may_is_what_routes_ask_one_for() -> None:
    page = (ROOT / "docs/users.md").read_text("utf-8")
    (row,) = (line for line in page.splitlines() if line.startswith("| admin |"))
    asked = {path for _, path, need in RULES if need == Need(Role.ADMIN)}
    assert {f"/api/v1/{each}" for each in row.split("|")[2].strip().split(", ")} == {
        path for path in asked if "{" not in path
    }


@pytest.mark.parametrize("path", ["/", "/login", "/docs", "/api/v1/books", "/nowhere"])
def test_no_answer_may_be_framed_or_load_from_another_host(path: str) -> None:
    headers = dict(security_headers(path))
    policy = headers[b"content-security-policy"].decode()
    assert "frame-ancestors 'none'" in policy
    assert "http" not in policy
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert b"camera=(self)" in headers[b"permissions-policy"]


def test_a_loop_of_refused_calls_is_ten_lines_a_minute_and_what_had_none_is_counted() -> None:
    refusals = Refusals()
    assert [refusals.note("ann", each / 100) for each in range(10)] == [0] * 10
    assert [refusals.note("ann", 1.0) for _ in range(5_000)] == [None] * 5_000
    assert refusals.note("bo", 1.0) == 0, "another one's loop takes nobody's line"
    assert refusals.note("ann", 59.9) is None
    assert [refusals.note("ann", 60.0 + each) for each in range(2)] == [5_001, 0]


def test_answers_of_the_api_are_kept_nowhere() -> None:
    for path in ("/api/v1/results", "/api/v1/export.csv", "/ingest", "/metrics", "/readyz"):
        assert (b"cache-control", b"no-store") in security_headers(path), path
    assert b"cache-control" not in dict(security_headers("/assets/tokens.css"))
