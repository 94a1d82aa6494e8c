"""Live pages: who looks at each, and their end when that login or token ends."""

import asyncio
from typing import Any, Final

from nicegui import Client, app, core, ui

from service.commands.roles import Role, Scope
from ui.access.access import Access
from ui.access.callers import Caller, Kind
from ui.access.gate import caller_of
from ui.views import SHELL, line_of

ENDED_EVENT: Final = "yieldline_ended"
"""Tells a browser to load its page anew: what it may see has changed, or there is a login first."""

_ending: set[asyncio.Task[None]] = set()


def watch_pages(access: Access) -> None:
    """Have every page that is live end with the right to it. Once a process."""

    @app.on_connect
    def note(client: Client) -> None:
        if client.id in access.pages:  # it has only connected again
            return
        access.pages.add(client.id)
        leave = access.presence.enter(caller_of(client.request), lambda: _begin_end(client))

        def forget() -> None:
            leave()
            access.pages.discard(client.id)

        client.on_delete(forget)


def caller_facts() -> dict[str, Any]:
    """Return what the page that is being built knows of who looks at it."""
    caller = caller_of(ui.context.client.request)
    return {
        "name": caller.name,
        "role": caller.role or Role.VIEWER,
        "isLocal": caller.kind is Kind.LOCAL,
        "isGuest": caller.kind is Kind.GUEST,
        "isUser": caller.kind is Kind.USER,
    }


def may_watch(client_id: str, view: str) -> bool:
    """Tell whether a page may get the frames of a view."""
    client = Client.instances.get(client_id)
    if client is None:
        return False
    caller: Caller = caller_of(client.request)
    return caller.scope is not Scope.WALL or view == SHELL or line_of(view) is not None


def _begin_end(client: Client) -> None:
    task = asyncio.create_task(_end(client), name="end of a live page")
    _ending.add(task)  # the loop itself keeps no hold of it
    task.add_done_callback(_ending.discard)


async def _end(client: Client) -> None:
    """Tell the browser, delete the client with all that belongs to it, and close its sockets."""
    await core.sio.emit(ENDED_EVENT, to=client.id)
    sockets = [sid for sid, _ in core.sio.manager.get_participants("/", client.id)]
    if client.id in Client.instances:
        client.delete()
    for sid in sockets:
        await core.sio.disconnect(sid)
