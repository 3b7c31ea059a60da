"""A server's life: start, ready, drain, stop. What it is made of is in `fastws.server.rooms`."""

from __future__ import annotations

import asyncio
import gc
import random
from collections import Counter
from typing import Any

import structlog
from aiohttp import web

from fastws import pages
from fastws.config import Config
from fastws.connection import Peer
from fastws.domain.market.signals import TURNS
from fastws.domain.skyduel.bots import keep_alive
from fastws.endpoints.token_data.metadata import announce_metadata
from fastws.endpoints.token_data.signals import announce_signals
from fastws.errors import Close, StartError, StoreUnavailable, Unavailable
from fastws.gateway import Gateway
from fastws.metrics import Counts
from fastws.server import probes
from fastws.server.drain import drain
from fastws.server.figures import figures
from fastws.server.rooms import Rooms
from fastws.server.tasks import Tasks
from fastws.store.migrate import migrate

__all__ = ["Server"]

log = structlog.get_logger()

RECORD_SECONDS = 2.0
"""Seconds between two batches of rows about connections."""

FORGET_SECONDS = 60.0
"""Seconds between two looks for candles that are too old."""

ROOM_SECONDS = 0.1
"""Seconds between two messages to a room about who came and went."""

LIFE_SECONDS = 0.25
"""Seconds between two looks for contests that are to begin or to end."""

LAG_SECONDS = 0.1
"""Seconds between two looks at how late the loop is."""

EMPTY_SECONDS, HTTP_SECONDS, ROWS_SECONDS = 1.0, 0.5, 1.0
"""Seconds that the last closing handshakes, answers and rows may take when all is over."""

STOP_SECONDS = 7.0
"""Seconds that `Server.stop` takes at most: those, two for sockets, two for the database."""


COLLECT_AT = (2000, 25, 100)
"""Collector's thresholds. Connections leave no cycles behind, so its full runs, each a pause of
the loop as long as there are connections, are kept rare."""


class Server:
    """One server over the database at ``url``. `start` it, then `drain` and `stop` it.

    ``lost_lines`` counts log lines that nobody will read, by reason.
    """

    def __init__(self, config: Config, url: str, lost_lines: Counts = dict) -> None:
        self.rooms = Rooms(config, url)
        self._config = config
        self._lost_lines = lost_lines
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
            await rooms.whitelist.load()
            await rooms.contests.read()
            await rooms.chat.log.load()
            await rooms.breakers.load()
            await rooms.flags.load()
            await rooms.skyduel_rows.forsake()
        except StoreUnavailable as error:
            where = "DATABASE_URL" if self._config.database.url else "private"
            raise StartError(f"The database ({where}) cannot be used: {error}.") from None
        probes.watch(rooms, self._tasks)
        self._run_tasks()
        await self._open()
        self._state = "ready"
        # What is here now stays: the collector need not walk it again at each full run.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*COLLECT_AT)
        log.info("server.ready", url=self.url, source=self._config.market.source)

    async def _open(self) -> None:
        """The pages, the port, and the port for operators if there is one."""
        rooms, server = self.rooms, self._config.server
        proxies, tls = rooms.proxies, bool(server.ssl_certificate)

        def peer_of(request: web.BaseRequest) -> Peer:
            return proxies.peer(request.remote or "", tls, request.headers)

        def metrics() -> bytes:
            return counted()  # made last: the gateway, which it counts, is made of these pages

        deps = pages.Deps(
            auth=self._config.auth,
            development=self._config.development,
            authority=rooms.authority,
            origins=rooms.origins,
            peer_of=peer_of,
            publish=rooms.publisher,
            flags=rooms.flags,
            rollout=rooms.rollout,
            report=self._report,
            status=rooms.status.system,
            maintenance=rooms.status.maintenance,
            metrics=metrics,
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
            rooms.cork,
            rooms.deflater,
            server=server,
            gateway=self._config.gateway,
            limits=self._config.limits,
            proxies=proxies,
        )
        counted = figures(rooms, gateway, self._tasks, self._answered, self._lost_lines)
        self._gateway = gateway
        await gateway.start()
        if server.ops_port >= 0:
            await self._open_operations(deps)

    def _report(self, name: str, ok: bool, seconds: float, cause: str, layer: Any) -> str:
        return self.rooms.breakers.report(name, ok, seconds, cause, layer).breaker.state

    async def _runner(self, app: web.Application) -> web.BaseRunner:
        runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=HTTP_SECONDS
        )
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

    def play_bots(self) -> None:
        """Keep two matches of bots alive."""
        lobby = self.rooms.lobby
        self._tasks.run("skyduel_bots", lambda: keep_alive(lobby))

    def _run_tasks(self) -> None:
        rooms, tasks = self.rooms, self._tasks
        tasks.run("settings", rooms.settings.run)
        tasks.run("status", rooms.status.run)
        tasks.run("revocations", rooms.revocations.run)
        if rooms.source is not None:
            tasks.run("market", rooms.source)
        tasks.run("hub", rooms.hub.run)
        tasks.run("loop_lag", self._measure_lag)
        flush_seconds = self._config.market.flush_ms / 1000
        tasks.every(flush_seconds, "price_alerts", rooms.price_alerts.check)
        tasks.run("signals", self._signal)
        tasks.run("standing", rooms.standing.run)
        tasks.run("portfolios", rooms.portfolios.run)
        tasks.run("flags", rooms.flags.run)
        tasks.run("breakers", rooms.breakers.run)
        check_seconds = self._config.breakers.check_seconds
        tasks.every(check_seconds, "health_checks", rooms.breakers.check_all)
        tasks.every(RECORD_SECONDS, "audit", rooms.people.catch_up)
        tasks.run("contests", rooms.contests.run)
        tasks.run("chat", rooms.chat.run)
        tasks.every(self._config.contests.leaderboard_ms / 1000, "ranks", rooms.leaderboards.turn)
        tasks.every(ROOM_SECONDS, "contest_rooms", rooms.contest.turn)
        tasks.every(LIFE_SECONDS, "contest_life", rooms.lifecycle.turn)
        tasks.run("skyduel", rooms.clockwork.run)
        tasks.run("skyduel_spectators", rooms.clockwork.run_rest)
        tasks.run("skyduel_events", rooms.skyduel.tell)
        tasks.run("skyduel_results", rooms.results.run)
        tasks.every(LIFE_SECONDS, "skyduel_lobby", rooms.lobby.turn)
        if self._config.candles.enabled:
            tasks.every(self._config.candles.write_seconds, "candles", rooms.candles.write)
        keep = rooms.keep_candles
        tasks.every(FORGET_SECONDS, "candles_kept", lambda: rooms.candles.forget(keep))
        tasks.every(1.0, "pings", rooms.wheel.turn)
        tasks.every(1.0, "expiry", rooms.connections.expire)
        tasks.every(RECORD_SECONDS, "connection_rows", self._record)

    async def _measure_lag(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LAG_SECONDS
            await asyncio.sleep(LAG_SECONDS)
            self.rooms.stats.loop_lag.observe(max(0.0, loop.time() - due))

    async def _signal(self) -> None:
        """Learn what is usual; say what is not, and what is called otherwise now."""
        signals = self.rooms.signals
        await asyncio.sleep(1.0)  # the source's first prices are in: whose past is asked is known
        await signals.seed()
        while True:
            await asyncio.sleep(1 / TURNS)
            signals.turn()
            await announce_signals(self.rooms.hub, signals)
            await announce_metadata(self.rooms.hub, self.rooms.notices)

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

    # ── the end ─────────────────────────────────────────────────────────────────────────

    async def drain(self) -> None:
        """A planned end that no user sees: not ready, nobody new, everybody sent on his way.

        The port stays open for pages, so that whoever asks ``/readyz`` gets the 503.
        """
        if self._state != "ready":
            return
        self._state = "draining"
        self.rooms.status.stop()
        self.rooms.door.close()
        seconds = self._config.server.drain_seconds - STOP_SECONDS
        await drain(self.rooms.connections, max(seconds, 1.0), random.Random())  # noqa: S311

    async def stop(self) -> None:
        """End whatever is left and let go of everything; harmless after a failed start."""
        began, self._state = self._state != "starting", "stopped"
        if self._gateway is not None:
            self._gateway.stop_listening()
        for conn in self.rooms.connections:
            conn.close(Close.GOING_AWAY)
        try:
            async with asyncio.timeout(EMPTY_SECONDS):
                await self.rooms.connections.empty()
        except TimeoutError:
            log.warning("server.connections_aborted", connections=len(self.rooms.connections))
        if self._gateway is not None:
            await self._gateway.stop()
        for runner in self._runners:
            await runner.cleanup()
        await self._tasks.stop()
        try:
            async with asyncio.timeout(ROWS_SECONDS):
                await self.rooms.recorded.flush()
                if began and self._config.candles.enabled:
                    await self.rooms.candles.write()
        except (Unavailable, TimeoutError):
            log.warning("server.rows_lost", rows=self.rooms.recorded.waiting)
        await self.rooms.database.stop()
        if began:
            log.info("server.stopped")
