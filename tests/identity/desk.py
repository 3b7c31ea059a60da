"""An authority over a real database, with a clock in the test's hand and a wallet to sign with."""

from __future__ import annotations

import time
from typing import Any

import structlog
from solders.keypair import Keypair

from fastws.config import AuthConfig
from fastws.identity import Authority, Tokens
from fastws.store.challenges import Challenges
from fastws.store.pool import Database
from fastws.store.sessions import RevokedSessions
from fastws.store.users import Users
from tests.identity.forge import SECRET


class Clock:
    """Unix seconds that pass when told to."""

    def __init__(self) -> None:
        # Of today, since PostgreSQL compares with its own clock what it keeps of ours.
        self.now = float(int(time.time()))

    def __call__(self) -> float:
        return self.now


class Desk:
    """What the tests of the login need at hand."""

    def __init__(self, database: Database, **auth: Any) -> None:
        self.clock = Clock()
        self.auth = AuthConfig(jwt_secret=SECRET, **auth)
        self.tokens = Tokens(self.auth, self.clock)
        self.users = Users(database)
        self.challenges = Challenges(database)
        self.revoked = RevokedSessions(database)
        self.announced: list[str] = []
        self.authority = Authority(
            self.auth,
            self.tokens,
            self.users,
            self.challenges,
            self.revoked,
            self.clock,
            self._announce,
        )

    async def _announce(self, session_id: str) -> None:
        self.announced.append(session_id)

    async def request(self, key: Keypair, **changes: Any) -> dict[str, Any]:
        """A good verify-wallet request of a fresh challenge, but for ``changes``."""
        return signed(key, await self.authority.challenge(str(key.pubkey()))) | changes


def signed(key: Keypair, nonce: str, text: str = "Sign in\nNonce: {}\nThank you") -> dict[str, Any]:
    """What a wallet sends, signed by solders."""
    message = text.format(nonce)
    signature = list(bytes(key.sign_message(message.encode())))
    return {"wallet": str(key.pubkey()), "signature": signature, "message": message}


class Lines:
    """The log lines of a test."""

    def __init__(self) -> None:
        self.captured = structlog.testing.LogCapture()

    def of(self, event: str) -> list[dict[str, Any]]:
        return [dict(line) for line in self.captured.entries if line["event"] == event]

    def __str__(self) -> str:
        return repr(self.captured.entries)
