"""Readable twins of the compiled rooms: slow, plain, and what they are compared with."""

from __future__ import annotations

import math


class Bucket:
    """A token bucket as one would explain it."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate = rate
        self.burst = burst
        self.level = burst
        self.at: float | None = None

    def _fill(self, now: float) -> None:
        if self.at is not None and now > self.at:
            self.level = min(self.burst, self.level + (now - self.at) * self.rate)
        self.at = now if self.at is None else max(self.at, now)

    def take(self, now: float, cost: float = 1.0) -> int:
        self._fill(now)
        if self.level >= cost:
            self.level -= cost
            return 0
        missing = min(cost, self.burst) - self.level
        return int(min(2e9, max(1, math.ceil(missing / self.rate * 1000))))

    def remaining(self, now: float) -> float:
        self._fill(now)
        return self.level

    def reset_ms(self, now: float) -> int:
        self._fill(now)
        return int(min(2e9, math.ceil((self.burst - self.level) / self.rate * 1000)))


class Table:
    """A table of plain dictionaries: every value of every tick is remembered."""

    def __init__(
        self,
        columns: list[str],
        empty: dict[str, object],
        keep: int = 4096,
        keep_seconds: float = 60.0,
    ) -> None:
        self.columns = columns
        self.empty = empty
        self.keep = keep
        self.keep_seconds = keep_seconds
        self.tick = 0
        self.floor = 0
        self.open: dict[str, dict[str, object]] = {}
        self.sealed: dict[str, dict[str, object]] = {}
        self.ticks: dict[str, dict[str, int]] = {}
        self.reborn: dict[str, None] = {}  # in the order of removal, which tombstones keep
        self.tombstones: list[tuple[int, float, str]] = []

    def add(self, key: str, values: dict[str, object]) -> None:
        if key in self.open:
            raise ValueError(key)
        self.open[key] = self.empty | values

    def remove(self, key: str) -> None:
        del self.open[key]
        if key in self.sealed:
            self.reborn[key] = None

    def set_row(self, key: str, values: dict[str, object]) -> None:
        self.open[key] |= values

    def seal(self, now: float) -> int:
        following = self.tick + 1
        moved = False
        for key in self.reborn:
            del self.sealed[key], self.ticks[key]
            self.tombstones.append((following, now, key))
            moved = True
        self.reborn.clear()
        for key, row in self.open.items():
            if key not in self.sealed:
                self.ticks[key] = dict.fromkeys(self.columns, following)
                moved = True
            for name, value in row.items():
                if key in self.sealed and not _same(self.sealed[key][name], value):
                    self.ticks[key][name] = following
                    moved = True
            self.sealed[key] = dict(row)
        if moved:
            self.tick = following
        while len(self.tombstones) > self.keep and now - self.tombstones[0][1] >= self.keep_seconds:
            self.floor = self.tombstones.pop(0)[0]
        return self.tick


def _same(one: object, other: object) -> bool:
    """Whether a cell did not change: a float does when its bits do (0.0 is not -0.0)."""
    return repr(one) == repr(other)


class Messages:
    """RFC 6455 sections 5.2 to 5.6, 7.4 and 8.1 for one connection, frame by frame."""

    def __init__(self, max_message: int, max_fragments: int) -> None:
        self.max_message = max_message
        self.max_fragments = max_fragments
        self.parts: list[bytes] | None = None
        self.kind = ""
        self.data = b""
        self.code = 0
        self.reason = ""

    @property
    def waiting(self) -> int:
        return sum(map(len, self.parts or ()))

    def feed(self, opcode: int, fin: bool, reserved: bool, payload: bytes) -> str:
        if reserved:
            return self._fail(1002, "Reserved bits without an extension")
        if opcode == 8:
            return self._close(payload)
        if opcode in (9, 10):
            self.data = payload
            return "ping" if opcode == 9 else "pong"
        if opcode > 2:
            return self._fail(1002, "Unknown opcode")
        if opcode == 0 and self.parts is None:
            return self._fail(1002, "A continuation of nothing")
        if opcode != 0 and self.parts is not None:
            return self._fail(1002, "A new message inside a fragmented one")
        if opcode != 0:
            self.parts, self.kind = [], "text" if opcode == 1 else "binary"
        assert self.parts is not None
        if self.waiting + len(payload) > self.max_message:
            return self._fail(1009, "Message too big")
        self.parts.append(payload)
        if len(self.parts) > self.max_fragments:
            return self._fail(1009, "Message in too many fragments")
        if not fin:
            return ""
        self.data, self.parts = b"".join(self.parts), None
        if self.kind == "text" and not _is_utf8(self.data):
            return self._fail(1007, "Invalid UTF-8")
        return self.kind

    def _close(self, payload: bytes) -> str:
        if not payload:
            self.code, self.reason = 1005, ""
            return "close"
        if len(payload) == 1:
            return self._fail(1002, "A close code of one byte")
        code = int.from_bytes(payload[:2], "big")
        if not (1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999):
            return self._fail(1002, "Invalid close code")
        if not _is_utf8(payload[2:]):
            return self._fail(1007, "Invalid UTF-8")
        self.code, self.reason = code, payload[2:].decode()
        return "close"

    def _fail(self, code: int, reason: str) -> str:
        self.parts = None
        self.code, self.reason = code, reason
        return "failure"


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
