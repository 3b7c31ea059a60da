"""The login routes of wire.md A1: their paths, their cookie, their limit per address."""

from __future__ import annotations

import secrets
from typing import Any, Final

import structlog
from aiohttp import web

from fastws._core.limiter import Buckets
from fastws.errors import AuthError
from fastws.identity import Login
from fastws.identity.addresses import address_key, parse_address
from fastws.pages.answers import AUTH_BODY, json, limited, read_object, world
from fastws.pages.deps import Deps
from fastws.store.users import User

__all__ = ["COOKIE", "Auth", "same"]

log = structlog.get_logger()

COOKIE: Final = "session"


class Auth:
    """The routes under ``/api/auth/``."""

    def __init__(self, deps: Deps) -> None:
        self._auth = deps.auth
        self._authority = deps.authority
        per_minute = deps.auth.requests_per_minute
        self._buckets = Buckets(per_minute / 60, per_minute)
        self._dev_login_exists = deps.development and bool(deps.auth.dev_login_secret)

    def routes(self) -> list[web.RouteDef]:
        """All there are in this environment."""
        found = [
            web.get("/api/auth/challenge", self.challenge),
            web.post("/api/auth/verify-wallet", self.verify_wallet),
            web.get("/api/auth/token", self.token),
            web.get("/api/auth/session", self.session),
            web.get("/api/auth/status", self.status),
            web.post("/api/auth/logout", self.logout),
        ]
        if self._dev_login_exists:
            found.append(web.post("/api/auth/dev-login", self.dev_login))
        return found

    def charge(self, request: web.Request) -> None:
        """Take one request from the address's bucket, or raise 429."""
        deps = world(request)
        key = address_key(deps.peer_of(request).address)
        limited(self._buckets.take(key, deps.clock()))

    # ── the wallet login ────────────────────────────────────────────────────────────────

    async def challenge(self, request: web.Request) -> web.Response:
        """A nonce for a wallet to sign."""
        self.charge(request)
        return json({"nonce": await self._authority.challenge(request.query.get("wallet", ""))})

    async def verify_wallet(self, request: web.Request) -> web.Response:
        """A signed nonce becomes a session."""
        self.charge(request)
        body = await read_object(request, AUTH_BODY)
        return self._logged_in(request, await self._authority.verify_wallet(body))

    async def dev_login(self, request: web.Request) -> web.Response:
        """A session without a wallet: for development, from this machine only."""
        if not _is_local(request):
            raise web.HTTPNotFound
        self.charge(request)
        body = await read_object(request, AUTH_BODY)
        given, wallet = body.get("secret"), body.get("wallet_address")
        expected = self._auth.dev_login_secret
        if not isinstance(given, str) or not same(given, expected):
            log.warning("auth.failed", source="dev_login", reason="bad_secret")
            raise AuthError("Invalid secret", "bad_secret")
        if not isinstance(wallet, str) or not wallet:
            raise AuthError("Missing wallet address", "no_wallet", 400)
        if not (wallet.isascii() and wallet.isalnum() and len(wallet) <= 64):
            raise AuthError("Invalid wallet address", "bad_wallet", 400)
        login = await self._authority.log_in(wallet)
        log.info("auth.dev_login", wallet=wallet, role=login.user.role)
        return self._logged_in(request, login)

    def _logged_in(self, request: web.Request, login: Login) -> web.Response:
        answer = json({"verified": True, "user": _public(login.user), "device": None})
        self._set_cookie(request, answer, login.session, self._auth.session_seconds)
        return answer

    def _set_cookie(
        self, request: web.Request, answer: web.Response, value: str, seconds: int
    ) -> None:
        secure = world(request).peer_of(request).secure
        answer.set_cookie(
            COOKIE,
            value,
            domain=self._auth.cookie_domain or None,
            max_age=seconds,
            path="/",
            secure=secure,
            httponly=True,
            # Without TLS a browser takes no SameSite=None, so another site's page stays out.
            samesite="None" if secure else "Lax",
        )

    # ── the session ─────────────────────────────────────────────────────────────────────

    async def token(self, request: web.Request) -> web.Response:
        """A WebSocket token of the session."""
        self.charge(request)
        user, claims = await self._authority.session(request.cookies.get(COOKIE))
        token = self._authority.socket_token(user, claims)
        return json({"token": token, "expiresIn": self._auth.token_seconds})

    async def session(self, request: web.Request) -> web.Response:
        """Whose session it is; 401 if there is none."""
        self.charge(request)
        user, _ = await self._authority.session(request.cookies.get(COOKIE))
        return json({"authenticated": True, "user": _public(user)})

    async def status(self, request: web.Request) -> web.Response:
        """The same question for pages that poll: 200 whatever the answer."""
        self.charge(request)
        try:
            user, _ = await self._authority.session(request.cookies.get(COOKIE))
        except AuthError:
            return json({"authenticated": False, "user": None})
        return json({"authenticated": True, "user": _public(user)})

    async def logout(self, request: web.Request) -> web.Response:
        """End the session here and on every socket."""
        self.charge(request)
        await self._authority.log_out(request.cookies.get(COOKIE))
        answer = json({"success": True})
        self._set_cookie(request, answer, "", 0)
        return answer


def same(given: str, expected: str) -> bool:
    """Equality in constant time, for any text a header may hold."""
    return secrets.compare_digest(
        given.encode("utf-8", "surrogateescape"), expected.encode("utf-8", "surrogateescape")
    )


def _public(user: User) -> dict[str, Any]:
    return {"wallet_address": user.wallet, "role": user.role, "nickname": user.nickname}


def _is_local(request: web.Request) -> bool:
    """Whether it comes from this machine itself, not through a proxy on it."""
    if any(name in request.headers for name in ("Forwarded", "X-Forwarded-For", "X-Real-IP")):
        return False
    address = parse_address(world(request).peer_of(request).address)
    return address is not None and address.is_loopback
