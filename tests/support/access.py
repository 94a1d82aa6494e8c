"""Who may come in, over HTTP: quick hashes, settings, a browser's login, a program's token."""

import functools
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from broker.settings import Settings
from service.commands import passwords
from service.store.accounts import read_accounts
from tests.support.ports import free_port
from tests.support.stored import Stored
from tests.support.web import Web

PASSWORD = "copper kettle on the moon"
BY: dict[str, Any] = {"actor": "test", "now": datetime.now(UTC)}
TOML = '[[rule]]\nid = "vcc"\ntest_step = "vcc"\nlow = 4.75\n'


def use_hashes(patch: pytest.MonkeyPatch, *, time_cost: int = 1, memory_cost: int = 8) -> None:
    """Hash with as much work, in passes and KiB, instead of what guessing shall cost."""
    hasher = passwords.PasswordHasher(time_cost, memory_cost, parallelism=1)
    patch.setattr(passwords, "_hasher", hasher)
    patch.setattr(passwords, "_nobodys", functools.cache(passwords._nobodys.__wrapped__))


def settings_of(stored: Stored, tmp_path: Path, **http: Any) -> Settings:  # noqa: ANN401
    return Settings.model_validate(
        {
            "broker": {"port": free_port(), "connect_timeout_s": 1},
            "database": {"url": stored.url},
            "http": {"secret_file": tmp_path / "session.key", **http},
        }
    )


async def log_in(web: Web, name: str, password: str = PASSWORD, **more: str) -> httpx.Response:
    """POST /login as a browser does."""
    return await web.client.post(
        "/login",
        data={"user": name, "password": password, **more},
        headers={"Origin": f"http://127.0.0.1:{web.port}"},
    )


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def call(web: Web, method: str, path: str, body: object = None, **headers: str) -> int:
    """Make a call; return its status."""
    given = {} if body is None or method == "GET" else {"json": body}
    response = await web.client.request(method, path, headers=headers, **given)
    return response.status_code


def kept_hash(stored: Stored, name: str) -> str:
    users = read_accounts(stored.database).users
    return next(each.password_hash for each in users if each.name == name)
