"""Configuration: layers, names and refusals."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastws.config import Config, describe, load, with_development_secrets
from fastws.errors import ConfigError, StartError

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


def development(folder: Path, **environ: str) -> Config:
    return load(
        environ={"FASTWS_ENVIRONMENT": "development", "FASTWS_DATA_DIR": str(folder), **environ}
    )


def test_in_development_secrets_are_made_once_and_kept(tmp_path: Path) -> None:
    config = development(tmp_path / "a" / "data")
    first = with_development_secrets(config)
    assert len(first.auth.jwt_secret) >= 32
    assert first.auth.jwt_secret != first.auth.dev_login_secret
    assert with_development_secrets(config) == first
    files = sorted((tmp_path / "a" / "data").iterdir())
    assert [file.name for file in files] == ["dev_secret", "jwt_secret"]
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)
    assert (tmp_path / "a" / "data").stat().st_mode & 0o777 == 0o700


def test_what_is_set_is_not_made(tmp_path: Path) -> None:
    config = development(tmp_path / "d", JWT_SECRET="s" * 32, FASTWS_AUTH_DEV_LOGIN_SECRET="x")
    assert with_development_secrets(config) == config
    assert not (tmp_path / "d").exists()
    production = load(environ=SECRET | {"FASTWS_DATA_DIR": str(tmp_path / "d")})
    assert with_development_secrets(production) is production
    assert not (tmp_path / "d").exists()


def test_an_unwritable_data_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match="Cannot use the data folder") as caught:
        with_development_secrets(development(tmp_path / "file" / "data"))
    assert caught.value.exit_code == 1


def test_a_spoiled_secret_is_named(tmp_path: Path) -> None:
    (tmp_path / "jwt_secret").write_text("short")
    with pytest.raises(ConfigError, match="jwt_secret is shorter"):
        with_development_secrets(development(tmp_path))
