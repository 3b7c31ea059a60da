"""Every way fastws says no: exceptions, error codes of the wire and close codes.

This room owns the vocabulary of failure. It knows no sockets, no JSON and no endpoints; the
documentation page and the browser client's constants are generated from the tables below.

    FastwsError
    ├── StartError          the process cannot start; one sentence and an exit code
    │   └── ConfigError     … because of its configuration
    ├── WireError           a client's message cannot be honoured; becomes an ``error`` frame
    │   └── Denied          … because of who asks
    ├── AuthError           a credential is refused; becomes 401 or an anonymous connection
    └── Unavailable         a dependency of ours is away; the caller may try again
        └── StoreUnavailable
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, Literal, NamedTuple

__all__ = [
    "CLOSE_CODES",
    "AuthError",
    "Close",
    "CloseCode",
    "Code",
    "ConfigError",
    "Denied",
    "FastwsError",
    "StartError",
    "StoreUnavailable",
    "Unavailable",
    "WireError",
]


class Code(StrEnum):
    """Codes of ``error`` frames that every endpoint shares (an endpoint may add its own)."""

    UNAUTHORIZED = "UNAUTHORIZED"
    INVALID_MESSAGE = "INVALID_MESSAGE"
    UNKNOWN_MESSAGE_TYPE = "UNKNOWN_MESSAGE_TYPE"
    INVALID_SUBSCRIPTION = "INVALID_SUBSCRIPTION"
    INVALID_UNSUBSCRIPTION = "INVALID_UNSUBSCRIPTION"
    SUBSCRIPTION_DENIED = "SUBSCRIPTION_DENIED"
    UNKNOWN_CHANNEL = "UNKNOWN_CHANNEL"
    INVALID_PAYLOAD = "INVALID_PAYLOAD"
    RATE_LIMIT_EXCEEDED = "RATE_LIMIT_EXCEEDED"
    MESSAGE_PROCESSING_ERROR = "MESSAGE_PROCESSING_ERROR"
    INVALID_ID = "INVALID_ID"
    INVALID_SINCE = "INVALID_SINCE"
    UNKNOWN_FORMAT = "UNKNOWN_FORMAT"
    TOO_MANY_ROWS = "TOO_MANY_ROWS"
    TOO_MANY_CHANNELS = "TOO_MANY_CHANNELS"
    NOT_SUBSCRIBED = "NOT_SUBSCRIBED"
    SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE"
    INVALID_TOKEN = "INVALID_TOKEN"  # noqa: S105 - the name of an error, not a secret


Action = Literal["done", "reconnect", "reconnect_later", "fall_back", "new_token", "stop"]


class CloseCode(NamedTuple):
    """One way a connection ends: what the client reads and what it should do next."""

    code: int
    reason: str
    action: Action
    meaning: str


class Close:
    """The close codes fastws sends (``CLOSE_CODES`` lists them for docs and clients)."""

    NORMAL: Final = CloseCode(1000, "", "done", "The conversation is over.")
    GOING_AWAY: Final = CloseCode(
        1001, "Server shutting down", "reconnect", "The server stopped without a drain."
    )
    PROTOCOL_ERROR: Final = CloseCode(
        1002, "Protocol error", "stop", "The client broke RFC 6455; it would break it again."
    )
    UNSUPPORTED: Final = CloseCode(
        1003, "Invalid message format", "stop", "The message was not a JSON object."
    )
    INVALID_TEXT: Final = CloseCode(1007, "Invalid UTF-8", "stop", "A text message was not UTF-8.")
    RATE_LIMIT: Final = CloseCode(
        1008,
        "Message rate limit exceeded",
        "reconnect_later",
        "The client went on after RATE_LIMIT_EXCEEDED.",
    )
    HEARTBEAT: Final = CloseCode(
        1008, "Heartbeat timeout", "reconnect", "Nothing was heard and nothing was accepted."
    )
    TOO_BIG: Final = CloseCode(
        1009, "Message too big", "stop", "The message exceeds the endpoint's limit."
    )
    INTERNAL: Final = CloseCode(
        1011, "Internal error", "reconnect_later", "A fault of the server; it is logged there."
    )
    RESTART: Final = CloseCode(
        1012, "Service restart", "reconnect", "A planned drain, announced by a drain message."
    )
    TRY_LATER: Final = CloseCode(
        1013, "Try again later", "reconnect_later", "The server cannot tell who asks right now."
    )
    UNAUTHORIZED: Final = CloseCode(
        4001, "Authentication required", "new_token", "The endpoint needs a valid token."
    )
    FORBIDDEN: Final = CloseCode(
        4003, "Forbidden", "stop", "This identity may not use the endpoint."
    )
    TOKEN_EXPIRED: Final = CloseCode(
        4401, "Token expired", "new_token", "Fetch a new token, then connect again."
    )
    SESSION_REVOKED: Final = CloseCode(
        4401, "Session revoked", "new_token", "The user logged out; log in again."
    )
    WITHDRAWN: Final = CloseCode(
        4403, "Access withdrawn", "stop", "The user is banned or lost the role."
    )
    TOO_MANY: Final = CloseCode(
        4409, "Too many connections", "stop", "The user has too many connections open."
    )
    SWITCHED_OFF: Final = CloseCode(
        4503, "Endpoint switched off", "fall_back", "Use the older URL if there is one."
    )
    BACKLOG: Final = CloseCode(
        4508, "Stream backlog exceeded", "reconnect", "The client did not read its streams."
    )
    LIMITS_IGNORED: Final = CloseCode(
        4529, "Limits ignored", "reconnect_later", "The client kept on hitting its limits."
    )


CLOSE_CODES: Final[tuple[CloseCode, ...]] = tuple(
    value for value in vars(Close).values() if isinstance(value, CloseCode)
)


class FastwsError(Exception):
    """Root of everything fastws raises on purpose."""


class StartError(FastwsError):
    """The process cannot start. ``str()`` is one sentence for the operator."""

    exit_code = 1

    def __init__(self, sentence: str, exit_code: int | None = None) -> None:
        super().__init__(sentence)
        if exit_code is not None:
            self.exit_code = exit_code


class ConfigError(StartError):
    """The configuration is wrong: names the setting and what it should be."""

    exit_code = 2


class WireError(FastwsError):
    """A message that cannot be honoured; the endpoint turns it into an ``error`` frame.

    ``message`` is read by the client's developer: say what to do, never inner text.
    ``fields`` are added to the frame (``retry_after_ms`` …); ``close`` ends the connection.
    """

    def __init__(
        self, code: str, message: str, *, close: CloseCode | None = None, **fields: Any
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.close = close
        self.fields = fields


class Denied(WireError):
    """The identity may not do this."""

    def __init__(
        self,
        message: str = "You do not have access to this channel",
        code: str = Code.SUBSCRIPTION_DENIED,
    ) -> None:
        super().__init__(code, message)


class AuthError(FastwsError):
    """A credential is refused. ``text`` goes to the client, ``reason`` to logs and metrics."""

    def __init__(self, text: str, reason: str, status: int = 401) -> None:
        super().__init__(text)
        self.text = text
        self.reason = reason
        self.status = status


class Unavailable(FastwsError):
    """A dependency of the server is away; nothing was done."""


class StoreUnavailable(Unavailable):
    """PostgreSQL does not answer (refused, timed out, or being recovered)."""
