"""Reads the configuration from ``fastws.toml`` and the environment, and judges it.

Later wins: defaults, profile, file, environment, command line.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

from fastws.config.tree import PROFILES, Config
from fastws.errors import ConfigError

__all__ = ["Setting", "describe", "load"]


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
