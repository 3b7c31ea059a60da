"""Every object of a server, made from its configuration and joined. Starts nothing.

The only place that knows all rooms at once; what each is given it is given here, so nothing
looks anything up by itself.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from fastws import __version__
from fastws._core.deflate import Deflater
from fastws._core.line import Cork
from fastws._core.table import Table
from fastws._core.wheel import Wheel
from fastws.breaker import Breaker
from fastws.broker import MemoryBroker
from fastws.config import CandleConfig, Config, EndpointConfig, EndpointsConfig
from fastws.connection import Allowances, Connections
from fastws.connection.standing import Standing
from fastws.domain.breakers import Breakers
from fastws.domain.contests import Chat, Contests, Leaderboards, Lifecycle
from fastws.domain.contests import Rooms as ContestRooms
from fastws.domain.flags import Flags
from fastws.domain.market import COLUMNS, TOGETHER, Market
from fastws.domain.market.candles import Candles
from fastws.domain.market.notices import Notices
from fastws.domain.market.portfolios import Portfolios
from fastws.domain.market.price_alerts import PriceAlerts
from fastws.domain.market.signals import Signals
from fastws.domain.market.whitelist import Whitelist
from fastws.domain.people import People
from fastws.domain.rollout import Rollout
from fastws.domain.settings import SettingsBook
from fastws.domain.skyduel import Clockwork, Lobby, Results
from fastws.domain.status import SystemStatus
from fastws.endpoint import Base, Endpoint
from fastws.endpoints.admin import Admin, Controls
from fastws.endpoints.circuit_breaker import CircuitBreaker
from fastws.endpoints.contest import Contest
from fastws.endpoints.monitor import Monitor
from fastws.endpoints.skyduel import Skyduel
from fastws.endpoints.system_settings import SystemSettings
from fastws.endpoints.test import Test
from fastws.endpoints.token_data import TokenData
from fastws.endpoints.token_data.price_alerts import announce
from fastws.endpoints.token_data.whitelist import announce_whitelist
from fastws.errors import ConfigError
from fastws.gateway import Proxies
from fastws.hub import Hub
from fastws.identity import Authority, OriginRule, Revocations, Tokens
from fastws.metrics import Stats
from fastws.server.door import Door
from fastws.server.publishing import Publisher
from fastws.server.watched import (
    DATABASE,
    EXCHANGE,
    PUBLISH,
    probes,
    rules,
    watch_database,
    watch_market,
)
from fastws.sources.exchange import CombinedStream, Exchange
from fastws.sources.platform import Platform
from fastws.sources.replay import Replay
from fastws.sources.simulated import Simulated
from fastws.store.audit import Audit
from fastws.store.breakers import BreakerRows
from fastws.store.candles import RESOLUTIONS, CandleRows
from fastws.store.challenges import Challenges
from fastws.store.chat import ChatRows
from fastws.store.connections import ConnectionLog
from fastws.store.contests import ContestRows
from fastws.store.flags import FlagRows
from fastws.store.holdings import HoldingRows
from fastws.store.pool import Database
from fastws.store.price_alerts import PriceAlertRows
from fastws.store.sessions import RevokedSessions
from fastws.store.skyduel import SkyduelRows
from fastws.store.users import Users
from fastws.store.whitelist import WhitelistRows

__all__ = ["Rooms", "Source"]

RAW_MESSAGE = 16 * 1024 * 1024
"""Bytes of the longest message of the test endpoint under ``raw_test_limits``."""

Source = Callable[[], Awaitable[None]]


class Rooms:
    """What a server is made of, over the database at ``url``, from the bottom up.

    Raises `ConfigError` (or `StartError`) for a configuration that does not fit together.
    """

    def __init__(self, config: Config, url: str, clock: Callable[[], float] = time.time) -> None:
        limits = config.limits
        self.config = config
        self._clock = clock
        self.stats = Stats()
        self._database_breaker = Breaker(DATABASE, rules(config.breakers), clock=clock)
        self.database = Database(url, config.database, guard=self._database_breaker.guard)
        self.broker = MemoryBroker(limits.history, clock)
        self.hub = Hub(self.broker, limits, clock=clock, delays=self.stats.publish_to_write)
        self.connections = Connections(clock)
        self.allowances = Allowances(limits)
        self.recorded = ConnectionLog(self.database)
        self.tokens = Tokens(config.auth, clock)
        self.origins = OriginRule(config.auth.origins)
        self.authority, self.revocations = self._identity()
        self.people = People(self.database, Users(self.database), Audit(self.database))
        self.standing = Standing(Users(self.database), self.connections)
        self.flags = Flags(self.database, FlagRows(self.database), config.environment)
        self.rollout = Rollout()
        self.settings = SettingsBook(self.database, self.hub, config.public_settings, clock)
        self.status = SystemStatus(self.hub, clock, __version__)
        self.status.follow(self.settings)
        self.market = self._market()
        self.keep_candles = _keep(config.candles)
        self.notices = Notices(self.market)
        self.whitelist = Whitelist(
            self.market, self.database, WhitelistRows(self.database), Audit(self.database)
        )
        self.whitelist.on_changed.append(partial(announce_whitelist, self.hub))
        self.portfolios = Portfolios(self.database, HoldingRows(self.database))
        self.price_alerts = PriceAlerts(self.market, PriceAlertRows(self.database))
        self.price_alerts.on_fired.append(partial(announce, self.hub))
        self._make_contests()
        self._make_skyduel()
        self._make_breakers()
        self.source = _source(config, self.market, self.database, self.breakers)
        self.endpoints = self._endpoints()
        _check_operations(self.endpoints)
        self.door = self._door()
        self.proxies = Proxies(config.server.trusted_proxies)
        self.cork = Cork()
        self.deflater = Deflater()
        self.wheel = Wheel(limits.ping_idle_seconds, limits.ping_timeout_seconds)

    def _identity(self) -> tuple[Authority, Revocations]:
        database, clock = self.database, self._clock
        challenges, revoked = Challenges(database), RevokedSessions(database)
        revocations = Revocations(
            revoked, challenges, self.broker, self.connections.close_session, clock
        )
        authority = Authority(
            self.config.auth,
            self.tokens,
            Users(database),
            challenges,
            revoked,
            clock,
            revocations.announce,
        )
        return authority, revocations

    def _market(self) -> Market:
        table = Table("tokens", COLUMNS, epoch=int(self._clock() * 1000), common=TOGETHER)
        market = Market(table, self._clock)
        rows = CandleRows(self.database)
        self.candles = Candles(market, rows, self._clock)
        self.signals = Signals(market, rows, self._clock)
        self.hub.add_table(table, self.config.market.flush_ms, self._sealed)
        return market

    def _make_contests(self) -> None:
        database, clock, config = self.database, self._clock, self.config.contests
        rows = ContestRows(database)
        table = self.market.table
        self.contests = Contests(database, rows, clock)
        self.leaderboards = Leaderboards(
            self.hub, self.contests, table, config.leaderboard_ms, table.epoch
        )
        self.lifecycle = Lifecycle(database, rows, self.contests, self.leaderboards.price, clock)
        self.chat = Chat(database, ChatRows(database), clock, config.chat_per_minute)
        self.contest_rooms = ContestRooms()
        self.contest = Contest(
            self._base("contest"),
            database,
            config,
            contests=self.contests,
            leaderboards=self.leaderboards,
            rooms=self.contest_rooms,
            chat=self.chat,
            lifecycle=self.lifecycle,
            people=self.people,
        )

    def _make_skyduel(self) -> None:
        config = self.config.skyduel
        self.skyduel_rows = SkyduelRows(self.database)
        epoch = self.market.table.epoch
        self.lobby = Lobby(self.skyduel_rows, config.hz, epoch, self._clock)
        self.clockwork = Clockwork(self.lobby, lateness=self.stats.step_lateness)
        self.results = Results(self.database, self.skyduel_rows)
        self.lobby.on_ended = self.results.ended
        self.skyduel = Skyduel(self._base("skyduel"), self.lobby, self.skyduel_rows, config)
        self.results.on_suspect = self.skyduel.report

    def _make_breakers(self) -> None:
        config = self.config.breakers
        rows = BreakerRows(self.database)
        self.breakers = Breakers(self.hub, rows, self._clock, config=rules(config))
        watch_database(self.breakers, self._database_breaker, self.database)
        self.publish_breaker = self.breakers.add(PUBLISH, "infrastructure", "what services publish")
        if self.config.market.source != "none":
            watch_market(self.breakers, self.market.feed)
        probes(self.breakers, config)
        self.publisher = Publisher(self.hub, self.market, self.publish_breaker)

    def _sealed(self) -> None:
        """Whoever judges each price has seen it before anybody is told."""
        if self.config.candles.enabled:
            self.candles.collect()
        if self.config.market.alerts:
            self.signals.collect()

    def _endpoints(self) -> list[Endpoint]:
        return [
            Monitor(self._base("monitor"), self.status, self.settings, self.flags),
            TokenData(
                self._base("token_data"),
                self.market,
                self.config.market,
                price_alerts=self.price_alerts,
                signals=self.signals,
                whitelist=self.whitelist,
                portfolios=self.portfolios,
                candles=self.candles,
                candle_config=self.config.candles,
            ),
            self.contest,
            self.skyduel,
            CircuitBreaker(
                self._base("circuit_breaker"), self.database, self.breakers, self.people
            ),
            SystemSettings(self._base("system_settings"), self.settings),
            Admin(
                self._base("admin"),
                self.connections,
                self.people,
                self.standing,
                self._controls(),
            ),
            Test(self._base("test"), lambda: len(self.connections)),
        ]

    def _controls(self) -> Controls:
        return Controls(
            database=self.database,
            settings=self.settings,
            flags=self.flags,
            rollout=self.rollout,
            publish=self.publisher,
            drain=_end,
            endpoints=tuple(
                sorted(name.replace("_", "-") for name in EndpointsConfig.__struct_fields__)
            ),
        )

    def _base(self, name: str) -> Base:
        """What the endpoint of that configuration section is given."""
        return Base(
            hub=self.hub,
            authority=self.authority,
            limits=self.config.limits,
            settings=_limits(self.config, name),
            stats=self.stats,
            report=self.status.report,
            clock=self._clock,
        )

    def _door(self) -> Door:
        return Door(
            self.endpoints,
            self.authority,
            self.origins,
            self.connections,
            self.recorded,
            self.config.limits,
            self.allowances,
            self.stats,
            self.config.environment,
            self.flags,
            self._clock,
        )


def _end() -> None:
    """Ask this process to end as an operator would: it drains."""
    os.kill(os.getpid(), signal.SIGTERM)


def _check_operations(endpoints: Iterable[Endpoint]) -> None:
    """Raise for a limit of an operation there is not: it would limit nothing."""
    for endpoint in endpoints:
        known = {command.operation for command in endpoint.commands.values()}
        for name in endpoint.base.settings.operations:
            if name not in known:
                raise ConfigError(f"endpoints.{endpoint.name}.operations: there is no {name!r}.")


def _keep(config: CandleConfig) -> dict[int, int]:
    """Seconds that candles are kept, by resolution in seconds."""
    for name in config.keep_days:
        if name not in RESOLUTIONS:
            raise ConfigError(f"candles.keep_days: there is no {name!r}.")
    return {RESOLUTIONS[name]: int(days * 86_400) for name, days in config.keep_days.items()}


def _limits(config: Config, name: str) -> EndpointConfig:
    found: EndpointConfig = getattr(config.endpoints, name)
    if name == "test" and config.raw_test_limits:
        return msgspec.structs.replace(
            found, max_message=RAW_MESSAGE, messages_per_minute=1_000_000
        )
    return found


def _source(
    config: Config, market: Market, database: Database, breakers: Breakers
) -> Source | None:
    """The job that keeps the market current, as configured."""
    chosen = config.market
    made: Any
    match chosen.source:
        case "none":
            return None
        case "simulated":
            made = Simulated(market, chosen.tokens, chosen.seed, chosen.updates_per_second)
        case "exchange":
            guard = breakers.add(EXCHANGE, "data", "the exchange's stream of prices").guard
            made = Exchange(market, chosen.exchange_url, chosen.stale_seconds, guard=guard)
        case "platform":
            made = Platform(market, database, chosen.poll_seconds)
        case "replay":
            if not chosen.replay_file:
                raise ConfigError("market.source is replay, but market.replay_file is not set.")
            stream = CombinedStream(market)
            made = Replay(
                market,
                Path(chosen.replay_file),
                stream.receive,
                chosen.replay_speed,
                restart=stream.restart,
            )
    job: Source = made.run
    return job
