"""What a server in development makes up for itself: the secrets that nobody has set.

Owns the files they are kept in. In production nothing here does anything.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

import msgspec

from fastws.config import Config
from fastws.errors import ConfigError, StartError

__all__ = ["with_development_secrets"]


def with_development_secrets(config: Config) -> Config:
    """In development, fill in the secrets that are not set; elsewhere the same ``config``.

    They are made once and kept in ``data_dir`` (``jwt_secret`` and ``dev_secret``, mode 0600),
    so that tokens outlive a restart. Raises `StartError` if the folder cannot be written.
    """
    if not config.development:
        return config
    folder = Path(config.data_dir)
    auth = msgspec.structs.replace(
        config.auth,
        jwt_secret=config.auth.jwt_secret or _kept(folder / "jwt_secret"),
        dev_login_secret=config.auth.dev_login_secret or _kept(folder / "dev_secret"),
    )
    return msgspec.structs.replace(config, auth=auth)


def _kept(file: Path) -> str:
    """The secret in ``file``, made if there is none; two processes never make two."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not file.exists():
            fresh = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
                out.write(secrets.token_hex(32) + "\n")
            with contextlib.suppress(FileExistsError):  # another process was faster
                os.link(fresh, file)
            fresh.unlink()
        kept = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise StartError(f"Cannot use the data folder: {file}: {reason}.") from None
    if len(kept) < 32:
        raise ConfigError(f"{file} is shorter than 32 bytes; delete it and a new one is made.")
    return kept
