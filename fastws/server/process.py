"""A server as a process: its database, its loop, its signals, its exit code."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final

import structlog
import uvloop

from fastws import logs
from fastws.config import Config
from fastws.server import demo as demos
from fastws.server.life import Server
from fastws.store.embedded import EmbeddedPostgres

__all__ = ["serve", "with_database"]

log = structlog.get_logger()

Job = Callable[[str], Coroutine[Any, Any, None]]

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def serve(config: Config, *, demo: bool = False, say: Callable[[str], None] = print) -> None:
    """Serve until a signal; `StartError` when that cannot begin.

    ``demo`` puts something to see into the database. ``say`` gets the lines a person wants to
    read first: where it is, and how to get in.
    """
    logs.configure(
        config.log,
        production=not config.development,
        secrets=[config.auth.jwt_secret, config.auth.dev_login_secret, *config.auth.service_keys],
    )
    if config.profile:
        log.warning("server.profile", profile=config.profile, hint="limits are raised")
    with_database(config, lambda url: _live(config, url, demo, say))


def with_database(config: Config, job: Job, *, join: bool = False) -> None:
    """Run ``job(url)`` on a loop, over the configured database or a private one.

    ``join``: a private one that a server is running is used, rather than refused.
    """
    if config.database.url:
        uvloop.run(job(config.database.url))
        return
    embedded = EmbeddedPostgres(Path(config.data_dir))
    url = (join and embedded.running()) or embedded.start()  # before there is a loop
    try:
        uvloop.run(job(url))
    finally:
        embedded.stop()


async def _live(config: Config, url: str, demo: bool, say: Callable[[str], None]) -> None:
    server = Server(config, url)  # inside the loop: its rooms hold events
    loop = asyncio.get_running_loop()
    signals: asyncio.Queue[signal.Signals] = asyncio.Queue()
    for number in SIGNALS:
        loop.add_signal_handler(number, signals.put_nowait, number)
    starting = loop.create_task(_start(server, demo, say))
    stopping = loop.create_task(signals.get())
    try:
        await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            await stopping
        starting.cancel()
        log.info("server.stopping", signal=stopping.result().name)
        draining = loop.create_task(server.drain())
        again = loop.create_task(signals.get())
        await asyncio.wait([draining, again], return_when=asyncio.FIRST_COMPLETED)
        for task in (draining, again):
            task.cancel()
        await asyncio.gather(draining, again, return_exceptions=True)
    finally:
        for task in (starting, stopping):
            task.cancel()
        await server.stop()
        for number in SIGNALS:
            loop.remove_signal_handler(number)


async def _start(server: Server, demo: bool, say: Callable[[str], None]) -> None:
    await server.start()
    if demo:
        await demos.seed(server.rooms.database)
        await server.rooms.settings.load()
    say(f"fastws serves {server.url}/")
    if server.ops_port is not None:
        say(f"operations at port {server.ops_port}: /metrics /livez /readyz /startupz")
    if demo:
        await _invite(server, say)


async def _invite(server: Server, say: Callable[[str], None]) -> None:
    """What a person does next."""
    rooms = server.rooms
    socket = server.url.replace("http", "ws", 1) + "/api/v69/ws"
    say(f"page       {server.url}/")
    say(f"prices     {socket}/token-data   (no login)")
    say(f"by hand    fastws console token-data --port {server.port}")
    for name, wallet in (("user", demos.USER), ("admin", demos.ADMIN)):
        token = await demos.token_for(wallet, rooms.authority, rooms.tokens)
        say(f"{name:10} {wallet}\n           {token}")
    say(f"try it     {socket}/monitor with one of these tokens; Ctrl-C drains and stops")
