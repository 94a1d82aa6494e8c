"""The pages, one module each; `register_pages` adds them all and keeps the live feed going."""

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple

from nicegui import app

from ui import navigation, theme
from ui.feed import Feed
from ui.live_pages import watch_pages
from ui.pages import (
    alerts,
    analytics,
    floor,
    machine,
    missing,
    rejects,
    results,
    rules,
    system,
    unit,
    wall,
)
from ui.state import AppState


class Page(NamedTuple):
    """A page and its entry in the rail, None for one that others lead to."""

    register: Callable[[Feed], None]
    entry: navigation.Entry | None = None


PAGES: Final = (
    Page(floor.register, navigation.FLOOR),
    Page(machine.register),
    Page(analytics.register, navigation.ANALYTICS),
    Page(results.register, navigation.RESULTS),
    Page(unit.register, navigation.UNITS),
    Page(alerts.register, navigation.ALERTS),
    Page(rules.register, navigation.RULES),
    Page(rejects.register, navigation.REJECTS),
    Page(system.register, navigation.SYSTEM),
    Page(wall.register, navigation.WALL),
    Page(missing.register),
)
"""Every page, one line each; docs/pages.md tells how to add one."""


def register_pages(state: AppState) -> Feed:
    """Add every page, and have the live feed run as long as the web app does.

    Once per process: NiceGUI has one app.
    """
    feed = Feed(state)
    feed.rail = navigation.rail([each.entry for each in PAGES if each.entry] + [navigation.API])
    theme.serve_files()
    watch_pages(state.access)
    for page in PAGES:
        page.register(feed)
    state.status_of, state.agent_of = feed.status_of, feed.agent_of
    state.feed_facts = feed.facts
    tasks: list[asyncio.Task[None]] = []

    @app.on_startup
    def start() -> None:
        tasks.append(state.keep(feed.run(), "floor feed"))

    @app.on_shutdown
    async def stop() -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    return feed
