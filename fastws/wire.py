"""JSON on the wire: the envelope, the messages every endpoint knows, encoding and decoding.

The only room that knows the clients' JSON. Endpoints declare their own messages as
subclasses of `Message` beside the command that takes them; the tag is the command's name.
Source: wire.md A3 and part B.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import msgspec
import orjson
from msgspec import UNSET, Meta, Struct, UnsetType

from fastws.errors import Close, Code, WireError

__all__ = [
    "Envelope",
    "Limits",
    "Message",
    "Pause",
    "Ping",
    "Refresh",
    "Reply",
    "Since",
    "Subscribe",
    "Unsubscribe",
    "decode",
    "encode",
    "iso",
    "open_envelope",
]

MAX_ID_LENGTH = 64
"""Characters of the longest message ``id`` a client may use."""


class Message(Struct, kw_only=True):
    """Base of all client messages. Unknown fields are ignored: older clients send extras.

    ``id`` has been judged by `open_envelope` before a message is decoded.
    """

    id: Any = None


class Envelope(Message):
    """The two fields read before anything else is known about a message."""

    type: Any = UNSET


class Since(Struct):
    """Where a resuming client stands: ``offset`` of a stream or ``tick`` of a table."""

    epoch: Annotated[int, Meta(ge=0)]
    offset: Annotated[int, Meta(ge=0)] | UnsetType = UNSET
    tick: Annotated[int, Meta(ge=0)] | UnsetType = UNSET
    filter: Annotated[int, Meta(ge=0)] | UnsetType = UNSET


class Subscribe(Message):
    """``subscribe``: follow a channel, from now on or from where the client stopped."""

    channel: str
    format: str | UnsetType = UNSET
    rows: list[str] | UnsetType = UNSET
    new: list[str] | UnsetType = UNSET
    since: Since | UnsetType = UNSET
    max_rate_ms: Annotated[int, Meta(ge=0, le=60_000)] | UnsetType = UNSET
    accept: list[str] | UnsetType = UNSET


class Unsubscribe(Message):
    """``unsubscribe``: stop following a channel."""

    channel: str


class Pause(Message):
    """``pause`` / ``resume`` / ``resync``: stop, restart or renew a subscription's frames."""

    channel: str


class Ping(Message):
    """``ping``: answered by ``pong`` with the client's own timestamp."""

    timestamp: Any = UNSET


class Refresh(Message):
    """``refresh``: renew the identity on the open socket."""

    token: str


class Limits(Message):
    """``limits``: ask what is left in each bucket."""


class Reply:
    """A frame in the making: its ``type`` and fields. Whoever sends it adds the timestamp."""

    __slots__ = ("fields", "type")

    def __init__(self, type: str, /, **fields: Any) -> None:
        self.type = type
        self.fields = fields

    def __repr__(self) -> str:
        return f"Reply({self.type!r}, {self.fields!r})"


def iso(seconds: float) -> str:
    """ISO-8601 UTC with milliseconds and ``Z`` for a Unix time in seconds."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def encode(
    type: str,
    fields: dict[str, Any],
    now: float,
    *,
    channel: str | None = None,
    id: int | str | None = None,
) -> bytes:
    """One JSON frame: ``type``, ``fields``, then ``channel``, ``id`` and ``timestamp``.

    ``now`` is Unix seconds; a ``timestamp`` among the fields wins (``pong`` echoes one).
    """
    frame: dict[str, Any] = {"type": type, **fields}
    if channel is not None:
        frame["channel"] = channel
    if id is not None:
        frame["id"] = id
    frame.setdefault("timestamp", iso(now))
    return orjson.dumps(frame, option=orjson.OPT_NON_STR_KEYS, default=msgspec.to_builtins)


_FIELD = re.compile(r"at `\$\.(\w+)|missing required field `(\w+)`$")
"""Names the top-level field in msgspec's sentence."""

_M = TypeVar("_M", bound=Message)

_envelope = msgspec.json.Decoder(Envelope)
_decoders: dict[type[Message], msgspec.json.Decoder[Any]] = {}


def open_envelope(data: bytes | bytearray | memoryview) -> tuple[str, int | str | None]:
    """Read ``type`` and ``id`` of a client message.

    Raises `WireError` ``INVALID_MESSAGE`` (closes 1003) when it is no JSON object with a
    ``type``, ``INVALID_ID`` when the id is no integer or short string.
    """
    try:
        envelope = _envelope.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise WireError(
            Code.INVALID_MESSAGE, "Invalid message format", close=Close.UNSUPPORTED
        ) from None
    given = envelope.id
    if given is None:
        id_ = None
    elif (isinstance(given, int) and not isinstance(given, bool) and abs(given) < 2**53) or (
        isinstance(given, str) and len(given) <= MAX_ID_LENGTH
    ):
        id_ = given
    else:
        raise WireError(
            Code.INVALID_ID, f"id must be an integer or at most {MAX_ID_LENGTH} characters"
        )
    if not isinstance(envelope.type, str):
        raise WireError(Code.UNKNOWN_MESSAGE_TYPE, "Unknown message type: (none)", id=id_)
    return envelope.type, id_


def decode(kind: type[_M], data: bytes | bytearray | memoryview) -> _M:
    """Decode a message whose command is known; `WireError` says what is wrong and where."""
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind)
    try:
        return decoder.decode(data)  # type: ignore[no-any-return]
    except msgspec.ValidationError as error:
        text = str(error)
        found = _FIELD.search(text)
        field = next(filter(None, found.groups()), "") if found else ""
        raise WireError(Code.INVALID_PAYLOAD, text, field=field) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise WireError(
            Code.INVALID_MESSAGE, "Invalid message format", close=Close.UNSUPPORTED
        ) from None
