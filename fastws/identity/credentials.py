"""Identities, and where in a handshake a credential is found (wire.md A2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, Literal, NamedTuple

from msgspec import Struct

from fastws.errors import Code, Denied

__all__ = [
    "ANONYMOUS",
    "Author",
    "Credential",
    "Identity",
    "Role",
    "Source",
    "choose_subprotocol",
    "find_credential",
]

Source = Literal["header", "subprotocol", "cookie", "query"]


class Role(StrEnum):
    """What the database says of a user."""

    USER = "user"
    ADMIN = "admin"
    SUPERADMIN = "superadmin"

    @property
    def level(self) -> int:
        """Roles are ranked: a higher one may whatever a lower one may."""
        return _LEVELS[self]

    @property
    def is_admin(self) -> bool:
        """Admin or above."""
        return self is not Role.USER


_LEVELS: Final = {Role.USER: 1, Role.ADMIN: 2, Role.SUPERADMIN: 3}


class Identity(Struct, frozen=True):
    """Who a client is. ``expires_at`` is Unix seconds; ``source`` where the token was."""

    wallet: str | None = None
    role: Role | None = None
    nickname: str | None = None
    session_id: str | None = None
    expires_at: float | None = None
    source: str = "none"

    @property
    def authenticated(self) -> bool:
        """Whether this is somebody."""
        return self.wallet is not None


ANONYMOUS: Final = Identity()


class Author(NamedTuple):
    """Who changes something, as the audit keeps it."""

    wallet: str
    role: Role
    address: str | None = None
    user_agent: str | None = None

    @classmethod
    def of(cls, identity: Identity, address: str, user_agent: str) -> Author:
        """Who says something over a socket; `Denied` to nobody: no change is unnamed."""
        if identity.wallet is None or identity.role is None:
            raise Denied("This needs a login", Code.UNAUTHORIZED)
        return cls(identity.wallet, identity.role, address or None, user_agent or None)


class Credential(NamedTuple):
    """A token as found, before anybody has looked at it. Never logged."""

    source: Source
    token: str

    def __repr__(self) -> str:
        return f"Credential({self.source!r}, …)"


def find_credential(
    *,
    authorization: str | None,
    subprotocols: Sequence[str],
    cookies: Mapping[str, str],
    query_token: str | None,
) -> Credential | None:
    """The first credential in the order of safety; a bad one does not fall through.

    An ``Authorization`` of another scheme is no credential of ours: a browser sends what the
    password page of a proxy asked for with every handshake.
    """
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() == "bearer":
        return Credential("header", token.strip())
    for offered in subprotocols:
        if _looks_like_token(offered):
            return Credential("subprotocol", offered)
    if cookies.get("session"):
        return Credential("cookie", cookies["session"])
    if query_token:
        return Credential("query", query_token)
    return None


def choose_subprotocol(offered: Sequence[str]) -> str | None:
    """The entry to echo: the first that is no token, else the token; None if none offered.

    Browsers drop a connection whose offer is not answered.
    """
    for entry in offered:
        if not _looks_like_token(entry):
            return entry
    return offered[0] if offered else None


def _looks_like_token(entry: str) -> bool:
    return entry.count(".") == 2
