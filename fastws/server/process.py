"""A server as a process: its database, its loop, its signals, its exit code."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, Final

import structlog
import uvloop

from fastws import logs
from fastws.config import Config
from fastws.errors import ConfigError
from fastws.server import demo as demos
from fastws.server.life import Server
from fastws.store.embedded import EmbeddedPostgres

__all__ = ["serve", "with_database"]

log = structlog.get_logger()

Job = Callable[[str], Coroutine[Any, Any, None]]

ENDING: Final = (signal.SIGINT, signal.SIGTERM)


def serve(config: Config, *, demo: bool = False, say: Callable[[str], None] = print) -> None:
    """Serve until a signal; `StartError` when that cannot begin.

    ``demo`` puts something to see into the database. ``say`` gets the lines a person wants to
    read first: where it is, and how to get in.
    """
    if demo and not config.development:
        raise ConfigError("--demo makes an administrator for everybody; it is for development.")
    lost_lines = logs.configure(
        config.log,
        production=not config.development,
        secrets=[config.auth.jwt_secret, config.auth.dev_login_secret, *config.auth.service_keys],
    )
    if config.profile:
        log.warning("server.profile", profile=config.profile, hint="limits are raised")
    if not (config.development or config.database.url):
        log.warning("server.private_database", hint="for more than one machine set DATABASE_URL")

    async def live(url: str) -> None:
        # made inside the loop: its rooms hold events
        await _live(Server(config, url, lost_lines), demo, say)

    with_database(config, live)


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


async def _live(server: Server, demo: bool, say: Callable[[str], None]) -> None:
    """From start to stop. The first signal drains, the second ends it now."""
    loop = asyncio.get_running_loop()
    with _signals() as signals:
        starting = loop.create_task(_start(server, demo, say))
        first = loop.create_task(signals.get())
        try:
            await asyncio.wait([starting, first], return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
            number = await first
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            log.info("server.stopping", signal=number.name)
            await _drain(server, signals)
        finally:
            for task in (starting, first):
                task.cancel()
            await asyncio.gather(starting, first, return_exceptions=True)
            await server.stop()


async def _drain(server: Server, signals: asyncio.Queue[signal.Signals]) -> None:
    loop = asyncio.get_running_loop()
    draining, again = loop.create_task(server.drain()), loop.create_task(signals.get())
    await asyncio.wait([draining, again], return_when=asyncio.FIRST_COMPLETED)
    if again.done():
        log.warning("server.stopping_now", signal=again.result().name)
    for task in (draining, again):
        task.cancel()
    await asyncio.gather(draining, again, return_exceptions=True)


@contextlib.contextmanager
def _signals() -> Iterator[asyncio.Queue[signal.Signals]]:
    """What asks us to end, as it comes. A terminal that is closed asks, too.

    Without a terminal SIGHUP is the habit of asking for the settings to be read again, which
    are read at the start; under ``nohup`` it stays ignored.
    """
    loop = asyncio.get_running_loop()
    signals: asyncio.Queue[signal.Signals] = asyncio.Queue()
    handled = list(ENDING)
    for number in ENDING:
        loop.add_signal_handler(number, signals.put_nowait, number)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        handled.append(signal.SIGHUP)
        if sys.stdin is not None and sys.stdin.isatty():
            loop.add_signal_handler(signal.SIGHUP, signals.put_nowait, signal.SIGHUP)
        else:
            loop.add_signal_handler(signal.SIGHUP, _hang_up)
    try:
        yield signals
    finally:
        for number in handled:
            loop.remove_signal_handler(number)


def _hang_up() -> None:
    log.info("server.hangup_ignored", hint="settings are read at the start")


async def _start(server: Server, demo: bool, say: Callable[[str], None]) -> None:
    await server.start()
    if demo:
        await demos.seed(server.rooms.database)
        await demos.seed_contest(server.rooms.database)
        await server.rooms.settings.load()
        server.play_bots()
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
    say(f"game       {server.url}/skyduel")
    say(f"prices     {socket}/token-data   (no login)")
    say(f"by hand    fastws console monitor --port {server.port}")
    for name, wallet in (("user", demos.USER), ("admin", demos.ADMIN)):
        token = await demos.token_for(wallet, rooms.authority, rooms.tokens)
        say(f"{name:10} {wallet}\n           {token}")
    say(f"try it     {socket}/monitor with one of these tokens; Ctrl-C drains and stops")
