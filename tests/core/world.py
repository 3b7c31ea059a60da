"""A small world of a table: an owner, a replica, clients with bad networks, and random events.

Both the compiled rooms and their readable twins can play the server, together or alone: what
each makes of the same events must be the same frames. A client is `TableCopy`, the one that
users of the Python client have. Whatever a client cannot make sense of is a divergence.
"""

from __future__ import annotations

import contextlib
import math
from collections import deque
from collections.abc import Iterable, Iterator
from random import Random
from typing import Any

import orjson

from fastws._core import follower as core_follower
from fastws._core import table as core_table
from fastws._core.follower import Follower
from fastws._core.replica import Replica, state
from fastws._core.table import Column, Table
from fastws._core.view import View
from fastws.client.frames import Columns, Frame, blocks, read, read_json
from fastws.client.tables import BadFrame, OutOfStep, TableCopy
from tests.core import oracle

COLUMNS = [
    Column("price", "decimal"),
    Column("change", "decimal"),
    Column("count", "int"),
    Column("ratio", "float"),
    Column("label", "text"),
]
EMPTY: dict[str, Any] = {
    "price": (0, 0),
    "change": (0, 0),
    "count": 0,
    "ratio": 0.0,
    "label": "",
}
COMMON = (("price",), ("price", "change"))
VIEWS: tuple[list[str] | None, ...] = (None, ["change", "label"])
KEYS = [f"k{number}" for number in range(9)]
CHANNEL = 7


class Divergence(AssertionError):
    """Somebody has something else than he should."""


@contextlib.contextmanager
def tuned(tombstones: int, page: int, laggards: int = 1 << 30) -> Iterator[None]:
    """Small limits for the compiled rooms, so that they are met all the time."""
    before = core_table.TOMBSTONES, core_follower.PAGE, core_follower.LAGGARD_FRAMES
    core_table.TOMBSTONES = tombstones  # type: ignore[misc]
    core_follower.PAGE = page  # type: ignore[misc]
    core_follower.LAGGARD_FRAMES = laggards  # type: ignore[misc]
    try:
        yield
    finally:
        (
            core_table.TOMBSTONES,  # type: ignore[misc]
            core_follower.PAGE,  # type: ignore[misc]
            core_follower.LAGGARD_FRAMES,  # type: ignore[misc]
        ) = before


class Compiled:
    """The server as it runs."""

    def __init__(self, epoch: int) -> None:
        self.tables: list[Any] = [Table("t", COLUMNS, epoch, COMMON), None]
        self.tables[1] = Replica("t", COLUMNS, common=COMMON)
        self.views = [[View(self.tables[0], names) for names in VIEWS], []]
        self.views[1] = [self.tables[1].view, View(self.tables[1], VIEWS[1])]
        self.link = Follower(self.views[0][0], CHANNEL, "t")
        self.line: deque[bytes] = deque()

    def renew(self, epoch: int) -> None:
        """A new owner."""
        self.tables[0] = Table("t", COLUMNS, epoch, COMMON)
        self.views[0] = [View(self.tables[0], names) for names in VIEWS]
        self.relink()

    def add(self, key: str, values: dict[str, Any]) -> None:
        self.tables[0].add(key, **values)

    def follower(self, at: int, view: int, keys: Any, json: bool, pace: int) -> Any:
        return _Reading(
            Follower(self.views[at][view], CHANNEL, "t", json=json, keys=keys, pace=pace)
        )

    def look(self, follower: Any, at: int, view: int) -> None:
        follower.inner.look(self.views[at][view])

    def relink(self) -> None:
        self.link.close()
        self.line.clear()
        self.link = Follower(self.views[0][0], CHANNEL, "t")
        self.link.resume(self.tables[1].epoch, self.tables[1].tick)

    def publish(self, now: float) -> None:
        block = self.link.flush(now)
        if block is not None:
            self.line.append(block)

    def replicate(self, now: float, lost: bool) -> None:
        while self.line:
            block = self.line.popleft()
            if lost:
                continue
            if self.tables[1].apply(self.tables[0].epoch, block, now) == "gap":
                self.tables[1].load(state(self.tables[0]), now)
                self.link.resume(self.tables[0].epoch, self.tables[0].tick)

    def truth(self, at: int, view: int) -> dict[str, list[Any]]:
        table = self.tables[at]
        names = [column.name for column in self.views[at][view].columns]
        return {key: [table.get(key)[name] for name in names] for key in table.rows()}

    def numbers(self, at: int) -> dict[str, int]:
        found: dict[str, int] = self.tables[at].rows()
        return found

    def checksum(self, at: int, view: int) -> int:
        return self.views[at][view].checksum


class _Reading:
    """A follower whose frames are read again."""

    def __init__(self, inner: Follower) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def pause(self, paused: bool) -> None:
        self.inner.paused = paused

    def flush(self, now: float, writable: bool) -> Frame | None:
        made = self.inner.flush(now, writable)
        if made is None:
            return None
        columns = Columns.told(self.inner.view.describe())
        if self.inner.json:
            return read_json(orjson.loads(made), columns)
        (block,) = blocks(made)
        assert (block.type, block.channel) == (1, CHANNEL)
        return read(block.body, columns)


class Twin:
    """The server as one would explain it, with ``bugs`` if tests want to see them caught."""

    def __init__(
        self, epoch: int, tombstones: int, page: float, bugs: frozenset[str] = frozenset()
    ) -> None:
        self.page, self.bugs, self.keep = page, bugs, tombstones
        self.tables = [self.table(epoch), None]
        self.tables[1] = oracle.Replica(list(EMPTY), EMPTY, tombstones, 60.0, 0, bugs)
        self.views = [
            [oracle.View(table, names) for names in VIEWS] for table in self.tables if table
        ]
        self.link = oracle.Follower(self.views[0][0], page=page)
        self.line: deque[Frame] = deque()

    def table(self, epoch: int) -> Any:
        return oracle.Table(list(EMPTY), EMPTY, self.keep, 60.0, epoch, self.bugs)

    def renew(self, epoch: int) -> None:
        self.tables[0] = self.table(epoch)
        self.views[0] = [oracle.View(self.tables[0], names) for names in VIEWS]
        self.relink()

    def add(self, key: str, values: dict[str, Any]) -> None:
        self.tables[0].add(key, values)

    def follower(self, at: int, view: int, keys: Any, json: bool, pace: int) -> Any:
        return oracle.Follower(self.views[at][view], keys, pace=pace, page=self.page, json=json)

    def look(self, follower: Any, at: int, view: int) -> None:
        follower.look(self.views[at][view])

    def relink(self) -> None:
        self.link.close()
        self.line.clear()
        self.link = oracle.Follower(self.views[0][0], page=self.page)
        self.link.resume(self.tables[1].epoch, self.tables[1].tick)

    def publish(self, now: float) -> None:
        frame = self.link.flush(now)
        if frame is not None:
            self.line.append(frame)

    def replicate(self, now: float, lost: bool) -> None:
        while self.line:
            frame = self.line.popleft()
            if lost:
                continue
            if self.tables[1].apply(self.tables[0].epoch, frame, now) == "gap":
                self.tables[1].load(self.tables[0])
                self.link.resume(self.tables[0].epoch, self.tables[0].tick)

    def truth(self, at: int, view: int) -> dict[str, list[Any]]:
        names = self.views[at][view].names
        sealed = self.tables[at].sealed
        return {key: [row[name] for name in names] for key, row in sealed.items()}

    def numbers(self, at: int) -> dict[str, int]:
        return dict(self.tables[at].ids)

    def checksum(self, at: int, view: int) -> int:
        return self.views[at][view].checksum(self.tables[at].ids.values())


class Client:
    """Somebody who follows the table, over all his connections."""

    def __init__(self, wanted: set[str] | None, view: int, json: bool, pace: int) -> None:
        self.wanted = wanted
        self.view = view
        self.json = json
        self.pace = pace
        self.copy = TableCopy(columns_of(view))
        self.inbox: deque[Frame | Columns] = deque()
        self.followers: list[Any] = []  # one of each side; none: not connected
        self.at = 0
        self.slow = False
        self.paused = False

    def deliver(self, count: int) -> None:
        for _ in range(min(count, len(self.inbox))):
            came = self.inbox.popleft()
            if isinstance(came, Columns):
                self.copy = TableCopy(came)
                continue
            try:
                self.copy.apply(came)
            except (OutOfStep, BadFrame) as error:
                raise Divergence(f"{self.wanted}: {error}") from error


def columns_of(view: int) -> Columns:
    names = VIEWS[view] or list(EMPTY)
    kinds = {column.name: column.kind for column in COLUMNS}
    shown = [{"name": name, "kind": kinds[name]} for name in names]
    masks = (sum(1 << names.index(one) for one in common if one in names) for common in COMMON)
    return Columns.told({"columns": shown, "common": list(dict.fromkeys(m for m in masks if m))})


class World:
    """Random events, the same for every side. ``rng`` decides everything."""

    def __init__(self, rng: Random, sides: list[Any]) -> None:
        self.rng = rng
        self.sides = sides
        self.now = 0.0
        self.epoch = 1
        self.rows: set[str] = set()
        self.clients: list[Client] = []
        self.operations = 0
        self.frames = 0
        self.checks = 0  # states of clients that were compared with the server's

    EVENTS = (
        ("write", 40),
        ("remove", 4),
        ("seal", 20),
        ("flush", 20),
        ("deliver", 12),
        ("replicate", 12),
        ("subscribe", 2),
        ("filter", 6),
        ("pause", 2),
        ("slow", 3),
        ("disconnect", 4),
        ("connect", 8),
        ("move", 5),
        ("resync", 1),
        ("look", 1),
        ("renew", 0.15),
    )

    def step(self) -> None:
        names, weights = zip(*self.EVENTS, strict=True)
        self.run(self.rng.choices(names, weights)[0])

    def run(self, name: str) -> None:
        self.operations += 1
        getattr(self, name)()

    # -- the owner

    def write(self) -> None:
        rng = self.rng
        key = rng.choice(KEYS)
        values: dict[str, Any] = {"price": (rng.randrange(1, 4), -2 - (rng.random() < 0.1))}
        if rng.random() < 0.4:
            values["change"] = (rng.choice([-5, 0, 3, 2**53 - 1, 1 - 2**53]), -2)
        if rng.random() < 0.3:
            values["count"] = rng.choice([0, -1, 300, 2**53 - 1])
        if rng.random() < 0.2:
            values["ratio"] = rng.choice([0.0, -0.0, 1.5, -1e9])
        if rng.random() < 0.2:
            values["label"] = rng.choice(["", "a", 'ü"\\\n', "long " * 9])
        if rng.random() < 0.2:
            del values["price"]
        for side in self.sides:
            if key in self.rows:
                side.tables[0].set_row(key, values)
            else:
                side.add(key, values)
        self.rows.add(key)

    def remove(self) -> None:
        if self.rows:
            key = self.rng.choice(sorted(self.rows))
            self.rows.discard(key)
            for side in self.sides:
                side.tables[0].remove(key)

    def seal(self) -> None:
        self.now += self.rng.choice([0.1, 0.1, 0.1, 0.1, 1.0, 61.0])
        ticks = {side.tables[0].seal(self.now) for side in self.sides}
        assert len(ticks) == 1

    def renew(self) -> None:
        """The owner's process begins again; its clients lose their connections."""
        self.epoch += 1
        for client in self.clients:
            if client.at == 0:
                self.hang_up(client)
        for side in self.sides:
            side.tables[0].seal(self.now)
            names, old = list(EMPTY), side.truth(0, 0)
            side.renew(self.epoch)
            for key in sorted(self.rows):
                side.add(key, dict(zip(names, old[key], strict=True)))
            side.tables[0].seal(self.now)

    def replicate(self) -> None:
        lost = self.rng.random() < 0.25
        for side in self.sides:
            side.publish(self.now)
            side.replicate(self.now, lost)

    # -- clients

    def any_client(self) -> Client | None:
        return self.rng.choice(self.clients) if self.clients else None

    def some_keys(self) -> set[str] | None:
        if self.rng.random() < 0.3:
            return None
        return set(self.rng.sample(KEYS, self.rng.randrange(0, len(KEYS))))

    def subscribe(self) -> None:
        if len(self.clients) < 8:
            rng = self.rng
            view, json = int(rng.random() < 0.25), rng.random() < 0.3
            client = Client(self.some_keys(), view, json, rng.choice([1, 1, 1, 2, 3, 4]))
            self.clients.append(client)
            self.call(client, rng.randrange(2))

    def call(self, client: Client, at: int) -> None:
        """Connect, and go on from where the client is if that is possible."""
        client.at, client.paused = at, False
        wanted = None if client.wanted is None else sorted(client.wanted)
        client.followers = [
            side.follower(at, client.view, wanted, client.json, client.pace) for side in self.sides
        ]
        copy = client.copy
        if copy.tick and not copy.lost and not (copy.partial and wanted is None):
            held, new = set(copy.keys.values()), set()
            if client.wanted is not None:
                copy.forget(held - client.wanted)
                new = client.wanted - held
            for follower in client.followers:
                follower.resume(copy.epoch, copy.tick, new)

    def hang_up(self, client: Client) -> None:
        """The connection ends; a part of what was on its way arrives."""
        if client.followers:
            if not any(isinstance(came, Columns) for came in client.inbox):
                client.deliver(self.rng.randrange(len(client.inbox) + 1))
            else:
                client.copy = TableCopy(columns_of(client.view))
            client.inbox.clear()
            for follower in client.followers:
                follower.close()
            client.followers = []

    def disconnect(self) -> None:
        client = self.any_client()
        if client:
            self.hang_up(client)

    def connect(self) -> None:
        client = self.any_client()
        if client and not client.followers:
            if self.rng.random() < 0.3 and client.wanted is not None:
                client.wanted = self.some_keys() or set()
            self.call(client, self.rng.randrange(2))

    def move(self) -> None:
        """From the owner to the replica or back, with all that was on its way read."""
        client = self.any_client()
        if client and client.followers:
            client.deliver(len(client.inbox))
            self.hang_up(client)
            self.call(client, 1 - client.at)

    def filter(self) -> None:
        client = self.any_client()
        if client and client.followers:
            keys = self.some_keys()
            if client.wanted is not None and keys is not None and self.rng.random() < 0.7:
                keys = client.wanted ^ set(self.rng.sample(KEYS, 2))
            if (keys is None) != (client.wanted is None):
                if self.rng.random() < 0.7:
                    return
                client.inbox.append(columns_of(client.view))  # a new confirmation, a new copy
            client.wanted = keys
            for follower in client.followers:
                follower.follow(None if keys is None else sorted(keys))

    def pause(self) -> None:
        client = self.any_client()
        if client and client.followers:
            client.paused = not client.paused
            for follower in client.followers:
                follower.pause(client.paused)

    def slow(self) -> None:
        client = self.any_client()
        if client:
            client.slow = not client.slow

    def resync(self) -> None:
        client = self.any_client()
        if client:
            for follower in client.followers:
                follower.restart()

    def look(self) -> None:
        client = self.any_client()
        if client and client.followers:
            client.view = 1 - client.view
            client.inbox.append(columns_of(client.view))
            for side, follower in zip(self.sides, client.followers, strict=True):
                side.look(follower, client.at, client.view)

    def flush(self) -> None:
        for client in self.clients:
            self.flush_one(client)

    def flush_one(self, client: Client) -> bool:
        if not client.followers:
            return False
        writable = len(client.inbox) < 2
        made = [follower.flush(self.now, writable) for follower in client.followers]
        for other in made[1:]:
            if other != made[0]:
                raise Divergence(f"two frames:\n{made[0]}\n{other}")
        if made[0] is not None:
            client.inbox.append(made[0])
            self.frames += 1
        return made[0] is not None

    def deliver(self) -> None:
        for client in self.clients:
            if not client.slow:
                client.deliver(self.rng.choice([1, 9]))

    # -- peace

    def quiesce(self) -> None:
        """Everybody reads everything; then everybody has what the server has."""
        for side in self.sides:
            side.tables[0].seal(self.now)
        self.now += 16.0
        for side in self.sides:
            side.publish(self.now)
            while side.line:
                side.replicate(self.now, False)
                side.publish(self.now)
        for client in self.clients:
            client.slow = False
            if not client.followers:
                self.call(client, self.rng.randrange(2))
            for follower in client.followers:
                follower.pause(False)
            client.paused = False
            client.deliver(len(client.inbox))
            while self.flush_one(client):
                client.deliver(len(client.inbox))
        self.compare()

    def compare(self) -> None:
        for side in self.sides:
            if repr(sorted(side.truth(0, 0).items())) != repr(sorted(side.truth(1, 0).items())):
                raise Divergence("the replica")
        side = self.sides[0]
        for client in self.clients:
            self.checks += 1
            truth = side.truth(client.at, client.view)
            wanted = truth if client.wanted is None else client.wanted & set(truth)
            names = client.copy.columns.names
            have = {key: [row[n] for n in names] for key, row in client.copy.by_key().items()}
            want = {key: truth[key] for key in wanted}
            if repr(sorted(have.items())) != repr(sorted(want.items())):
                raise Divergence(f"{client.wanted} has {have}, should have {want}")
            if set(client.copy.rows) != set(client.copy.keys):
                raise Divergence("rows without keys")
            if client.wanted is None:
                expected = side.checksum(client.at, client.view)
                if client.copy.checksum() != expected:
                    raise Divergence("the checksum")


def play(world: World, steps: int, every: int = 150) -> None:
    """Random events, with peace now and then."""
    for step in range(steps):
        world.step()
        if step % every == every - 1:
            world.quiesce()


def twin(bugs: Iterable[str] = (), epoch: int = 1, page: float = math.inf, keep: int = 2) -> Twin:
    return Twin(epoch, keep, page, frozenset(bugs))
