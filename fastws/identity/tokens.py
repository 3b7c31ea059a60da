"""The two kinds of JWT (wire.md A1): the session cookie and the WebSocket token.

One secret, one algorithm, two audiences. What PyJWT leaves open is closed here: the life of
a token is bounded, times are numbers, claims have types (it accepts ``exp`` as a string or
as 10^30).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from typing import Any, Final, Literal, TypeGuard

import jwt
from msgspec import Struct

from fastws.config import AuthConfig
from fastws.errors import AuthError

__all__ = ["Claims", "Tokens"]

ALGORITHM: Final = "HS256"
LEEWAY: Final = 5.0
"""Seconds by which another server's clock may be ahead of ours."""

LONGEST: Final = 4096
"""Characters of the longest token that is looked at at all."""

_HEADER = {"alg", "typ"}

# PyJWT takes padding, too, which would be a second spelling of every token.
_SHAPE: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")

_NAME: Final = re.compile(r"[!-~]{1,64}")
"""A wallet or session id: what fits its column (PostgreSQL refuses a NUL with an error)."""


def _is_name(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


class Claims(Struct, frozen=True):
    """What a verified token says. Times are Unix seconds."""

    wallet: str
    session_id: str | None
    issued_at: float
    expires_at: float
    legacy: bool = False


class Tokens:
    """Mints and verifies tokens. Knows no database: who the wallet is now is not its matter."""

    def __init__(self, auth: AuthConfig, clock: Callable[[], float]) -> None:
        if len(auth.jwt_secret.encode()) < 32:
            raise ValueError("the secret has fewer than 32 bytes")
        self._auth = auth
        self._clock = clock

    def mint_session(self, wallet: str, role: str, session_id: str) -> str:
        """The value of the ``session`` cookie."""
        return self._mint("session", wallet, role, session_id, self._auth.session_seconds)

    def mint_socket(self, wallet: str, role: str, session_id: str | None) -> str:
        """A token for WebSockets, good for ``auth.token_seconds``."""
        seconds = self._auth.token_seconds
        return self._mint("ws", wallet, role, session_id, seconds, jti=secrets.token_hex(16))

    def _mint(
        self, audience: str, wallet: str, role: str, session_id: str | None, life: int, **more: Any
    ) -> str:
        now = int(self._clock())
        claims = {
            "aud": audience,
            "wallet_address": wallet,
            "role": role,
            "session_id": session_id,
            "iat": now,
            "exp": now + life,
            **more,
        }
        return jwt.encode(claims, self._auth.jwt_secret, algorithm=ALGORITHM)

    def verify_session(self, token: str) -> Claims:
        """Claims of a session cookie; `AuthError` (``Invalid session``) if it is none."""
        return self._verify(token, "session", self._auth.session_seconds, "Invalid session")

    def verify_socket(self, token: str) -> Claims:
        """Claims of a WebSocket token; `AuthError` (``Invalid token``) if it is none."""
        longest = max(self._auth.token_seconds, self._auth.session_seconds)
        return self._verify(token, "ws", longest, "Invalid token")

    def _verify(
        self, token: str, audience: Literal["ws", "session"], longest: float, text: str
    ) -> Claims:
        payload = self._decode(token, text)
        found = payload.get("aud")
        legacy = "aud" not in payload
        if legacy and (audience != "ws" or not self._auth.accept_legacy_tokens):
            raise AuthError(text, "no_audience")
        if not legacy and found != audience:
            raise AuthError(text, "wrong_audience")
        issued, expires = payload.get("iat"), payload.get("exp")
        if not _is_time(issued) or not _is_time(expires):
            raise AuthError(text, "bad_times")
        now = self._clock()
        if expires <= now:
            raise AuthError(text, "expired")
        if issued > now + LEEWAY or not 0 < expires - issued <= longest + LEEWAY:
            raise AuthError(text, "bad_times")
        not_before = payload.get("nbf", 0)
        if not _is_time(not_before) or not_before > now + LEEWAY:
            raise AuthError(text, "bad_times")
        wallet, session = payload.get("wallet_address"), payload.get("session_id")
        if not _is_name(wallet) or not (session is None or _is_name(session)):
            raise AuthError(text, "bad_claims")
        if audience == "session" and session is None:
            raise AuthError(text, "bad_claims")
        return Claims(wallet, session, issued, expires, legacy)

    def _decode(self, token: str, text: str) -> dict[str, Any]:
        if len(token) > LONGEST or _SHAPE.fullmatch(token) is None:
            raise AuthError(text, "malformed")
        try:
            if not set(jwt.get_unverified_header(token)) <= _HEADER:
                raise AuthError(text, "strange_header")
            return dict(
                jwt.decode(
                    token,
                    self._auth.jwt_secret,
                    algorithms=[ALGORITHM],
                    options={
                        "require": ["exp", "iat"],
                        "verify_aud": False,
                        "verify_exp": False,
                        "verify_iat": False,
                        "verify_nbf": False,
                        "verify_sub": False,
                        "verify_jti": False,
                    },
                )
            )
        except jwt.InvalidSignatureError:
            raise AuthError(text, "bad_signature") from None
        except (jwt.InvalidAlgorithmError, jwt.InvalidKeyError):
            raise AuthError(text, "wrong_algorithm") from None
        except jwt.MissingRequiredClaimError:
            raise AuthError(text, "bad_times") from None
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise AuthError(text, "malformed") from None


def _is_time(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**40
