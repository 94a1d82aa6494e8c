"""Whose address a try to log in is counted by when proxies stand before the web app."""

from typing import Any

import pytest

from ui.access.forwarded import behind_proxies

PROXY, OTHER, CALLER, CLAIMED = "10.0.0.1", "10.0.0.2", "10.0.7.7", "6.6.6.6"


async def seen(trusted: list[str], *forwarded: str, scheme: str = "https") -> tuple[str, str]:
    """Return the address and the scheme that the app sees of a call through a proxy."""
    found: list[tuple[str, str]] = []

    async def app(scope: Any, _receive: object, _send: object) -> None:  # noqa: ANN401
        found.append((scope["client"][0], scope["scheme"]))

    headers = [(b"x-forwarded-for", each.encode()) for each in forwarded]
    headers.append((b"x-forwarded-proto", scheme.encode()))
    scope: Any = {"type": "http", "client": (PROXY, 1), "scheme": "http", "headers": headers}
    await behind_proxies(app, trusted)(scope, None, None)  # type: ignore[arg-type]
    return found[0]


@pytest.mark.parametrize(
    ("trusted", "forwarded", "address"),
    [
        (["*"], [CALLER], CALLER),
        (["*"], [f"{CLAIMED}, {CALLER}"], CALLER),
        (["*"], [f"{CLAIMED},{CLAIMED}", CALLER], CALLER),
        (["*", PROXY], [f"{CLAIMED}, {CALLER}"], CALLER),
        (["*"], [], PROXY),
        ([PROXY], [f"{CLAIMED}, {CALLER}"], CALLER),
        ([PROXY, OTHER], [f"{CLAIMED}, {CALLER}, {OTHER}"], CALLER),
        (["10.0.0.0/30"], [f"{CLAIMED}, {CALLER}"], CALLER),
    ],
)
async def test_a_caller_cannot_choose_the_address_it_is_counted_by(
    trusted: list[str], forwarded: list[str], address: str
) -> None:
    assert await seen(trusted, *forwarded) == (address, "https")


@pytest.mark.parametrize("trusted", [[], [OTHER]])
async def test_who_is_no_proxy_of_ours_is_not_believed(trusted: list[str]) -> None:
    assert await seen(trusted, CLAIMED) == (PROXY, "http")
