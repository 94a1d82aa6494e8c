"""Fixtures of the tests of who may come in: quick hashes, one database, a user of each role."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from service.commands import users
from service.commands.roles import Role
from tests.support.access import BY, PASSWORD, settings_of, use_hashes
from tests.support.stored import Stored
from tests.support.web import Web, serving


@pytest.fixture(scope="module", autouse=True)
def _quick_hashes() -> Iterator[None]:
    """The real argon2, with less work: what it costs is no part of these tests."""
    with pytest.MonkeyPatch.context() as patch:
        use_hashes(patch)
        yield


@pytest.fixture
def store_url(sqlite_store_url: str) -> str:
    """One database is enough: what they say of users and tokens is in test_accounts.py."""
    return sqlite_store_url


@pytest.fixture
async def web(stored: Stored, tmp_path: Path) -> AsyncIterator[Web]:
    """The API with a user of each role, on an address that others reach."""
    for role in reversed(Role):
        users.add_user(stored.database, role.value, role, PASSWORD, **BY)
    async with serving(settings_of(stored, tmp_path, host="0.0.0.0")) as web:
        yield web
