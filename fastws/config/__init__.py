"""Configuration: one frozen tree read from ``fastws.toml`` and the environment. Starts nothing."""

from fastws.config.reading import Setting, describe, load
from fastws.config.tree import (
    PROFILES,
    AuthConfig,
    BreakersConfig,
    CandleConfig,
    Config,
    ContestConfig,
    DatabaseConfig,
    EndpointConfig,
    EndpointsConfig,
    GatewayConfig,
    LimitsConfig,
    LogConfig,
    MarketConfig,
    ServerConfig,
    SkyduelConfig,
)

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
    "Setting",
    "SkyduelConfig",
    "describe",
    "load",
]
