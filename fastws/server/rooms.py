"""Every object of a server, made from its configuration and joined. Starts nothing.

The only place that knows all rooms at once; what each is given it is given here, so nothing
looks anything up by itself.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from msgspec import Struct

from fastws import __version__
from fastws._core.socket import Wheel
from fastws._core.table import Table
from fastws.broker import MemoryBroker
from fastws.config import Config, EndpointConfig
from fastws.connection import Connections
from fastws.domain.market import COLUMNS, Market
from fastws.domain.settings import SettingsBook
from fastws.domain.status import SystemStatus
from fastws.endpoint import Base, Endpoint
from fastws.endpoints.monitor import Monitor
from fastws.endpoints.system_settings import SystemSettings
from fastws.endpoints.test import Test
from fastws.endpoints.token_data import TokenData
from fastws.errors import ConfigError
from fastws.gateway import Proxies
from fastws.hub import Hub
from fastws.identity import Authority, OriginRule, Revocations, Tokens
from fastws.metrics import Stats
from fastws.server.door import Door
from fastws.sources.exchange import CombinedStream, Exchange
from fastws.sources.platform import Platform
from fastws.sources.replay import Replay
from fastws.sources.simulated import Simulated
from fastws.store.challenges import Challenges
from fastws.store.connections import ConnectionLog
from fastws.store.pool import Database
from fastws.store.sessions import RevokedSessions
from fastws.store.users import Users

__all__ = ["Rooms", "Source", "build"]

RAW_MESSAGE = 16 * 1024 * 1024
"""Bytes of the longest message of the test endpoint under ``raw_test_limits``."""

Source = Callable[[], Awaitable[None]]


class Rooms(Struct, frozen=True, kw_only=True):
    """What a server is made of, from the bottom up."""

    config: Config
    stats: Stats
    database: Database
    broker: MemoryBroker
    hub: Hub
    tokens: Tokens
    authority: Authority
    revocations: Revocations
    origins: OriginRule
    connections: Connections
    recorded: ConnectionLog
    settings: SettingsBook
    status: SystemStatus
    market: Market
    source: Source | None
    endpoints: list[Endpoint]
    door: Door
    proxies: Proxies
    wheel: Wheel


def build(config: Config, url: str, clock: Callable[[], float] = time.time) -> Rooms:
    """Everything, over the database at ``url``; `ConfigError` for what does not fit together."""
    stats = Stats()
    database = Database(url, config.database)
    broker = MemoryBroker(config.limits.history, clock)
    hub = Hub(broker, config.limits, clock=clock, delays=stats.publish_to_write)
    connections = Connections(clock)
    tokens = Tokens(config.auth, clock)
    challenges, revoked = Challenges(database), RevokedSessions(database)
    revocations = Revocations(revoked, challenges, broker, connections.close_session, clock)
    authority = Authority(
        config.auth, tokens, Users(database), challenges, revoked, clock, revocations.announce
    )
    settings = SettingsBook(database, hub, config.public_settings, clock)
    status = SystemStatus(hub, clock, __version__)
    status.follow(settings)
    table = Table("tokens", COLUMNS, epoch=int(clock() * 1000))
    market = Market(table, clock)
    hub.add_table(table, config.market.flush_ms)

    def base(name: str) -> Base:
        return Base(
            hub=hub,
            authority=authority,
            limits=config.limits,
            settings=_limits(config, name),
            stats=stats,
            report=status.report,
            clock=clock,
        )

    endpoints: list[Endpoint] = [
        Monitor(base("monitor"), status, settings),
        TokenData(base("token_data"), market, config.market),
        SystemSettings(base("system_settings"), settings),
        Test(base("test"), lambda: len(connections)),
    ]
    origins = OriginRule(config.auth.origins)
    recorded = ConnectionLog(database)
    door = Door(
        endpoints,
        authority,
        origins,
        connections,
        recorded,
        config.limits,
        stats,
        config.environment,
        clock,
    )
    limits = config.limits
    return Rooms(
        config=config,
        stats=stats,
        database=database,
        broker=broker,
        hub=hub,
        tokens=tokens,
        authority=authority,
        revocations=revocations,
        origins=origins,
        connections=connections,
        recorded=recorded,
        settings=settings,
        status=status,
        market=market,
        source=_source(config, market, database),
        endpoints=endpoints,
        door=door,
        proxies=Proxies(config.server.trusted_proxies),
        wheel=Wheel(limits.ping_idle_seconds, limits.ping_timeout_seconds),
    )


def _limits(config: Config, name: str) -> EndpointConfig:
    found: EndpointConfig = getattr(config.endpoints, name)
    if name == "test" and config.raw_test_limits:
        return EndpointConfig(
            enabled=found.enabled, max_message=RAW_MESSAGE, messages_per_minute=1_000_000
        )
    return found


def _source(config: Config, market: Market, database: Database) -> Source | None:
    """The job that keeps the market current, as configured."""
    chosen = config.market
    made: Any
    match chosen.source:
        case "none":
            return None
        case "simulated":
            made = Simulated(market, chosen.tokens, chosen.seed, chosen.updates_per_second)
        case "exchange":
            made = Exchange(market, chosen.exchange_url, chosen.stale_seconds)
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
