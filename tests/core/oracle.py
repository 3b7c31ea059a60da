"""Readable twins of the compiled rooms: slow, plain, and what they are compared with."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

from fastws._core import arena
from fastws.client.frames import Change, Columns, Frame
from fastws.client.tables import TableCopy


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

    def wait(self, now: float, cost: float = 1.0) -> int:
        self._fill(now)
        missing = min(cost, self.burst) - self.level
        if missing <= 0:
            return 0
        return int(min(2e9, max(1, math.ceil(missing / self.rate * 1000))))

    def take(self, now: float, cost: float = 1.0) -> int:
        wait = self.wait(now, cost)
        if not wait:
            self.level -= min(cost, self.burst)
        return wait

    def remaining(self, now: float) -> float:
        self._fill(now)
        return self.level

    def reset_ms(self, now: float) -> int:
        self._fill(now)
        return int(min(2e9, math.ceil((self.burst - self.level) / self.rate * 1000)))


def take_all(buckets: Sequence[Bucket], now: float, cost: float = 1.0) -> int:
    """All or none; the place of the bucket that makes one wait longest, or -1."""
    waits = [bucket.wait(now, cost) for bucket in buckets]
    if any(waits):
        return waits.index(max(waits))
    for bucket in buckets:
        bucket.take(now, cost)
    return -1


class Table:
    """A table of plain dictionaries. ``bugs`` are traps it is to fall into: tests of tests."""

    def __init__(
        self,
        columns: list[str],
        empty: dict[str, Any],
        keep: int = 4096,
        keep_seconds: float = 60.0,
        epoch: int = 1,
        bugs: frozenset[str] = frozenset(),
    ) -> None:
        self.columns = columns
        self.empty = empty
        self.keep = keep
        self.keep_seconds = keep_seconds
        self.epoch = epoch
        self.bugs = bugs
        self.tick = self.previous = self.floor = 0
        self.open: dict[str, dict[str, Any]] = {}
        self.numbers: dict[str, int] = {}  # of the rows in `open`
        self.sealed: dict[str, dict[str, Any]] = {}
        self.before: dict[str, dict[str, Any]] = {}  # of what the last seal changed
        self.ticks: dict[str, dict[str, int]] = {}
        self.born: dict[str, int] = {}
        self.ids: dict[str, int] = {}  # of the rows in `sealed`
        self.leaving: list[tuple[str, int]] = []
        self.free: list[int] = []
        self.used = 0
        self.tombstones: list[tuple[int, float, int, str | None]] = []
        self.followers: list[Follower] = []
        self.views: list[View] = []

    def add(self, key: str, values: dict[str, Any]) -> int:
        if key in self.open:
            raise ValueError(key)
        if self.free:
            number = self.free.pop()
        else:
            number, self.used = self.used, self.used + 1
        self.open[key] = self.empty | values
        self.numbers[key] = number
        return number

    def remove(self, key: str) -> None:
        del self.open[key]
        self.leaving.append((key, self.numbers.pop(key)))

    def set_row(self, key: str, values: dict[str, Any]) -> None:
        self.open[key] |= values

    def seal(self, now: float) -> int:
        following = self.tick + 1
        buried = self._bury(following, now)
        changed = self._change(following)
        if buried or changed:
            self.previous, self.tick = self.tick, following
        self._forget(now)
        return self.tick

    def _bury(self, following: int, now: float) -> bool:
        moved = False
        for key, number in self.leaving:
            if self.ids.get(key) != number:  # never sealed
                self.free.append(number)
                continue
            del self.sealed[key], self.ticks[key], self.born[key], self.ids[key]
            self.tombstones.append((following, now, number, key))
            moved = True
            if "reuse" in self.bugs:
                self.free.append(number)
        self.leaving.clear()
        return moved

    def _change(self, following: int) -> bool:
        before: dict[str, dict[str, Any]] = {}
        for key, row in sorted(self.open.items(), key=lambda pair: self.numbers[pair[0]]):
            old = self.sealed.get(key)
            if old is None:
                self.born[key], self.ids[key] = following, self.numbers[key]
                self.ticks[key] = dict.fromkeys(self.columns, following)
                for follower in self.followers:
                    follower.adopt(key)
            else:
                names = [name for name in self.columns if not same(old[name], row[name])]
                if not names:
                    continue
                self.ticks[key] |= dict.fromkeys(names, following)
            before[key] = old or {}
            self.sealed[key] = dict(row)
        if before:
            self.before = before
        return bool(before)

    def _forget(self, now: float) -> None:
        while len(self.tombstones) > self.keep and now - self.tombstones[0][1] >= self.keep_seconds:
            tick, _, number, _ = self.tombstones.pop(0)
            if "floor" not in self.bugs:
                self.floor = tick
            if "reuse" not in self.bugs:
                self.free.append(number)


def same(one: object, other: object) -> bool:
    """Whether a cell did not change: a float does when its bits do (0.0 is not -0.0)."""
    return repr(one) == repr(other)


class Replica(Table):
    """A table fed by its owner's frames: every cell that a frame names changed at its tick."""

    def load(self, owner: Table) -> bool:
        """Become what the owner is. The trap: compare values instead of taking cell ticks."""
        if (owner.epoch, owner.tick) < (self.epoch, self.tick):
            return False
        ticks = {key: dict(row) for key, row in owner.ticks.items()}
        if "values" in self.bugs and owner.epoch == self.epoch:
            for key, row in ticks.items():
                for name in row:
                    known = key in self.sealed and self.ids[key] == owner.ids[key]
                    if known and same(self.sealed[key][name], owner.sealed[key][name]):
                        row[name] = self.ticks[key][name]
        self.epoch, self.tick, self.floor = owner.epoch, owner.tick, owner.floor
        self.previous = -1
        self.before = {}
        for view in self.views:
            view.since = 0
        self.sealed = {key: dict(row) for key, row in owner.sealed.items()}
        self.ticks = ticks
        self.born, self.ids = dict(owner.born), dict(owner.ids)
        self.tombstones = list(owner.tombstones)
        for follower in self.followers:
            for key in self.sealed:
                follower.adopt(key)
        return True

    def apply(self, epoch: int, frame: Frame, now: float) -> str:
        if epoch < self.epoch or (epoch == self.epoch and frame.tick <= self.tick):
            return "old"
        if epoch != self.epoch or frame.snapshot or frame.partial or frame.base != self.tick:
            return "gap"
        key_of = {number: key for key, number in self.ids.items()}
        for number in frame.removed:
            key = key_of.pop(number, None)
            if key is not None:
                del self.sealed[key], self.ticks[key], self.born[key], self.ids[key]
            self.tombstones.append((frame.tick, now, number, key))
        self.before = {}
        for change in frame.rows:
            self._take(change, key_of, frame.tick)
        self.previous, self.tick = self.tick, frame.tick
        self._forget(now)
        if frame.checksum is not None and frame.checksum != self.views[0].checksum(
            self.ids.values()
        ):
            return "gap"
        return "applied"

    def _take(self, change: Change, key_of: dict[int, str], tick: int) -> None:
        names = [name for bit, name in enumerate(self.columns) if change.mask >> bit & 1]
        if change.key is not None and change.id not in key_of:
            while any(number == change.id for _, _, number, _ in self.tombstones):
                self.floor = self.tombstones.pop(0)[0]
            key = change.key
            self.sealed[key], self.ticks[key] = {}, {}
            self.ids[key], self.born[key] = change.id, tick
        else:
            key = key_of[change.id]
        self.before[key] = dict(self.sealed[key])
        for name, value in zip(names, change.cells, strict=True):
            old = self.sealed[key].get(name)
            if change.relative and isinstance(old, tuple):
                value = (old[0] + value, old[1])
            self.sealed[key][name] = value
            self.ticks[key][name] = tick
        for follower in self.followers:
            follower.adopt(key)


class View:
    """Some columns of a table, under numbers of their own."""

    def __init__(self, table: Table, names: list[str] | None = None) -> None:
        self.table = table
        self.names = [name for name in table.columns if names is None or name in names]
        self.users = 0
        self.since = 0  # there are chunks of the ticks after this
        table.views.append(self)

    def join(self) -> None:
        if not self.users:
            self.since = self.table.tick
        self.users += 1

    def numbers(self, key: str) -> list[tuple[str, Any]]:
        return [(name, self.table.sealed[key][name]) for name in self.names]

    def checksum(self, ids: Iterable[int]) -> int:
        copy = TableCopy(Columns(tuple(self.names), tuple(map(self.kind, self.names))))
        key_of = {number: key for key, number in self.table.ids.items()}
        copy.rows = {
            number: [value for _, value in self.numbers(key_of[number])]
            for number in ids
            if number in key_of
        }
        return copy.checksum()

    def kind(self, name: str) -> str:
        empty = self.table.empty[name]
        return {tuple: "decimal", int: "int", float: "float", str: "text"}[type(empty)]

    def full(self, key: str, *, open: bool = False) -> Change:
        row = self.table.sealed[key]
        if open:
            row = self.table.open.get(key, row)
        cells = tuple(row[name] for name in self.names)
        return Change(self.table.ids[key], key, (1 << len(self.names)) - 1, False, cells)

    def cells(self, key: str, since: int, *, chunk: bool) -> Change | None:
        """What changed after ``since``; ``chunk``: relative if that can be said."""
        names = [name for name in self.names if self.table.ticks[key][name] > since]
        if not names:
            return None
        row, before = self.table.sealed[key], self.table.before.get(key, {})
        decimals = [name for name in names if self.kind(name) == "decimal"]
        relative = chunk and bool(decimals)
        for name in decimals:
            if not relative or "exponent" in self.table.bugs:
                continue
            (old, scale), (new, other) = before[name], row[name]
            relative = scale == other and abs(new - old) < 2**53
        cells = tuple(
            row[name][0] - before[name][0] if relative and name in decimals else row[name]
            for name in names
        )
        mask = sum(1 << self.names.index(name) for name in names)
        return Change(self.table.ids[key], None, mask, relative, cells)


class Follower:
    """What one subscriber is owed. ``page``: rows sent whole in one frame."""

    def __init__(
        self,
        view: View,
        keys: Iterable[str] | None = None,
        *,
        pace: int = 1,
        page: float = math.inf,
        json: bool = False,
    ) -> None:
        self.view = view
        self.table = view.table
        self.bugs = self.table.bugs
        self.all = keys is None
        self.keys = set(keys or ())
        self.pace = pace
        self.page = page
        self.json = json
        self.paused = False
        self.skipped = self.frames = 0
        self.sent = -math.inf
        if not json:
            view.join()
        self.table.followers.append(self)
        self.proved: list[int] | None = None
        self.restart()

    def close(self) -> None:
        if self in self.table.followers:
            self.table.followers.remove(self)
            self.view.users -= not self.json

    def pause(self, paused: bool) -> None:
        self.paused = paused

    def look(self, view: View) -> None:
        if not self.json:
            view.join()
        self.view.users -= not self.json
        self.view = view
        self.restart()

    def restart(self) -> None:
        self.fresh_start, self.resumed, self.unproved = True, False, True
        self.epoch = self.table.epoch
        self.base, self.synced = 0, self.table.tick
        self.left: set[int] = set()
        self.cursor: float = 0
        ids = self.table.ids
        self.held = {ids[key]: True for key in self.keys if key in ids}  # id -> owed whole
        self.key_of = {ids[key]: key for key in self.keys if key in ids}

    def resume(self, epoch: int, tick: int, new: Iterable[str] = ()) -> bool:
        self.restart()
        table = self.table
        if epoch != table.epoch or tick <= 0 or tick < table.floor:
            return False
        if tick > table.tick and "ahead" not in self.bugs:
            return False
        self.fresh_start, self.resumed = False, True
        self.base = self.synced = tick
        self.cursor = math.inf
        others = () if "new" in self.bugs else set(new)
        self.held = {number: self.key_of[number] in others for number in self.held}
        return True

    def follow(self, keys: Iterable[str] | None) -> None:
        if keys is None or self.all:
            self.all, self.keys = keys is None, set(keys or ())
            self.restart()
            return
        wanted = set(keys)
        if "filter" in self.bugs:
            self.proved = [number for number, fresh in self.held.items() if not fresh]
        for number in list(self.held):
            if self.key_of[number] not in wanted:
                if not self.held.pop(number):
                    self.left.add(number)
                del self.key_of[number]
        before, self.keys = self.keys, wanted
        for key in wanted - before:
            if key in self.table.ids:
                self.adopt(key)
        self.unproved = True

    def adopt(self, key: str) -> None:
        """A row is there under this key; if it was waited for it is owed."""
        if key in self.keys and key not in self.key_of.values():
            number = self.table.ids[key]
            self.held[number], self.key_of[number] = True, key

    # -- the flush

    @property
    def partial(self) -> bool:
        return any(self.held.values()) or (self.all and self.cursor != math.inf)

    def due(self, now: float) -> bool:
        if self.paused:
            return False
        if self.fresh_start or self.left or self.partial or self.epoch != self.table.epoch:
            return True
        if self.synced == self.table.tick:
            return now - self.sent >= 15
        crossed = self.table.tick // self.pace != self.synced // self.pace
        return crossed or now - self.sent >= 0.2 * self.pace

    def flush(self, now: float, writable: bool = True) -> Frame | None:
        if not self.due(now):
            return None
        if not writable:
            self.skipped += 1
            return None
        if self.epoch != self.table.epoch or self.synced < self.table.floor:
            self.restart()
        gone = self._bury()
        rows = self._rows_of_all() if self.all else self._rows_of_some()
        quiet = now - self.sent >= 15
        if not (rows or gone or self.fresh_start or quiet):
            self.synced = self.table.tick
            if "quiet" in self.bugs:
                self.base = self.table.tick
            return None
        checksum = None
        due = self.unproved or self.frames >= 15 or (self.all and self.table.tick % 16 == 0)
        if not self.partial and (due or quiet):
            held = self.table.ids.values() if self.all else list(self.held)
            if self.proved is not None:
                held, self.proved = self.proved, None
            checksum = self.view.checksum(held)
        frame = Frame(
            self.table.tick,
            self.base,
            self.epoch if self.fresh_start or self.json else None,
            self.fresh_start,
            self.partial,
            self.skipped,
            checksum,
            tuple(sorted(gone)),
            tuple(rows),
        )
        self.left.clear()
        self.fresh_start = self.resumed = False
        self.skipped = 0
        self.base = self.synced = self.table.tick
        self.sent = now
        self.frames = 0 if checksum is not None else self.frames + 1
        self.unproved &= checksum is None
        return frame

    def _bury(self) -> set[int]:
        gone = set(self.left)
        for tick, _, number, _ in reversed(self.table.tombstones):
            if tick <= self.synced:
                break
            if self.all:
                if number < self.cursor:
                    gone.add(number)
                continue
            if self.resumed or number in self.held:
                gone.add(number)
            if number in self.held:
                del self.held[number]
                key = self.key_of.pop(number)
                if key in self.table.ids:
                    self.adopt(key)
        return gone

    def _pay(self, key: str) -> Change | None:
        """What a held row owes since `synced`."""
        since = self.synced
        if max(self.table.ticks[key].values()) <= since:
            return None
        if self.table.born[key] > since:
            return self.view.full(key)
        there = self.view.since < self.table.tick and not self.json
        chunk = since == self.table.previous and there
        if "relative" in self.bugs and since >= self.table.previous - 1 and there:
            return self.view.cells(key, self.table.tick - 1, chunk=key in self.table.before)
        return self.view.cells(key, since, chunk=chunk)

    def _rows_of_all(self) -> list[Change]:
        changes, whole = [], 0
        for key, number in sorted(self.table.ids.items(), key=lambda pair: pair[1]):
            if number < self.cursor:
                changes.append(self._pay(key))
            elif whole < self.page:
                changes.append(self.view.full(key, open="open" in self.bugs))
                whole += 1
            else:
                self.cursor = number
                return [change for change in changes if change]
        self.cursor = math.inf
        return [change for change in changes if change]

    def _rows_of_some(self) -> list[Change]:
        changes, whole = [], 0
        for number in sorted(self.held):
            key = self.key_of[number]
            if not self.held[number]:
                changes.append(self._pay(key))
            elif whole < self.page:
                changes.append(self.view.full(key, open="open" in self.bugs))
                self.held[number] = False
                whole += 1
        return [change for change in changes if change]


class Messages:
    """RFC 6455 sections 5.2 to 5.6, 7.4 and 8.1, RFC 7692 section 6.2, frame by frame."""

    def __init__(self, max_message: int, max_fragments: int, inflates: bool = False) -> None:
        self.max_message = max_message
        self.inflates = inflates
        self.packed = False
        self.max_fragments = max_fragments
        self.parts: list[bytes] | None = None
        self.kind = ""
        self.data = b""
        self.code = 0
        self.reason = ""

    @property
    def waiting(self) -> int:
        return sum(map(len, self.parts or ()))

    def feed(self, opcode: int, fin: bool, reserved: int, payload: bytes) -> str:
        packed = reserved == 4 and self.inflates and opcode in (1, 2)
        if reserved and not packed:
            return self._fail(1002, "Reserved bits that were not agreed on")
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
            self.packed = packed
        assert self.parts is not None
        if self.waiting + len(payload) > self.max_message:
            return self._fail(1009, "Message too big")
        self.parts.append(payload)
        if len(self.parts) > self.max_fragments:
            return self._fail(1009, "Message in too many fragments")
        return self._whole(b"".join(self.parts)) if fin else ""

    def _whole(self, data: bytes) -> str:
        self.data, self.parts = data, None
        if self.packed and not self._inflate():
            return "failure"
        if self.kind == "text" and not _is_utf8(self.data):
            return self._fail(1007, "Invalid UTF-8")
        return self.kind

    def _inflate(self) -> bool:
        """Byte by byte, so that what comes first is told: an error or too much."""
        inflater, made = zlib.decompressobj(-15), b""
        for byte in self.data + b"\0\0\xff\xff":
            try:
                made += inflater.decompress(bytes([byte]))
            except zlib.error:
                self._fail(1007, "Invalid compressed data")
                return False
            if len(made) > self.max_message:
                self._fail(1009, "Message too big")
                return False
        if inflater.eof and inflater.unused_data != b"\0\0\0\xff\xff":
            self._fail(1007, "Invalid compressed data")
            return False
        self.data = made
        return True

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


class Lane:
    """A subscriber of a stream: what it got, and why it may get nothing."""

    def __init__(self) -> None:
        self.cursor = 0
        self.live = self.paused = self.full = False
        self.got: list[bytes] = []


class Fanout:
    """Gives a message to everybody who stands before it and takes it."""

    def __init__(self) -> None:
        self.lanes: list[Lane] = []
        self.skipped = 0

    def add(self, lane: Lane) -> None:
        self.lanes.append(lane)

    def remove(self, lane: Lane) -> None:
        lane.live = False
        if lane in self.lanes:
            self.lanes.remove(lane)

    def publish(self, message: bytes, offset: int) -> int:
        given = 0
        for lane in self.lanes:
            if not lane.live or lane.paused:
                continue
            if lane.full:
                self.skipped += 1
            elif lane.cursor == offset - 1:
                lane.got.append(message)
                lane.cursor = offset
                given += 1
        return given

    def waiting(self, offset: int) -> list[Lane]:
        return [
            lane for lane in self.lanes if lane.live and not lane.paused and lane.cursor < offset
        ]


# ── the step of a dogfight ───────────────────────────────────────────────────────────────────

U64 = 2**64 - 1


class Pilot:
    """A plane as `fastws._core.arena` keeps it."""

    def __init__(self) -> None:
        self.x = self.y = self.heading = self.speed = self.state = self.health = 0
        self.ammo = self.cooldown = self.reload = self.timer = self.score = self.deaths = 0
        self.throttle = self.turn = self.seq = 0
        self.fire = self.latched = False


class Bullet:
    """A shot in the air, or one that was."""

    def __init__(self) -> None:
        self.flying = self.seen = False
        self.x = self.y = self.vx = self.vy = self.fired = self.heading = self.speed = 0
        self.start = (0, 0)


class Arena:
    """A dogfight, as one would tell its rules."""

    slots = 8

    def __init__(
        self, planes: int, seed: int, *, hz: int = 30, score: int = 10, seconds: int = 180
    ) -> None:
        self.hz, self.score, self.last = hz, score, seconds * hz
        self.width, self.height = arena.WIDTH * 1024, arena.HEIGHT * 1024
        self.slowest, self.fastest = arena.SLOWEST * 1024 // hz, arena.FASTEST * 1024 // hz
        self.pickup = arena.PICKUP * 1024 // hz**2
        self.turn = arena.TURN * 65536 // (360 * hz)
        self.random = (seed ^ 0x9E3779B97F4A7C15) | 1
        self.digest = 0xCBF29CE484222325
        self.steps = 0
        self.events: list[tuple[int, int, int]] = []
        self.planes = [Pilot() for _ in range(planes)]
        self.shots = [Bullet() for _ in range(planes * self.slots)]
        for plane in self.planes:
            self._enter(plane)

    def input(self, seat: int, seq: int, throttle: int, turn: int, fire: bool) -> None:
        plane = self.planes[seat]
        plane.seq = seq
        plane.throttle = sorted((0, throttle, 127))[1]
        plane.turn = sorted((-127, turn, 127))[1]
        plane.fire = fire
        plane.latched = plane.latched or fire

    def remove(self, seat: int) -> None:
        self.planes[seat].state = arena.GONE

    @property
    def over(self) -> bool:
        return self.steps >= self.last or any(one.score >= self.score for one in self.planes)

    def step(self) -> bool:
        if self.over:
            return False
        self.steps += 1
        for seat in range(len(self.planes)):
            self._fly(seat)
        for number, shot in enumerate(self.shots):
            if shot.flying and shot.fired != self.steps:
                self._move(number, shot)
        for plane in self.planes:
            self._mix(plane.x)
            self._mix(plane.y)
            self._mix(plane.heading << 16 ^ plane.speed)
            self._mix(plane.state << 24 ^ plane.health << 16 ^ plane.ammo << 8 ^ plane.cooldown)
            self._mix(plane.score << 16 ^ plane.deaths)
        return True

    def _mix(self, word: int) -> None:
        self.digest = (self.digest ^ word) * 0x100000001B3 & U64

    def _fly(self, seat: int) -> None:
        plane = self.planes[seat]
        if plane.state == arena.GONE:
            return
        if plane.timer:
            plane.timer -= 1
            if not plane.timer and plane.state == arena.DOWN:
                self._enter(plane)
                self.events.append((arena.RESPAWN, seat, seat))
                return
            if not plane.timer:
                plane.state = arena.FLYING
        if plane.state != arena.DOWN:
            self._steer(plane)
            self._shoot(seat, plane)
        plane.latched = plane.fire

    def _steer(self, plane: Pilot) -> None:
        target = self.slowest + ((self.fastest - self.slowest) * plane.throttle >> 7)
        plane.speed += sorted((-self.pickup, target - plane.speed, self.pickup))[1]
        plane.heading = (plane.heading + (self.turn * plane.turn >> 7)) % 65536
        cosine, sine = _direction(plane.heading)
        x, y = plane.x + (plane.speed * cosine >> 14), plane.y + (plane.speed * sine >> 14)
        plane.x = sorted((0, x, self.width - 1))[1]
        plane.y = sorted((0, y, self.height - 1))[1]
        if (plane.x, plane.y) != (x, y):
            plane.speed = self.slowest

    def _shoot(self, seat: int, plane: Pilot) -> None:
        plane.cooldown = max(plane.cooldown - 1, 0)
        if plane.reload:
            plane.reload -= 1
            if not plane.reload:
                plane.ammo = arena.MAGAZINE
            return
        if not plane.latched or plane.cooldown:
            return
        mine = self.shots[seat * self.slots : (seat + 1) * self.slots]
        shot = next((one for one in mine if not one.flying), None)
        if shot is None:
            return
        cosine, sine = _direction(plane.heading)
        shot.flying = shot.seen = True
        shot.x, shot.y = shot.start = plane.x, plane.y
        shot.heading, shot.speed = plane.heading, arena.SHOT_SPEED * 1024 // self.hz
        shot.vx, shot.vy = shot.speed * cosine >> 14, shot.speed * sine >> 14
        shot.fired = self.steps
        plane.cooldown = int(arena.COOLDOWN_SECONDS * self.hz)
        plane.ammo -= 1
        if not plane.ammo:
            plane.reload = int(arena.RELOAD_SECONDS * self.hz)

    def _move(self, number: int, shot: Bullet) -> None:
        was = shot.x, shot.y
        shot.x += shot.vx
        shot.y += shot.vy
        by = number // self.slots
        for seat, plane in enumerate(self.planes):
            at = plane.x, plane.y
            if plane.state == arena.FLYING and seat != by and _struck(was, (shot.x, shot.y), at):
                shot.flying = shot.seen = False
                self._hit(seat, by)
                return
        inside = 0 <= shot.x < self.width and 0 <= shot.y < self.height
        if self.steps - shot.fired >= int(arena.SHOT_SECONDS * self.hz) or not inside:
            shot.flying = False

    def _hit(self, seat: int, by: int) -> None:
        plane = self.planes[seat]
        plane.health = max(plane.health - arena.DAMAGE, 0)
        self.events.append((arena.HIT, seat, by))
        if not plane.health:
            plane.state = arena.DOWN
            plane.timer = int(arena.DOWN_SECONDS * self.hz)
            plane.deaths += 1
            self.planes[by].score += 1
            self.events.append((arena.DOWNED, seat, by))

    def _enter(self, plane: Pilot) -> None:
        places = [
            (
                self.width // 8 + self._drawn(self.width // 4 * 3),
                self.height // 8 + self._drawn(self.height // 4 * 3),
            )
            for _ in range(4)
        ]
        plane.x, plane.y = max(places, key=self._nearest)  # the first of equals
        plane.heading = self._drawn(65536)
        plane.speed, plane.health = self.slowest, arena.HEALTH
        plane.state, plane.timer = arena.SHIELDED, int(arena.SHIELD_SECONDS * self.hz)
        plane.ammo = arena.MAGAZINE
        plane.cooldown = plane.reload = 0
        plane.latched = False

    def _nearest(self, place: tuple[int, int]) -> int:
        return min(
            (
                ((one.x - place[0]) >> 10) ** 2 + ((one.y - place[1]) >> 10) ** 2
                for one in self.planes
                if one.state in (arena.FLYING, arena.SHIELDED)
            ),
            default=2**40,
        )

    def _drawn(self, below: int) -> int:
        self.random ^= self.random >> 12
        self.random ^= self.random << 25 & U64
        self.random ^= self.random >> 27
        return ((self.random * 0x2545F4914F6CDD1D & U64) >> 33) % below

    def planes_now(self) -> list[tuple[int, ...]]:
        return [
            (one.x, one.y, one.heading, one.speed, one.state, one.health, one.ammo, one.score,
             one.deaths, one.seq)
            for one in self.planes
        ]  # fmt: skip

    def take_events(self) -> list[tuple[int, int, int]]:
        events, self.events = self.events, []
        return events


class Stick:
    """What one player steers with."""

    def __init__(self, seat: int, arena: Arena | None, bucket: Bucket | None) -> None:
        self.seat, self.arena, self.bucket = seat, arena, bucket
        self.applied = self.late = self.limited = self.clamped = self.fast = 0
        self.refusals = 0
        self.refusing = False
        self.seq = -1
        self.clock: tuple[float, int] | None = None
        self.controls = (0, 0, False)
        self.changes: list[tuple[int, int, int, int, bool]] = []

    def take(self, data: bytes, now: float) -> bool:
        if len(data) != 12 or data[0] != 0x10:
            return False
        if self.bucket is not None and self.bucket.take(now):
            self.limited += 1
            self.refusals += not self.refusing
            self.refusing = True
            return True
        self.refusing = False
        _, seq, t, throttle, turn, buttons = struct.unpack("<BIIbbB", data)
        self.put(now, seq, t, throttle, turn, bool(buttons & 1))
        return True

    def put(self, now: float, seq: int, t: int, throttle: int, turn: int, fire: bool) -> bool:
        if seq <= self.seq:
            self.late += 1
            return False
        self.seq = seq
        inside = sorted((0, throttle, 127))[1], sorted((-127, turn, 127))[1], fire
        self.clamped += inside != (throttle, turn, fire)
        if self.clock is None or t < self.clock[1]:
            self.clock = now, t
        elif now - self.clock[0] >= 5:
            self.fast += (t - self.clock[1]) / 1000 > 1.1 * (now - self.clock[0]) + 0.25
            self.clock = now, t
        self.applied += 1
        if self.arena is not None:
            self.arena.input(self.seat, seq, *inside)
            if inside != self.controls:
                self.controls = inside
                self.changes.append((self.arena.steps, self.seat, *inside))
        return True


def _direction(heading: int) -> tuple[int, int]:
    """Cosine and sine of 65536 to a turn, times 16384."""
    angle = heading >> 4
    return arena.SINE[(angle + 1024) % 4096], arena.SINE[angle]


def _struck(a: tuple[int, int], b: tuple[int, int], p: tuple[int, int]) -> bool:
    (ax, ay), (bx, by), (px, py) = ((x >> 7, y >> 7) for x, y in (a, b, p))
    reach = (arena.RADIUS * 8) ** 2
    along = (px - ax) * (bx - ax) + (py - ay) * (by - ay)
    length = (bx - ax) ** 2 + (by - ay) ** 2
    if along <= 0:
        return (px - ax) ** 2 + (py - ay) ** 2 <= reach
    if along >= length:
        return (px - bx) ** 2 + (py - by) ** 2 <= reach
    cross = (px - ax) * (by - ay) - (py - ay) * (bx - ax)
    return cross**2 <= reach * length
