"""``fastws check``: four questions to a running server, and what to mend when one is a no."""

from __future__ import annotations

import time
from collections.abc import Callable

import jwt

from fastws.client import Address, Client, ClientError, NoToken, Unreachable, fetch_token

__all__ = ["CHECKS", "check"]

CHECKS = ("token route", "token passed", "not expired", "token accepted")

ENDPOINT = "monitor"


class _No(Exception):
    """A check failed: what was seen, and what to do about it."""


class _Checks:
    def __init__(
        self, address: Address, token: str | None, cookie: str | None, clock: Callable[[], float]
    ) -> None:
        self._address = address
        self._token = token
        self._cookie = cookie
        self._clock = clock

    async def token_route(self) -> str:
        """Whether ``GET /api/auth/token`` answers as it should."""
        try:
            found = await fetch_token(self._address.http, cookie=self._cookie)
        except NoToken as error:
            if error.status != 401:
                raise _No(
                    f"answers {error}; is this the server's own port, or a proxy that does not"
                    " pass /api/auth/ on?"
                ) from None
            if self._cookie:
                raise _No(f"refuses the session cookie: {error}; log in again") from None
            return "answers; without a session it gives no token, which is right"
        except Unreachable as error:
            raise _No(f"{error}; start it with 'fastws serve', or mend the address") from None
        if self._token is None:
            self._token = found.token
        return f"gives a token for {found.expires_in:.0f} s"

    async def token_passed(self) -> str:
        """Whether there is a token that looks like one."""
        if self._token is None:
            raise _No(
                "there is none: pass --token, or --cookie with a session"
                " ('fastws token' gets one in development)"
            )
        try:
            jwt.decode(self._token, options={"verify_signature": False})
        except jwt.PyJWTError:
            raise _No("it is no JWT; copy it whole, without quotes or spaces") from None
        return "there is one"

    async def not_expired(self) -> str:
        """Whether its own time has come."""
        claims = jwt.decode(self._token or "", options={"verify_signature": False})
        expires = claims.get("exp")
        if not isinstance(expires, int | float):
            raise _No("it says no time of expiry, and is refused for that; fetch a new one")
        left = expires - self._clock()
        if left <= 0:
            raise _No(f"it expired {-left:.0f} s ago; fetch a new one, and mind the clocks")
        return f"good for {left:.0f} s more"

    async def token_accepted(self) -> str:
        """Whether an endpoint that needs a login lets it in."""
        client = Client(self._address.socket(ENDPOINT), token=self._token)
        try:
            await client.connect()
            established = client.established or {}
        except ClientError as error:
            raise _No(
                f"{error}; the token must be of this server (same JWT_SECRET), its user must exist"
                " and its session must not be logged out; the server's log says auth.failed and why"
            ) from None
        finally:
            await client.close()
        if not established.get("authenticated"):
            raise _No("let in, but as nobody: the token did not arrive; does a proxy drop headers?")
        user = established.get("user") or {}
        return f"as {user.get('wallet_address')} ({user.get('role')})"


async def check(
    address: Address,
    say: Callable[[str], None],
    *,
    token: str | None = None,
    cookie: str | None = None,
    clock: Callable[[], float] = time.time,
) -> int:
    """Ask all four, the first no ends it; how many were yes. ``clock`` is Unix seconds."""
    checks = _Checks(address, token, cookie, clock)
    steps = (checks.token_route, checks.token_passed, checks.not_expired, checks.token_accepted)
    for number, (name, step) in enumerate(zip(CHECKS, steps, strict=True)):
        try:
            say(f"✓ {name:15} {await step()}")
        except _No as no:
            say(f"✗ {name:15} {no}")
            return number
    return len(CHECKS)
