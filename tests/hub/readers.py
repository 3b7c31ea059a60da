"""Subscribers for the tests of the hub: they keep what they get and can be slow."""

from __future__ import annotations

from typing import Any

import orjson

from fastws._core.line import Cork, Line


class Reader:
    """A subscriber whose socket takes everything, or nothing while it is ``stuck``."""

    def __init__(self, id: str = "reader") -> None:
        self.id = id
        self.frames: list[bytes] = []
        self.channels: list[str] = []
        self.ended: list[tuple[str, str, str]] = []
        self.stalls = 0
        self.stuck = False
        self.broken = False
        self.accepted = 0
        self.written = bytearray()
        self.line = Line(Cork(lambda step: None), self.written.extend)

    @property
    def writable(self) -> bool:
        return not self.stuck

    def push(self, frame: bytes, channel: str = "") -> None:
        if self.broken:
            raise ConnectionError("gone")
        assert not self.stuck, "nothing is queued for a full socket"
        self.frames.append(frame)
        self.channels.append(channel)

    def subscription_ended(self, channel: str, code: str, message: str) -> None:
        self.ended.append((channel, code, message))

    def stalled(self) -> None:
        self.stalls += 1

    def take(self) -> list[dict[str, Any]]:
        """The frames since the last call."""
        frames = [orjson.loads(frame) for frame in self.frames]
        self.frames.clear()
        return frames

    def numbers(self) -> list[int]:
        """The ``n`` of the messages since the last call; a gap is an error."""
        return [frame["n"] for frame in self.take()]
