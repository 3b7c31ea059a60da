"""The command line: arguments become a configuration and one thing to run."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Final, TypeVar, get_args, get_origin

import click
import msgspec

from fastws import __version__, console, logs
from fastws.client import Address, ClientError, fetch_token
from fastws.config import Config, Setting, describe, load
from fastws.development import with_development_secrets
from fastws.errors import FastwsError, StartError, StoreUnavailable
from fastws.identity import Role, Tokens
from fastws.server import serve as run_server
from fastws.server import with_database
from fastws.store.audit import Audit
from fastws.store.migrate import migrate
from fastws.store.pool import Database
from fastws.store.users import Users

__all__ = ["main"]

F = TypeVar("F", bound=Callable[..., Any])

SECRET: Final = ("secret", "password", "keys", "url")
"""Parts of the names of settings whose values are not shown."""

DEMO: Final = {"environment": "development", "market": {"source": "simulated"}}


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="fastws")
def main() -> None:
    """The realtime server of DegenDuel, and what goes with it."""


def _sentences(command: F) -> F:
    """Expected failures are one sentence and an exit code, never a traceback."""

    @wraps(command)
    def run(*args: Any, **options: Any) -> Any:
        try:
            return command(*args, **options)
        except StartError as error:
            click.echo(f"fastws: {error}", err=True)
            sys.exit(error.exit_code)
        except StoreUnavailable as error:
            click.echo(f"fastws: The database cannot be used: {error}.", err=True)
            sys.exit(1)
        except FastwsError as error:
            click.echo(f"fastws: {error}", err=True)
            sys.exit(1)

    return run  # type: ignore[return-value]


_config = click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="FASTWS_CONFIG",
    help="Configuration file (default: fastws.toml, if there is one).",
)


def _listening(command: F) -> F:
    for option in (
        click.option("--profile", type=click.Choice(["loadtest"]), help="Named set of limits."),
        click.option("--port", type=int, help="TCP port; 0 picks a free one."),
        click.option("--host", help="Address to listen on."),
        _config,
    ):
        command = option(command)
    return command


def _overrides(host: str | None, port: int | None, profile: str | None) -> dict[str, Any]:
    server = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    found: dict[str, Any] = {"server": server} if server else {}
    return found | ({"profile": profile} if profile else {})


# ── serving ─────────────────────────────────────────────────────────────────────────────


@main.command()
@click.option("--demo", is_flag=True, help="A live made-up market, users and tokens to try it.")
@_listening
@_sentences
def serve(
    file: Path | None, host: str | None, port: int | None, profile: str | None, demo: bool
) -> None:
    """Serve until Ctrl-C (which drains; a second one stops at once)."""
    config = load(file, overrides=_overrides(host, port, profile), defaults=DEMO if demo else None)
    run_server(with_development_secrets(config), demo=demo, say=_say)


@main.command()
@click.argument("recording", type=click.Path(path_type=Path))
@click.option("--speed", type=float, default=1.0, show_default=True, help="0: as fast as it goes.")
@_listening
@_sentences
def replay(
    recording: Path,
    speed: float,
    file: Path | None,
    host: str | None,
    port: int | None,
    profile: str | None,
) -> None:
    """Serve the prices of a recorded exchange stream, decimal for decimal."""
    market = {"source": "replay", "replay_file": str(recording), "replay_speed": speed}
    overrides = {**_overrides(host, port, profile), "market": market}
    config = load(file, overrides=overrides, defaults={"environment": "development"})
    run_server(with_development_secrets(config), say=_say)


def _say(line: str) -> None:
    click.echo(line)
    sys.stdout.flush()


# ── talking to a server ─────────────────────────────────────────────────────────────────


@main.command("console")
@click.argument("endpoint", default="token-data")
@click.option("--host", default="localhost", show_default=True)
@click.option("--port", type=int, default=3004, show_default=True)
@click.option("--secure", is_flag=True, help="TLS.")
@click.option("--auth", metavar="TOKEN", help="A WebSocket token.")
@click.option("--via", type=click.Choice(["header", "subprotocol", "query"]), default="header")
@click.option("--channel", help="Subscribe to it at once.")
@click.option("--message", help="Send this JSON first.")
@click.option("--test", is_flag=True, help="Try the usual five things; the exit code is the truth.")
@click.option("--verbose", is_flag=True, help="Show whole frames.")
@_config
@_sentences
def talk(
    endpoint: str,
    host: str,
    port: int,
    secure: bool,
    auth: str | None,
    via: Any,
    channel: str | None,
    message: str | None,
    test: bool,
    verbose: bool,
    file: Path | None,
) -> None:
    """Talk to an endpoint by hand (alias: circuit for circuit-breaker)."""
    folder = Path(_development(file).data_dir)
    options = console.Options(
        endpoint=console.endpoint_name(endpoint),
        address=Address(host, port, secure),
        token=auth,
        via=via,
        channel=channel,
        message=message,
        dev_secret=_dev_secret(folder),
        history=str(folder / "console_history") if folder.is_dir() else None,
        verbose=verbose,
    )
    sys.exit(asyncio.run(console.run(options, test=test)))


@main.command()
@click.argument("url", default="http://localhost:3004")
@click.option("--token", help="The token to try; without one a session's is fetched.")
@click.option("--cookie", help="The value of the cookie 'session'.")
@_sentences
def check(url: str, token: str | None, cookie: str | None) -> None:
    """Ask a running server four questions; says what to mend."""
    good = asyncio.run(console.check(_address(url), _say, token=token, cookie=cookie))
    sys.exit(0 if good == len(console.CHECKS) else 1)


@main.command()
@click.option("--wallet", default=console.WALLET, show_default=True, help="Whose token.")
@click.option("--url", default="http://localhost:3004", show_default=True)
@click.option("--offline", is_flag=True, help="Sign one here, with the configured secret.")
@_config
@_sentences
def token(wallet: str, url: str, offline: bool, file: Path | None) -> None:
    """Print a WebSocket token: of a server in development, or signed here."""
    config = _development(file)
    if offline:
        config = with_development_secrets(config)
        _say(Tokens(config.auth, time.time).mint_socket(wallet, Role.USER, None))
        return
    secret = _dev_secret(Path(config.data_dir))
    if secret is None:
        where = Path(config.data_dir) / "dev_secret"
        raise StartError(f"There is no {where}: run it where the server runs, in development.")
    try:
        found = asyncio.run(fetch_token(_address(url).http, dev_secret=secret, wallet=wallet))
    except ClientError as error:
        raise StartError(f"No token: {error}.") from None
    _say(found.token)


def _address(url: str) -> Address:
    try:
        return Address.parse(url)
    except ValueError as error:
        raise StartError(f"{error}.") from None


def _development(file: Path | None) -> Config:
    """The configuration as a tool beside a server reads it: it needs no secret of its own."""
    return load(file, defaults={"environment": "development"})


def _dev_secret(folder: Path) -> str | None:
    try:
        return (folder / "dev_secret").read_text("utf-8").strip()
    except OSError:
        return None


# ── configuration and users ─────────────────────────────────────────────────────────────


@main.command("config")
@click.option("--check", "only_check", is_flag=True, help="Say whether it is right, print nothing.")
@_config
@_sentences
def show_config(only_check: bool, file: Path | None) -> None:
    """Print every setting: its environment name, present value and meaning.

    A star marks what is not the default. Secrets are not shown.
    """
    config = load(file, checked=only_check)
    if only_check:
        _say("The configuration is right.")
        return
    default = Config()
    for setting in describe():
        value = _value(config, setting)
        mark = "*" if value != _value(default, setting) else " "
        _say(f"{mark} {setting.env} = {_shown(setting, value)}")
        _say(f"    {'.'.join(setting.path)}, {_kind(setting.type)}: {setting.doc}")
    load(file)  # says what does not fit together, now that everything has been shown


def _value(config: Config, setting: Setting) -> Any:
    value: Any = config
    for name in setting.path:
        value = getattr(value, name)
    return value


def _shown(setting: Setting, value: Any) -> str:
    hidden = any(part in setting.path[-1] for part in SECRET) and bool(value)
    return "(set, not shown)" if hidden else msgspec.json.encode(value).decode()


def _kind(kind: Any) -> str:
    if get_origin(kind) is list:
        return "list"
    if get_origin(kind) is dict:
        return "names and values"
    choices = get_args(kind)
    return " | ".join(map(repr, choices)) if choices else str(kind.__name__)


@main.command()
@click.argument("wallet")
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True)
@_config
@_sentences
def user(wallet: str, role: str, file: Path | None) -> None:
    """Give a wallet a role: makes the first administrator."""
    if not (wallet.isascii() and wallet.isalnum() and len(wallet) <= 64):
        raise StartError(f"{wallet[:64]!r} is no wallet address.")
    config = _development(file)
    logs.configure(config.log, secrets=[config.auth.jwt_secret])

    async def job(url: str) -> None:
        database = Database(url, config.database)
        try:
            await database.start()
            await migrate(database)
            await Users(database).set_role(wallet, role)
            details = {"wallet": wallet, "role": role}
            await Audit(database).write("command line", "set_role", details)
        finally:
            await database.stop()

    with_database(config, job, join=True)
    _say(f"{wallet} is {role} now")
