"""Stand-ins that let an endpoint be tested without a network."""

from __future__ import annotations

from typing import Any

import orjson


class RecordingOutlet:
    """An outlet that keeps what is sent; ``stuck`` makes it behave like a full socket."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.closed: tuple[int, str] | None = None
        self.stuck = False
        self.held = 0
        self.reading = True
        self.rtt_ms = 0.0

    @property
    def pending(self) -> int:
        return self.held

    @property
    def writable(self) -> bool:
        return not self.held

    def send(self, data: bytes, binary: bool = False) -> None:
        assert self.closed is None, "nothing may be sent after close"
        self.frames.append(data)
        if self.stuck:
            self.held += len(data)

    def close(self, code: int, reason: str) -> None:
        assert self.closed is None, "closed twice"
        self.closed = (code, reason)

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def take(self) -> list[dict[str, Any]]:
        """The JSON frames since the last call."""
        frames = [orjson.loads(frame) for frame in self.frames]
        self.frames.clear()
        return frames
