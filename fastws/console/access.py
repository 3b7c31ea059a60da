"""A token for the console: the one given, or one of its own from a server in development."""

from __future__ import annotations

from collections.abc import Callable

from fastws.client import NoToken, Unreachable, fetch_token
from fastws.console.options import Options

__all__ = ["find_token", "how_to_get_one"]


def how_to_get_one(options: Options) -> str:
    """The line that gives a logged-in user a token."""
    return f"curl -s -b 'session=<your cookie>' {options.address.http}/api/auth/token"


async def find_token(options: Options, say: Callable[[str], None]) -> str | None:
    """The token to show; None to come without. ``say`` is told where it is from."""
    if options.token:
        return options.token
    if options.dev_secret is None or not options.address.loopback:
        return None  # the secret is shown to this machine only
    try:
        found = await fetch_token(
            options.address.http, dev_secret=options.dev_secret, wallet=options.wallet
        )
    except NoToken as error:
        if error.status != 404:  # 404: the server is not in development
            say(f"dev-login gave no token: {error}")
        return None
    except Unreachable:
        return None  # connecting will say so
    say(f"the server is in development: logged in as {options.wallet} through dev-login")
    return found.token
