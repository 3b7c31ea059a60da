"""The authority: verifies credentials against the database and runs the wallet login.

It asks three small stores (users, challenges, revoked sessions) and keeps one set in memory,
the session ids revoked lately, so that a revocation made anywhere takes effect here.
"""

from __future__ import annotations

import re
import secrets
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, Protocol

import base58
import structlog
from msgspec import Struct
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from fastws.config import AuthConfig
from fastws.errors import AuthError, Code, StoreUnavailable, WireError
from fastws.identity.credentials import Credential, Identity, Role
from fastws.identity.tokens import Claims, Tokens
from fastws.store.challenges import Challenges
from fastws.store.sessions import RevokedSessions
from fastws.store.users import User, Users

__all__ = ["Authority", "Login"]

log = structlog.get_logger()

_NONCE_LINE: Final = re.compile(r"^Nonce:[ \t]*(\S+)[ \t]*\r?$", re.MULTILINE)

_WALLET: Final = re.compile(r"[!-~]{1,64}")
"""What may be a wallet; whether it is a key is another question.

PostgreSQL refuses a NUL, and base58 skips white space: one key would be several users.
"""


class Login(Struct, frozen=True):
    """A finished login: the user and the value of the session cookie."""

    user: User
    session: str
    session_id: str


class Announce(Protocol):
    """Tells all processes that a session id is revoked."""

    async def __call__(self, session_id: str) -> None: ...


class Authority:
    """Who is it? Raises `AuthError` with the client's text and a reason for the log."""

    def __init__(
        self,
        auth: AuthConfig,
        tokens: Tokens,
        users: Users,
        challenges: Challenges,
        revoked: RevokedSessions,
        clock: Callable[[], float],
        announce: Announce,
    ) -> None:
        self._auth = auth
        self._tokens = tokens
        self._users = users
        self._challenges = challenges
        self._revoked = revoked
        self._clock = clock
        self._announce = announce
        self.results: Counter[tuple[str, str]] = Counter()  # (source, outcome) → count

    # ── sockets ─────────────────────────────────────────────────────────────────────────

    async def identify(self, credential: Credential) -> Identity:
        """The identity behind a socket's credential; the role is the database's."""
        source = credential.source
        if source == "query":
            log.warning("auth.query_token", hint="tokens in URLs end up in access logs")
        try:
            if source == "cookie":
                claims = self._tokens.verify_session(credential.token)
            else:
                claims = self._tokens.verify_socket(credential.token)
            user = await self._user_of(claims)
        except AuthError as error:
            self._count(source, error.reason)
            log.info("auth.failed", source=source, reason=error.reason)
            raise
        except StoreUnavailable:
            self._count(source, "unavailable")
            raise
        self._count(source, "legacy" if claims.legacy else "ok")
        log.info("auth.succeeded", source=source, wallet=user.wallet, role=user.role)
        return _identity(claims, user, source)

    def ended(self, identity: Identity) -> bool:
        """Whether its session was revoked since it was identified, as far as is known here.

        To be asked once more when a connection is registered: one that was identified just
        before a logout and registered just after would be closed by nobody.
        """
        return identity.session_id is not None and self._revoked.known(identity.session_id)

    async def refresh(self, identity: Identity, token: str) -> Identity:
        """A newer token for the same wallet on an open socket; `WireError` if it is none."""
        try:
            claims = self._tokens.verify_socket(token)
            user = await self._user_of(claims)
            if user.wallet != identity.wallet:
                raise AuthError("Token of another wallet", "other_wallet")
        except AuthError as error:
            self._count("refresh", error.reason)
            log.info("auth.failed", source="refresh", reason=error.reason, wallet=identity.wallet)
            raise WireError(Code.INVALID_TOKEN, error.text) from None
        self._count("refresh", "ok")
        return _identity(claims, user, identity.source)

    async def _user_of(self, claims: Claims) -> User:
        if claims.session_id and await self._revoked.is_revoked(claims.session_id):
            raise AuthError("Session revoked", "revoked")
        user = await self._users.get(claims.wallet)
        if user is None:
            raise AuthError("User not found", "no_user")
        return user

    def _count(self, source: str, outcome: str) -> None:
        self.results[source, outcome] += 1

    # ── the wallet login (wire.md A1) ───────────────────────────────────────────────────

    async def challenge(self, wallet: str) -> str:
        """A fresh nonce for ``wallet``; it replaces an older one."""
        if not wallet:
            raise AuthError("Missing wallet address", "no_wallet", 400)
        if _WALLET.fullmatch(wallet) is None:  # whether it is a key is verify-wallet's matter
            raise AuthError("Invalid wallet address", "bad_wallet", 400)
        nonce = secrets.token_hex(16)
        await self._challenges.put(wallet, nonce, self._clock() + self._auth.challenge_seconds)
        return nonce

    async def verify_wallet(self, request: dict[str, Any]) -> Login:
        """Check a signed challenge, in the documented order; `AuthError` has the text."""
        try:
            login = await self._verify_wallet(request)
        except AuthError as error:
            self._count("wallet", error.reason)
            log.info("auth.failed", source="wallet", reason=error.reason)
            raise
        self._count("wallet", "ok")
        log.info("auth.login", wallet=login.user.wallet, role=login.user.role)
        return login

    async def _verify_wallet(self, request: dict[str, Any]) -> Login:
        wallet, message = request.get("wallet"), request.get("message")
        signature = request.get("signature")
        if not wallet or not message or signature is None:
            raise AuthError("Missing required fields", "missing_field", 400)
        if not _is_signature(signature):
            text = "Signature must be a 64-byte array"
            raise AuthError(text, "bad_signature_shape", 400)
        if not isinstance(wallet, str) or not isinstance(message, str):
            raise AuthError("Missing required fields", "missing_field", 400)
        known = _WALLET.fullmatch(wallet) is not None
        challenge = await self._challenges.get(wallet) if known else None
        if challenge is None:
            raise AuthError("Nonce not found or expired", "no_nonce")
        nonce, expires_at = challenge
        if expires_at <= self._clock():
            raise AuthError("Nonce expired", "nonce_expired")
        line = _NONCE_LINE.search(message)
        if line is None:
            raise AuthError("Message missing nonce line", "no_nonce_line", 400)
        if not secrets.compare_digest(line[1].encode("utf-8", "replace"), nonce.encode()):
            raise AuthError("Nonce mismatch in message", "nonce_mismatch")
        key = _key(wallet)
        if key is None:
            raise AuthError("Invalid wallet address", "bad_wallet", 400)
        if not _signed(key, message, bytes(signature)):
            raise AuthError("Invalid signature", "bad_signature")
        if not await self._challenges.consume(wallet, nonce):
            raise AuthError("Nonce not found or expired", "no_nonce")
        return await self.log_in(wallet)

    async def log_in(self, wallet: str) -> Login:
        """A session for a wallet already proven (or by the development door)."""
        user = await self._users.create_or_touch(wallet)
        if user is None:
            raise AuthError("User not found", "banned")
        session_id = secrets.token_hex(16)
        session = self._tokens.mint_session(user.wallet, user.role, session_id)
        return Login(user, session, session_id)

    async def session(self, cookie: str | None) -> tuple[User, Claims]:
        """The user of a session cookie, as the auth routes answer it."""
        if not cookie:
            raise AuthError("No session token provided", "no_session")
        claims = self._tokens.verify_session(cookie)
        if await self._revoked.is_revoked(claims.session_id or ""):
            raise AuthError("Invalid session", "revoked")
        user = await self._users.get(claims.wallet)
        if user is None:
            raise AuthError("User not found", "no_user")
        return user, claims

    def socket_token(self, user: User, claims: Claims) -> str:
        """A WebSocket token of that session."""
        return self._tokens.mint_socket(user.wallet, user.role, claims.session_id)

    async def log_out(self, cookie: str | None) -> None:
        """Revoke the session of a cookie and close its sockets; a bad cookie is ignored."""
        try:
            claims = self._tokens.verify_session(cookie or "")
        except AuthError:
            return
        await self.revoke(claims.session_id or "", claims.expires_at)

    async def revoke(self, session_id: str, until: float) -> None:
        """Refuse a session id from now on, and close its sockets everywhere.

        ``until`` (Unix seconds) is when its last token has expired by itself.
        """
        longest = max(self._auth.token_seconds, self._auth.session_seconds)
        try:
            await self._revoked.revoke(session_id, max(until, self._clock() + longest))
        finally:  # its sockets end even while the database is away
            await self._announce(session_id)


def _identity(claims: Claims, user: User, source: str) -> Identity:
    return Identity(
        wallet=user.wallet,
        role=Role(user.role),
        nickname=user.nickname,
        session_id=claims.session_id,
        expires_at=claims.expires_at,
        source=source,
    )


def _is_signature(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 64
        and all(type(byte) is int and 0 <= byte <= 255 for byte in value)
    )


def _key(wallet: str) -> bytes | None:
    try:
        key = base58.b58decode(wallet)
    except ValueError:
        return None
    return key if len(key) == 32 else None


def _signed(key: bytes, message: str, signature: bytes) -> bool:
    """Ed25519 by libsodium, which refuses small-order keys (others accept forgeries)."""
    try:
        VerifyKey(key).verify(message.encode(), signature)
    except (BadSignatureError, ValueError):
        return False
    return True
