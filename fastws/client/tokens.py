"""A WebSocket token from the server's login routes (wire.md A1)."""

from __future__ import annotations

from typing import Any, NamedTuple

import aiohttp
import orjson

from fastws.client.failures import NoToken, Unreachable

__all__ = ["Token", "fetch_token", "reason"]

SECONDS = aiohttp.ClientTimeout(total=10)


class Token(NamedTuple):
    """A token, the seconds it is good for, and the session cookie it came from."""

    token: str
    expires_in: float
    cookie: str


async def fetch_token(
    base_url: str,
    *,
    cookie: str | None = None,
    dev_secret: str | None = None,
    wallet: str = "",
) -> Token:
    """A token of the session ``cookie``, or of ``wallet`` through the development door.

    Raises `NoToken` with the server's own words, `Unreachable` when nobody answers.
    """
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), timeout=SECONDS) as http:
        try:
            if dev_secret is not None:
                cookie = await _dev_login(http, base_url, dev_secret, wallet)
            headers = {"Cookie": f"session={cookie}"} if cookie else {}
            url = f"{base_url}/api/auth/token"
            async with http.get(url, headers=headers, allow_redirects=False) as answer:
                found = await _object(answer)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(f"{base_url} does not answer: {reason(error)}") from None
    token, expires = found.get("token"), found.get("expiresIn")
    if not isinstance(token, str) or not isinstance(expires, int | float):
        raise NoToken(0, "what answers is not the token route of a fastws server")
    return Token(token, expires, cookie or "")


async def _dev_login(http: aiohttp.ClientSession, base: str, secret: str, wallet: str) -> str:
    body = {"secret": secret, "wallet_address": wallet}
    url = f"{base}/api/auth/dev-login"
    async with http.post(url, json=body, allow_redirects=False) as answer:
        await _object(answer)
        cookie = answer.cookies.get("session")
    if cookie is None:
        raise NoToken(0, "the login gave no session cookie")
    return cookie.value


async def _object(answer: aiohttp.ClientResponse) -> dict[str, Any]:
    body = await answer.content.read(64 * 1024)
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    if answer.status != 200:
        text = found.get("error") if isinstance(found, dict) else None
        raise NoToken(answer.status, str(text or answer.reason))
    if not isinstance(found, dict):
        raise NoToken(0, "what answers is not the token route of a fastws server")
    return found


def reason(error: BaseException) -> str:
    """A few words for a network error."""
    if isinstance(error, TimeoutError):
        return "it took too long"
    found: BaseException | None = getattr(error, "os_error", None) or error
    text = getattr(found, "strerror", None) or str(found).partition("\n")[0]
    return text or type(error).__name__
