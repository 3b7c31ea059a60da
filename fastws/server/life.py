"""A server's life: start, ready, drain, stop. What it is made of is in `fastws.server.rooms`."""

from __future__ import annotations

import asyncio
import gc
import random
from collections import Counter

import structlog
from aiohttp import web

from fastws import pages
from fastws.config import Config
from fastws.connection import Peer
from fastws.domain.market import FeedStatus
from fastws.domain.status import Service
from fastws.errors import Close, StartError, StoreUnavailable, Unavailable
from fastws.gateway import Gateway
from fastws.server.drain import drain
from fastws.server.figures import figures
from fastws.server.publishing import Publisher
from fastws.server.rooms import build
from fastws.server.tasks import Tasks
from fastws.store.migrate import migrate

__all__ = ["Server"]

log = structlog.get_logger()

RECORD_SECONDS = 2.0
"""Seconds between two batches of rows about connections."""

LAG_SECONDS = 0.1
"""Seconds between two looks at how late the loop is."""

STOP_SECONDS = 3.0
"""Seconds for sockets and the store once everybody has been told."""


class Server:
    """One server over one database. `start` it, let it serve, then `drain` and `stop` it."""

    def __init__(self, config: Config, url: str) -> None:
        self.rooms = build(config, url)
        self._config = config
        self._tasks = Tasks(self.rooms.status.report)
        self._answered: Counter[tuple[str, str]] = Counter()
        self._runners: list[web.BaseRunner] = []
        self._gateway: Gateway | None = None
        self._state = "starting"
        self.ops_port: int | None = None

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._gateway.port if self._gateway is not None else self._config.server.port

    @property
    def url(self) -> str:
        """Where it is reached from this machine."""
        server = self._config.server
        scheme = "https" if server.ssl_certificate else "http"
        host = "127.0.0.1" if server.host in ("", "0.0.0.0", "::") else server.host  # noqa: S104
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"

    # ── start ───────────────────────────────────────────────────────────────────────────

    async def start(self) -> None:
        """Bring everything up; `StartError` says in one sentence why that is impossible."""
        rooms = self.rooms
        try:
            await rooms.database.start()
            await migrate(rooms.database)
            await rooms.settings.load()
        except StoreUnavailable as error:
            raise StartError(f"The database cannot be used: {error}.") from None
        self._watch_services()
        rooms.database.on_change(self._database_changed)
        rooms.market.feed.on_change.append(self._feed_changed)
        self._run_tasks()
        await self._open()
        self._state = "ready"
        # What is here now stays: the collector need not walk it again at each full run.
        gc.collect()
        gc.freeze()
        log.info("server.ready", url=self.url, source=self._config.market.source)

    async def _open(self) -> None:
        """The pages, the port, and the port for operators if there is one."""
        rooms, server = self.rooms, self._config.server
        proxies, tls = rooms.proxies, bool(server.ssl_certificate)

        def peer_of(request: web.BaseRequest) -> Peer:
            return proxies.peer(request.remote or "", tls, request.headers)

        tasks = self._tasks
        metrics = None

        def exposed() -> bytes:
            nonlocal metrics
            if metrics is None:
                metrics = figures(rooms, gateway, tasks, self._answered)
            return metrics()

        deps = pages.Deps(
            auth=self._config.auth,
            development=self._config.development,
            authority=rooms.authority,
            origins=rooms.origins,
            peer_of=peer_of,
            publish=Publisher(rooms.hub, rooms.market),
            status=rooms.status.system,
            maintenance=rooms.status.maintenance,
            metrics=exposed,
            ready=self._not_ready,
            started=self._not_started,
            operations=server.ops_port < 0,
            answered=self._answered,
        )
        runner = await self._runner(pages.build(deps))
        gateway = Gateway(
            rooms.door,
            pages.protocol_factory(runner),
            rooms.wheel,
            server=server,
            gateway=self._config.gateway,
            limits=self._config.limits,
            proxies=proxies,
        )
        self._gateway = gateway
        await gateway.start()
        if server.ops_port >= 0:
            await self._open_operations(deps)

    async def _runner(self, app: web.Application) -> web.BaseRunner:
        runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await runner.setup()
        self._runners.append(runner)
        return runner

    async def _open_operations(self, deps: pages.Deps) -> None:
        server = self._config.server
        runner = await self._runner(pages.build_operations(deps))
        site = web.TCPSite(runner, server.ops_host, server.ops_port)
        try:
            await site.start()
        except OSError as error:
            where = f"{server.ops_host}:{server.ops_port}"
            raise StartError(
                f"Cannot listen on {where} for operations: {error.strerror}."
            ) from None
        self.ops_port = int(runner.addresses[0][1])

    def _run_tasks(self) -> None:
        rooms, tasks = self.rooms, self._tasks
        tasks.run("settings", rooms.settings.run)
        tasks.run("status", rooms.status.run)
        tasks.run("revocations", rooms.revocations.run)
        if rooms.source is not None:
            tasks.run("market", rooms.source)
        tasks.run("hub", rooms.hub.run)
        tasks.run("loop_lag", self._measure_lag)
        tasks.every(1.0, "pings", rooms.wheel.turn)
        tasks.every(1.0, "expiry", rooms.connections.expire)
        tasks.every(RECORD_SECONDS, "connection_rows", self._record)

    async def _measure_lag(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LAG_SECONDS
            await asyncio.sleep(LAG_SECONDS)
            self.rooms.stats.loop_lag.observe(max(0.0, loop.time() - due))

    async def _record(self) -> None:
        try:
            await self.rooms.recorded.flush()
        except StoreUnavailable:
            log.debug("server.rows_wait", rows=self.rooms.recorded.waiting)

    # ── what operators ask ──────────────────────────────────────────────────────────────

    def _not_ready(self) -> str:
        return "" if self._state == "ready" else self._state

    def _not_started(self) -> str:
        return "starting" if self._state == "starting" else ""

    def _watch_services(self) -> None:
        rooms = self.rooms
        rooms.status.watch("database", self._database_state)
        rooms.status.watch("websocket", self._websocket_state)
        if self._config.market.source != "none":
            rooms.status.watch("market", self._market_state)

    def _database_state(self) -> Service:
        return Service("online" if self.rooms.database.available else "offline")

    def _websocket_state(self) -> Service:
        rooms = self.rooms
        figures = {"connections": len(rooms.connections), "channels": len(rooms.hub.channels)}
        return Service("online", {**figures, "flushMs": round(rooms.hub.lag * 1000, 1)})

    def _market_state(self) -> Service:
        market = self.rooms.market
        feed = market.feed
        age = feed.age()
        metrics = {
            "source": feed.name,
            "tokens": len(market),
            "updates": feed.updates,
            "ageSeconds": None if age is None else round(age, 1),
            "reconnects": feed.reconnects,
        }
        return Service("online" if feed.status is FeedStatus.LIVE else "degraded", metrics)

    def _database_changed(self, available: bool) -> None:
        if not available:
            self.rooms.status.report("database", "The database does not answer")
        self.rooms.status.check()

    def _feed_changed(self, status: FeedStatus) -> None:
        log.info("market.feed", source=self.rooms.market.feed.name, status=status.value)
        if status is FeedStatus.STALE:
            self.rooms.status.report("market", "The feed gives no prices")
        self.rooms.status.check()

    # ── the end ─────────────────────────────────────────────────────────────────────────

    async def drain(self) -> None:
        """A planned end that no user sees: not ready, nobody new, everybody sent on his way."""
        if self._state != "ready":
            return
        self._state = "draining"
        self.rooms.status.stop()
        if self._gateway is not None:
            self._gateway.stop_listening()
        seconds = self._config.server.drain_seconds - STOP_SECONDS
        await drain(self.rooms.connections, max(seconds, 1.0), random.Random())  # noqa: S311

    async def stop(self) -> None:
        """End whatever is left and let go of everything; harmless after a failed start."""
        self._state = "stopped"
        if self._gateway is not None:
            self._gateway.stop_listening()
        for conn in self.rooms.connections:
            conn.close(Close.GOING_AWAY)
        try:
            async with asyncio.timeout(1.0):
                await self.rooms.connections.empty()
        except TimeoutError:
            log.warning("server.connections_aborted", connections=len(self.rooms.connections))
        if self._gateway is not None:
            await self._gateway.stop()
        for runner in self._runners:
            await runner.cleanup()
        await self._tasks.stop()
        try:
            await self.rooms.recorded.flush()
        except Unavailable:
            log.warning("server.rows_lost", rows=self.rooms.recorded.waiting)
        await self.rooms.database.stop()
        log.info("server.stopped")
