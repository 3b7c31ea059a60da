"""Configuration: one frozen tree read from ``fastws.toml`` and the environment.

Each field carries its default, its unit and its sentence; the environment name is derived
(``[server] port`` is ``FASTWS_SERVER_PORT``) unless ``env`` names another. Later wins:
defaults, profile, file, environment, command line. This room starts nothing.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct, field

from fastws.errors import ConfigError

__all__ = [
    "AuthConfig",
    "Config",
    "DatabaseConfig",
    "EndpointConfig",
    "EndpointsConfig",
    "GatewayConfig",
    "LimitsConfig",
    "LogConfig",
    "MarketConfig",
    "ServerConfig",
    "describe",
    "load",
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


def _limits(max_kib: int, per_minute: int, deflate: bool = False) -> Any:
    made = EndpointConfig(
        max_message=max_kib * 1024, messages_per_minute=per_minute, deflate=deflate
    )
    return field(default_factory=lambda: made)


class EndpointsConfig(_Section, frozen=True):
    """One section per endpoint: ``[endpoints.monitor]`` (wire.md A2)."""

    monitor: EndpointConfig = _limits(64, 120)
    token_data: EndpointConfig = _limits(1024, 500, deflate=True)
    contest: EndpointConfig = _limits(256, 120)
    system_settings: EndpointConfig = _limits(64, 100)
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


class Setting(Struct, frozen=True):
    """One leaf of the tree, for ``fastws config`` and the documentation."""

    path: tuple[str, ...]
    env: str
    type: Any
    doc: str


def describe(kind: type = Config, path: tuple[str, ...] = ()) -> Iterator[Setting]:
    """Yield every leaf setting with its environment name and sentence."""
    for name, hint in get_type_hints(kind, include_extras=True).items():
        here = (*path, name)
        if isinstance(hint, type) and issubclass(hint, Struct):
            yield from describe(hint, here)
            continue
        meta: Meta = get_args(hint)[1]
        env = (meta.extra or {}).get("env") or "FASTWS_" + "_".join(here).upper()
        yield Setting(here, env, get_args(hint)[0], meta.description or "")


def load(
    path: Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
    defaults: Mapping[str, Any] | None = None,
    *,
    checked: bool = True,
) -> Config:
    """Read the file, the environment and ``overrides`` (a nested dict) into a ``Config``.

    ``path`` None reads ``fastws.toml`` if there is one; ``defaults`` stand in for what none of
    them says. Raises `ConfigError` with one sentence that names the setting; without
    ``checked`` only for what cannot be read, not for what does not fit together.
    """
    environ = os.environ if environ is None else environ
    from_file = _read_file(path)
    from_environment = _read_environment(environ)
    layers: list[Mapping[str, Any]] = [from_file, from_environment, overrides or {}]
    profile = next((str(x["profile"]) for x in reversed(layers) if x.get("profile")), "")
    tree: dict[str, Any] = {}
    for layer in [defaults or {}, PROFILES.get(profile, {}), *layers]:
        _merge(tree, layer)
    try:
        config = msgspec.convert(tree, Config, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(f"Configuration: {error}.") from None
    if checked:
        _check(config)
    return config


def _read_file(path: Path | None) -> dict[str, Any]:
    file = path or Path("fastws.toml")
    if path is None and not file.exists():
        return {}
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"Cannot read {file}: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not TOML: {error}.") from None


def _read_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    known = set()
    for setting in describe():
        known.add(setting.env)
        text = environ.get(setting.env)
        if text is None:
            continue
        value: Any = text
        if get_origin(setting.type) is dict:  # a=1,b=2
            pairs = (part.partition("=") for part in text.split(",") if part.strip())
            value = {name.strip(): given.strip() for name, _, given in pairs}
        if get_origin(setting.type) is list:
            value = [part.strip() for part in text.split(",") if part.strip()]
        node = tree
        for name in setting.path[:-1]:
            node = node.setdefault(name, {})
        node[setting.path[-1]] = value
    for name in environ:
        if name.startswith("FASTWS_") and name not in known and name not in _BUILD_SWITCHES:
            raise ConfigError(f"Unknown environment variable {name}; see 'fastws config'.")
    return tree


_BUILD_SWITCHES = frozenset({"FASTWS_DEBUG", "FASTWS_SANITIZE", "FASTWS_CONFIG"})


def _merge(into: dict[str, Any], layer: Mapping[str, Any]) -> None:
    for name, value in layer.items():
        if isinstance(value, Mapping):
            _merge(into.setdefault(name, {}), value)
        else:
            into[name] = value


def _check(config: Config) -> None:
    """Rules that a type cannot say."""
    if bool(config.server.ssl_certificate) != bool(config.server.ssl_key):
        raise ConfigError("Set both server.ssl_certificate and server.ssl_key, or neither.")
    if not -1 <= config.server.ops_port <= 65535 or not 0 <= config.server.port <= 65535:
        raise ConfigError("server.port and server.ops_port must be TCP ports (0 to 65535).")
    secret = config.auth.jwt_secret
    if secret and len(secret.encode()) < 32:
        raise ConfigError("JWT_SECRET is shorter than 32 bytes; make one: openssl rand -hex 32.")
    if not secret and not config.development:
        raise ConfigError("JWT_SECRET is not set; production needs one of at least 32 bytes.")
    if config.auth.dev_login_secret and not config.development:
        raise ConfigError("auth.dev_login_secret is for development; remove it in production.")
    for key in config.auth.service_keys:
        if len(key.encode()) < 32:
            raise ConfigError("Each of auth.service_keys needs at least 32 bytes.")
    for origin in config.auth.origins:
        scheme, _, rest = origin.partition("://")
        if scheme not in ("http", "https") or not rest or "/" in rest or "*" in rest:
            raise ConfigError(f"auth.origins: {origin!r} is not scheme://host[:port].")
