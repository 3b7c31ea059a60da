"""Configuration: layers, names and refusals."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastws.config import Config, describe, load
from fastws.errors import ConfigError

SECRET = {"JWT_SECRET": "s" * 32}


def test_defaults_are_a_production_configuration() -> None:
    config = load(environ=SECRET)
    assert config.environment == "production"
    assert config.server.port == 3004
    assert config.endpoints.token_data.messages_per_minute == 500


def test_later_layers_win(tmp_path: Path) -> None:
    file = tmp_path / "fastws.toml"
    file.write_text("[server]\nport = 1\nhost = 'a'\n[endpoints.monitor]\nmax_message = 9\n")
    config = load(file, SECRET | {"FASTWS_SERVER_PORT": "2"}, {"server": {"drain_seconds": 3}})
    assert (config.server.host, config.server.port, config.server.drain_seconds) == ("a", 2, 3)
    assert config.endpoints.monitor.max_message == 9
    assert config.endpoints.monitor.messages_per_minute == 100


def test_lists_come_from_commas() -> None:
    config = load(environ=SECRET | {"FASTWS_AUTH_ORIGINS": "https://a.example, http://b:8080"})
    assert config.auth.origins == ["https://a.example", "http://b:8080"]


def test_the_profile_raises_limits() -> None:
    config = load(environ=SECRET, overrides={"profile": "loadtest"})
    assert config.endpoints.monitor.messages_per_minute == 1_000_000
    assert config.gateway.address_rate == 1e6


@pytest.mark.parametrize(
    ("environ", "toml", "says"),
    [
        ({}, "", "JWT_SECRET is not set"),
        ({"JWT_SECRET": "short"}, "", "shorter than 32 bytes"),
        (SECRET | {"FASTWS_SERVER_PORT": "x"}, "", "server.port"),
        (SECRET | {"FASTWS_TYPO": "1"}, "", "FASTWS_TYPO"),
        (SECRET, "[server]\nprot = 1", "prot"),
        (SECRET, "[server", "not TOML"),
        (SECRET, "[server]\nssl_key = 'k'", "ssl_certificate"),
        (SECRET, "[server]\nport = 70000", "TCP ports"),
        (SECRET, "[auth]\norigins = ['*']", "auth.origins"),
        (SECRET, "[auth]\norigins = ['https://a/b']", "auth.origins"),
        (SECRET, "[auth]\nservice_keys = ['x']", "service_keys"),
        (SECRET, "[auth]\ndev_login_secret = 'x'", "dev_login_secret"),
        (SECRET, "[market]\nsource = 'tea'", "market.source"),
    ],
)
def test_a_wrong_setting_is_named(
    environ: dict[str, str], toml: str, says: str, tmp_path: Path
) -> None:
    file = tmp_path / "fastws.toml"
    file.write_text(toml)
    with pytest.raises(ConfigError) as caught:
        load(file, environ)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Cannot read .*none\.toml"):
        load(tmp_path / "none.toml", SECRET)


def test_every_setting_has_a_sentence_and_its_own_name() -> None:
    settings = list(describe())
    assert all(setting.doc for setting in settings)
    assert len({setting.env for setting in settings}) == len(settings) > 60


def test_development_may_lack_a_secret() -> None:
    assert load(environ={"FASTWS_ENVIRONMENT": "development"}).development
    assert Config().environment == "production"


def test_defaults_stand_in_for_what_nobody_says() -> None:
    demo = {"environment": "development", "market": {"source": "simulated", "seed": 1}}
    config = load(environ={"FASTWS_MARKET_SEED": "2"}, defaults=demo)
    assert (config.environment, config.market.source, config.market.seed) == (
        "development",
        "simulated",
        2,
    )
    said = load(environ=SECRET | {"FASTWS_ENVIRONMENT": "production"}, defaults=demo)
    assert said.environment == "production"
