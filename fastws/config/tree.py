"""The tree of the configuration: each field carries its default, its unit and its sentence.

The environment name is derived (``[server] port`` is ``FASTWS_SERVER_PORT``) unless ``env``
names another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

__all__ = [
    "PROFILES",
    "AuthConfig",
    "BreakersConfig",
    "CandleConfig",
    "Config",
    "ContestConfig",
    "DatabaseConfig",
    "EndpointConfig",
    "EndpointsConfig",
    "GatewayConfig",
    "LimitsConfig",
    "LogConfig",
    "MarketConfig",
    "ServerConfig",
]


def _doc(text: str, env: str | None = None) -> Meta:
    return Meta(description=text, extra={"env": env} if env else None)


Rate = Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,8}/(s|min|h)$")]
"""How often: ``60/s``, ``10/min``, ``5/h``."""


class _Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class ServerConfig(_Section, frozen=True):
    """Where the server listens and how it stops."""

    host: Annotated[str, _doc("address to listen on")] = "127.0.0.1"
    port: Annotated[int, _doc("TCP port for HTTP and WebSocket; 0 picks a free one")] = 3004
    ssl_certificate: Annotated[str, _doc("PEM file; set together with ssl_key for TLS")] = ""
    ssl_key: Annotated[str, _doc("PEM file of the private key")] = ""
    trusted_proxies: Annotated[
        list[str], _doc("networks whose X-Forwarded-For / Forwarded is believed")
    ] = field(default_factory=list)
    ops_host: Annotated[str, _doc("address of the operations port")] = "127.0.0.1"
    ops_port: Annotated[
        int, _doc("port for /metrics and health; -1: on the main port; 0 picks one")
    ] = -1
    drain_seconds: Annotated[float, _doc("s; longest planned shutdown")] = 25.0


class GatewayConfig(_Section, frozen=True):
    """What a peer may cost before it is anybody."""

    head_bytes: Annotated[int, _doc("bytes of the longest request head")] = 8192
    head_seconds: Annotated[float, _doc("s; slowest request head")] = 5.0
    address_rate: Annotated[float, _doc("new connections per second and address")] = 20.0
    address_burst: Annotated[int, _doc("new connections at once per address")] = 50
    address_connections: Annotated[int, _doc("open connections per address")] = 200
    worker_rate: Annotated[float, _doc("new connections per second in all")] = 500.0
    worker_burst: Annotated[int, _doc("new connections at once in all")] = 2000
    max_connections: Annotated[int, _doc("open connections; 0: 64 below the fd limit")] = 0


class AuthConfig(_Section, frozen=True):
    """Who is believed."""

    jwt_secret: Annotated[str, _doc("HS256 key, at least 32 bytes", "JWT_SECRET")] = ""
    origins: Annotated[list[str], _doc("allowed browser origins, exact scheme://host[:port]")] = (
        field(default_factory=list)
    )
    session_seconds: Annotated[int, _doc("s; life of the session cookie")] = 86_400
    token_seconds: Annotated[int, _doc("s; life of a WebSocket token")] = 3600
    challenge_seconds: Annotated[int, _doc("s; life of a login challenge")] = 900
    accept_legacy_tokens: Annotated[bool, _doc("accept tokens without aud (migration)")] = False
    cookie_domain: Annotated[str, _doc("Domain of the session cookie; empty: host only")] = ""
    dev_login_secret: Annotated[str, _doc("secret of dev-login; development only")] = ""
    service_keys: Annotated[
        list[str], _doc("keys of services that may publish, each at least 32 bytes")
    ] = field(default_factory=list)
    requests_per_minute: Annotated[int, _doc("auth requests per minute and address")] = 60


class LimitsConfig(_Section, frozen=True):
    """What one connection or user may cost."""

    ping_idle_seconds: Annotated[float, _doc("s of silence before the server pings")] = 30.0
    ping_timeout_seconds: Annotated[float, _doc("s more before Heartbeat timeout")] = 20.0
    channels: Annotated[int, _doc("subscriptions per connection")] = 128
    symbols: Annotated[int, _doc("token.<SYMBOL> channels per connection")] = 1000
    fragments: Annotated[int, _doc("frames in one message")] = 64
    frames_per_second: Annotated[int, _doc("frames per second of any kind, control too")] = 200
    frames_burst: Annotated[int, _doc("frames at once")] = 1000
    inbox: Annotated[int, _doc("messages waiting to be handled before reading pauses")] = 64
    history: Annotated[int, _doc("messages a stream keeps for recovery")] = 300
    stall_seconds: Annotated[float, _doc("s without a byte accepted while streams wait")] = 5.0
    backlog_bytes: Annotated[int, _doc("unsent reply bytes before a close")] = 1_048_576
    user_connections: Annotated[int, _doc("connections per wallet")] = 10
    violations: Annotated[int, _doc("rejected messages in a minute before a close")] = 100
    user_cost: Annotated[int, _doc("cost of messages per minute and user")] = 6000
    address_cost: Annotated[
        int, _doc("cost of messages per minute and address, of those who are not logged in")
    ] = 60_000


class DatabaseConfig(_Section, frozen=True):
    """PostgreSQL."""

    url: Annotated[
        str, _doc("postgresql://…; empty: a private server in data_dir", "DATABASE_URL")
    ] = ""
    pool_min: Annotated[int, _doc("connections kept open")] = 2
    pool_max: Annotated[int, _doc("most connections")] = 10
    query_seconds: Annotated[float, _doc("s; slowest query")] = 5.0
    connect_seconds: Annotated[float, _doc("s; slowest connect")] = 5.0


class MarketConfig(_Section, frozen=True):
    """Where prices come from and how often they leave."""

    source: Annotated[
        Literal["none", "simulated", "exchange", "replay", "platform"], _doc("the feed")
    ] = "platform"
    tokens: Annotated[int, _doc("simulated: number of tokens")] = 2000
    seed: Annotated[int, _doc("simulated: same seed, same market")] = 69
    updates_per_second: Annotated[int, _doc("simulated: price changes per second")] = 4000
    exchange_url: Annotated[
        str, _doc("combined stream, e.g. wss://…/stream?streams=btcusdt@bookTicker")
    ] = ""
    stale_seconds: Annotated[float, _doc("s without data before the feed is stale")] = 15.0
    replay_file: Annotated[str, _doc("recorded stream, one '<ns> <json>' a line")] = ""
    replay_speed: Annotated[float, _doc("1 is real pace")] = 1.0
    poll_seconds: Annotated[float, _doc("platform: s between reconciling reads")] = 5.0
    flush_ms: Annotated[int, _doc("ms between seals of the price table")] = 100
    list_seconds: Annotated[float, _doc("s between full legacy lists")] = 5.0
    token_seconds: Annotated[float, _doc("s between token_data of one symbol")] = 1.0
    alerts: Annotated[bool, _doc("off: no market alerts, trends, changes of minutes")] = True


class CandleConfig(_Section, frozen=True):
    """The history of prices (docs/wire.md, "History")."""

    enabled: Annotated[bool, _doc("off: no candles are made, get_history has old ones")] = True
    write_seconds: Annotated[float, _doc("s between writes: what a crash may lose")] = 5.0
    push_seconds: Annotated[float, _doc("s between frames of one candle to a client")] = 1.0
    keep_days: Annotated[
        dict[str, float], _doc("days that candles are kept, by resolution; not named: for ever")
    ] = field(
        default_factory=lambda: {
            "1s": 0.01, "1m": 3.0, "5m": 14.0, "15m": 30.0, "1h": 180.0, "4h": 730.0,
        }
    )  # fmt: skip


class ContestConfig(_Section, frozen=True):
    """Contests, their leaderboards and chat."""

    leaderboard_ms: Annotated[int, _doc("ms between two rankings")] = 250
    list_seconds: Annotated[float, _doc("s between whole leaderboards for older clients")] = 2.0
    chat_per_minute: Annotated[int, _doc("messages per minute, user and contest")] = 10


class SkyduelConfig(_Section, frozen=True):
    """The game (docs/skyduel.md)."""

    hz: Annotated[int, _doc("steps per second, 20 to 60")] = 30
    spectator_hz: Annotated[float, _doc("states per second to those who watch")] = 10.0


class BreakersConfig(_Section, frozen=True):
    """Circuit breakers (docs/wire.md, "Circuit breakers")."""

    threshold: Annotated[int, _doc("failures within the window that open one")] = 5
    window_seconds: Annotated[float, _doc("s that a failure counts")] = 300.0
    open_seconds: Annotated[float, _doc("s before it is tried again; doubled each time")] = 60.0
    attempts: Annotated[int, _doc("trials before it stays open until a reset")] = 3
    check_seconds: Annotated[float, _doc("s between two health checks of all services")] = 5.0
    probes: Annotated[dict[str, str], _doc("services asked by HTTP GET: name=url")] = field(
        default_factory=dict
    )


class LogConfig(_Section, frozen=True):
    """What is written and how."""

    format: Annotated[Literal["auto", "json", "console"], _doc("auto: console on a tty")] = "auto"
    level: Annotated[Literal["debug", "info", "warning", "error"], _doc("least level")] = "info"
    lines_per_minute: Annotated[int, _doc("budget of each event name and level")] = 600


class EndpointConfig(_Section, frozen=True):
    """Limits of one endpoint."""

    enabled: Annotated[bool, _doc("off: 404")] = True
    max_message: Annotated[int, _doc("bytes of one message, inflated")] = 65_536
    messages_per_minute: Annotated[int, _doc("cost of messages per minute and connection")] = 100
    deflate: Annotated[bool, _doc("compress long JSON for clients that offer it")] = False
    operations: Annotated[
        dict[str, Rate], _doc('own limits, each user\'s: input = "60/s", also /min and /h')
    ] = field(default_factory=dict)


def _limits(
    max_kib: int,
    per_minute: int,
    deflate: bool = False,
    operations: dict[str, Rate] | None = None,
) -> Any:
    made = EndpointConfig(
        max_message=max_kib * 1024,
        messages_per_minute=per_minute,
        deflate=deflate,
        operations=operations or {},
    )
    return field(default_factory=lambda: made)


_SKYDUEL: dict[str, Rate] = {"input": "60/s", "create_match": "20/min", "quick_match": "20/min"}


class EndpointsConfig(_Section, frozen=True):
    """One section per endpoint: ``[endpoints.monitor]`` (wire.md A2)."""

    monitor: EndpointConfig = _limits(64, 120)
    token_data: EndpointConfig = _limits(1024, 500, deflate=True)
    contest: EndpointConfig = _limits(256, 120)
    circuit_breaker: EndpointConfig = _limits(512, 120)
    system_settings: EndpointConfig = _limits(64, 100)
    skyduel: EndpointConfig = _limits(64, 500, operations=_SKYDUEL)
    admin: EndpointConfig = _limits(64, 120)
    test: EndpointConfig = _limits(64, 300)


class Config(_Section, frozen=True):
    """The whole tree. ``Config()`` is a valid production configuration but for its secret."""

    environment: Annotated[
        Literal["production", "development", "test"], _doc("development loosens secrets only")
    ] = "production"
    profile: Annotated[Literal["", "loadtest"], _doc("loadtest raises limits for measurements")] = (
        ""
    )
    data_dir: Annotated[str, _doc("folder for the private database and made secrets")] = ".fastws"
    public_settings: Annotated[
        list[str], _doc("settings anybody may read; 'category.*' covers a category")
    ] = field(default_factory=lambda: ["background_scene", "maintenance_mode", "public.*"])
    raw_test_limits: Annotated[
        bool, _doc("test endpoint: 16 MiB messages, no fragment limit (protocol suites)")
    ] = False
    server: ServerConfig = field(default_factory=ServerConfig)
    gateway: GatewayConfig = field(default_factory=GatewayConfig)
    auth: AuthConfig = field(default_factory=AuthConfig)
    limits: LimitsConfig = field(default_factory=LimitsConfig)
    database: DatabaseConfig = field(default_factory=DatabaseConfig)
    market: MarketConfig = field(default_factory=MarketConfig)
    candles: CandleConfig = field(default_factory=CandleConfig)
    contests: ContestConfig = field(default_factory=ContestConfig)
    breakers: BreakersConfig = field(default_factory=BreakersConfig)
    skyduel: SkyduelConfig = field(default_factory=SkyduelConfig)
    log: LogConfig = field(default_factory=LogConfig)
    endpoints: EndpointsConfig = field(default_factory=EndpointsConfig)

    @property
    def development(self) -> bool:
        """Whether secrets may be made up and dev-login exists."""
        return self.environment != "production"


PROFILES: Mapping[str, dict[str, Any]] = {
    "": {},
    "loadtest": {
        "gateway": {
            "address_rate": 1e6, "address_burst": 1_000_000, "address_connections": 1_000_000,
            "worker_rate": 1e6, "worker_burst": 1_000_000,
        },
        "limits": {
            "user_connections": 1_000_000, "frames_per_second": 1_000_000,
            "user_cost": 1_000_000_000, "address_cost": 1_000_000_000,
        },
        "auth": {"requests_per_minute": 1_000_000},
        "contests": {"chat_per_minute": 1_000_000},
        "endpoints": {
            name: {"messages_per_minute": 1_000_000} for name in EndpointsConfig.__struct_fields__
        },
    },
}  # fmt: skip
