"""Subscribers for the tests of the hub: they keep what they get and can be slow."""

from __future__ import annotations

from typing import Any

import orjson

from fastws._core.line import Cork, Line
from tests.fakes import frames_of


class Reader:
    """A subscriber whose socket takes everything, or nothing while it is ``stuck``."""

    def __init__(self, id: str = "reader") -> None:
        self.id = id
        self.line = Line(Cork(lambda step: None), self._written)
        self.channels: list[str] = []
        self.ended: list[tuple[str, str, str]] = []
        self.stalls = 0
        self.broken = False
        self.accepted = 0
        self._frames: list[bytes] = []

    @property
    def frames(self) -> list[bytes]:
        """What was sent, in order; a test may clear the list."""
        self.line.flush()
        return self._frames

    @property
    def stuck(self) -> bool:
        return self.line.full

    @stuck.setter
    def stuck(self, stuck: bool) -> None:
        self.line.flush()
        self.line.full = stuck

    @property
    def writable(self) -> bool:
        return not self.stuck

    def push(self, frame: bytes, channel: str = "") -> None:
        if self.broken:
            raise ConnectionError("gone")
        assert not self.stuck, "nothing is queued for a full socket"
        self.line.send(frame)
        self.channels.append(channel)

    def _written(self, data: bytes) -> None:
        self._frames += [payload for _, payload in frames_of(data)]

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
