"""Secrets that a development server makes up, and that nobody else does."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastws.config import Config, load
from fastws.development import with_development_secrets
from fastws.errors import ConfigError, StartError

SECRET = {"JWT_SECRET": "s" * 32}


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
