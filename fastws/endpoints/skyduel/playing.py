"""Controls, as JSON or as twelve bytes: judged, then handed to the seat.

The binary form goes from the socket to the player's `Stick` without a task or an endpoint between
them: eight hundred players send twenty-four thousand a second.
"""

from __future__ import annotations

import struct
import time
from typing import Annotated, Final

from msgspec import Meta

from fastws._core.stick import INPUT, INPUT_BYTES
from fastws.connection import Connection
from fastws.domain.skyduel.game import Controls
from fastws.endpoint import command
from fastws.endpoints.skyduel.matches import Matches
from fastws.errors import Close, Code, WireError
from fastws.wire import Message

__all__ = ["Playing", "pack"]

FORM: Final = struct.Struct("<BIIbbB")
"""Type, seq, t, throttle, turn, buttons."""


class Input(Message):
    """``input``: numbers beyond their range are taken as the end of the range, and counted."""

    seq: Annotated[int, Meta(ge=0, le=2**32 - 1)]
    t: Annotated[float, Meta(ge=0, le=2**53)] = 0
    throttle: float = 0.0
    turn: float = 0.0
    fire: bool = False


def pack(seq: int, t: int, controls: Controls) -> bytes:
    """The binary form."""
    return FORM.pack(
        INPUT, seq & 0xFFFFFFFF, t & 0xFFFFFFFF, controls.throttle, controls.turn, controls.fire
    )


class Playing(Matches):
    """The part that plays."""

    @command("input", invalid="INVALID_INPUT")
    async def input(self, conn: Connection, msg: Input) -> None:
        """What one does from the next step on; the state names the last ``seq``."""
        stick = self.seat(conn).stick
        throttle, turn = (round(min(max(one, -9), 9) * 127) for one in (msg.throttle, msg.turn))
        stick.put(time.monotonic(), msg.seq, int(msg.t), throttle, turn, msg.fire)

    async def binary(self, conn: Connection, data: bytes) -> None:
        """A binary message that was no input of a player."""
        if data[:1] != bytes([INPUT]):
            text = "Invalid message format"
            raise WireError(Code.INVALID_MESSAGE, text, close=Close.UNSUPPORTED)
        if self.seat(conn).stick.take(data):
            return
        raise WireError("INVALID_INPUT", f"A binary input has {INPUT_BYTES} bytes")
