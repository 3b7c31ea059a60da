"""A channel of a table: what clients ask for, what they get, and that it is the table's state."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from fastws._core.line import Cork, Line
from fastws._core.table import Column, Table
from fastws.client.followed import Followed
from fastws.errors import WireError
from fastws.hub import Hub, Subscription, TableChannel, TableSubscription
from fastws.wire import Since, Subscribe
from tests.fakes import Clock, frames_of, make_hub

SYMBOLS = {"SOL": "k0", "BONK": "k1"}


class Client:
    """A subscriber that decodes what it is sent, as a client would."""

    def __init__(self, id: str = "client") -> None:
        self.id = id
        self.written = bytearray()
        self.line = Line(Cork(lambda step: None), self.written.extend)
        self.accepted = 0
        self.followed = Followed()
        self.pushed: list[bytes] = []
        self.ended: list[str] = []
        self.frames = 0

    @property
    def writable(self) -> bool:
        return not self.line.full

    def push(self, frame: bytes, channel: str = "") -> None:
        self.pushed.append(frame)

    def subscription_ended(self, channel: str, code: str, message: str) -> None:
        self.ended.append(channel)

    def stalled(self) -> None:
        raise AssertionError("tables never stall")

    def confirmed(self, subscription: Subscription, rows: list[str] | None = None) -> None:
        said = json.loads(json.dumps(subscription.describe()))
        self.followed.confirmed({"channel": "prices", **said}, rows)

    def read(self) -> int:
        """Take in what was written; how many frames."""
        self.line.flush()
        found = frames_of(bytes(self.written))
        self.written.clear()
        for opcode, payload in found:
            if opcode == 1:
                assert self.followed.json(json.loads(payload)) is not None
            else:
                assert list(self.followed.binary(payload))
        assert not self.followed.resync, "the copy agrees with every checksum"
        return len(found)

    def prices(self) -> dict[str, Any]:
        return {key: row["price"] for key, row in self.followed["prices"].by_key().items()}


class Symbols:
    """Names that a test may give another meaning."""

    def __init__(self) -> None:
        self.renamed = 0
        self._keys = dict(SYMBOLS)

    def resolve(self, name: str) -> str | None:
        return self._keys.get(name)

    def mean(self, name: str, key: str) -> None:
        self._keys[name] = key
        self.renamed += 1


class World:
    """A table of tokens in a hub."""

    def __init__(self) -> None:
        self.clock = Clock(1000.0)
        self.hub: Hub = make_hub(self.clock)
        self.names = Symbols()
        self.table = Table("tokens", [Column("price", "decimal"), Column("name", "text")])
        self.hub.add_table(self.table, 100)
        self.channel: TableChannel = self.hub.table(
            "t/prices",
            self.table,
            lambda since: b'{"type":"token_update"}',
            5.0,
            flush_ms=100,
            names=self.names,
        )
        for number in range(300):
            self.table.add(f"k{number}", price=(number + 1, -2), name=f"token {number}")
        self.turn()

    def price(self, key: str, mantissa: int) -> None:
        self.table.set_row(key, {"price": (mantissa, -2)})

    def turn(self) -> None:
        self.clock.now += 0.1
        self.hub.flush(self.clock.now)

    def follow(
        self, client: Client, held: Subscription | None = None, **asked: Any
    ) -> TableSubscription:
        message = msgspec.convert({"channel": "prices", "format": "binary", **asked}, Subscribe)
        made = self.hub.follow(client, self.channel, message, held)
        assert isinstance(made, TableSubscription)
        client.confirmed(made, None if message.rows is UNSET else list((made.names or {}).values()))
        made.open()
        return made

    def truth(self, *keys: str) -> dict[str, Any]:
        return {key: self.table.get(key)["price"] for key in keys or self.table.rows()}  # type: ignore[index]


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("format", ["binary", "json"])
def test_a_newcomer_gets_everything_then_what_changes(world: World, format: str) -> None:
    client = Client()
    world.follow(client, format=format)
    client.read()
    while client.followed["prices"].partial:
        world.turn()
        client.read()
    assert client.prices() == world.truth()
    world.price("k7", 99)
    world.turn()
    assert client.read() == 1
    assert client.prices() == world.truth()
    world.turn()
    assert client.read() == 0, "nothing changed"


def test_rows_by_symbol_and_a_name_that_means_something_later(world: World) -> None:
    client = Client()
    made = world.follow(client, rows=["SOL", "k5", "WIF"])
    assert made.describe()["unknown"] == ["WIF"]
    client.read()
    assert client.prices() == world.truth("k0", "k5")
    world.names.mean("WIF", "wif")
    world.table.add("wif", price=(5, -2), name="dogwifhat")
    world.turn()
    world.turn()
    client.read()
    assert client.prices() == world.truth("k0", "k5", "wif")


def test_a_symbol_that_moves_to_another_row_takes_its_follower_along(world: World) -> None:
    client = Client()
    world.follow(client, rows=["SOL", "k5"])
    client.read()
    world.names.mean("SOL", "k9")
    world.turn()
    world.turn()
    client.read()
    assert client.prices() == world.truth("k5", "k9")
    world.turn()
    assert client.read() == 0, "names are looked up when they changed, not at each flush"


def test_other_rows_in_the_middle(world: World) -> None:
    client = Client()
    made = world.follow(client, rows=["k1", "k2"])
    client.read()
    again = world.follow(client, made, rows=["k2", "k3"])
    assert again is made
    world.price("k2", 5)
    world.turn()
    client.read()
    assert client.prices() == world.truth("k2", "k3")


def test_a_full_socket_is_skipped_and_made_whole_by_one_frame(world: World) -> None:
    client = Client()
    made = world.follow(client, rows=["k1", "k2"])
    client.read()
    client.line.full = True
    for number in range(5):
        world.price("k1", 1000 + number)
        world.turn()
    assert client.read() == 0, "nothing is queued for it"
    client.line.full = False
    made.drained()
    world.turn()
    assert client.read() == 1
    assert client.prices() == world.truth("k1", "k2")
    assert world.channel.fanout.skipped == 5


def test_who_comes_back_gets_what_changed(world: World) -> None:
    client = Client()
    made = world.follow(client, rows=["k1", "k2"])
    client.read()
    tick, epoch = world.table.tick, world.table.epoch
    made.close()
    world.price("k1", 77)
    world.turn()
    client.followed.since("prices", ["k1", "k2"])
    back = world.follow(client, rows=["k1", "k2"], since={"epoch": epoch, "tick": tick}, new=[])
    assert back.describe()["recovered"] is True
    client.read()
    assert client.prices() == world.truth("k1", "k2")
    other = world.follow(Client(), since={"epoch": epoch + 1, "tick": tick})
    assert other.describe()["recovered"] is False


def test_a_snapshot_is_sent_compressed_to_who_takes_it(world: World) -> None:
    plain, packed = Client(), Client()
    world.follow(plain)
    world.follow(packed, accept=["zstd"])
    for client in (plain, packed):
        client.line.flush()
    assert len(packed.written) < len(plain.written) / 1.5
    for client in (plain, packed):
        client.read()
        while client.followed["prices"].partial:
            world.turn()
            client.read()
    assert packed.prices() == plain.prices() == world.truth()


def test_a_paused_one_gets_one_delta_when_it_goes_on(world: World) -> None:
    client = Client()
    made = world.follow(client, rows=["k1"])
    client.read()
    made.pause()
    for number in range(3):
        world.price("k1", 50 + number)
        world.turn()
    assert client.read() == 0
    made.resume()
    assert client.read() == 1
    assert client.prices() == world.truth("k1")


def test_resync_is_a_snapshot(world: World) -> None:
    client = Client()
    made = world.follow(client, rows=["k1"])
    client.read()
    made.resync()
    assert client.read() == 1
    assert client.followed["prices"].keys == {1: "k1"}


def test_a_rate_is_kept(world: World) -> None:
    client = Client()
    made = world.follow(client, rows=["k1"], max_rate_ms=350)
    client.read()
    frames = 0
    for number in range(40):
        world.price("k1", 200 + number)
        world.turn()
        frames += client.read()
    assert made.describe()["limits"]["max_rate_ms"] == 400
    assert frames == 10


def test_older_frames_and_deltas_live_side_by_side(world: World) -> None:
    client = Client()
    legacy = world.hub.follow(client, world.channel, Subscribe(channel="prices"))
    legacy.open()
    assert world.channel.followers == 1
    deltas = world.follow(client, legacy)
    assert world.channel.followers == 1, "the one takes the place of the other"
    deltas.close()
    assert world.channel.followers == 0


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"format": "xml"}, "UNKNOWN_FORMAT"),
        ({"rows": [str(number) for number in range(1001)]}, "TOO_MANY_ROWS"),
        ({"since": {"epoch": 1, "tick": 10**9}}, "INVALID_SINCE"),
        ({"since": {"epoch": 1, "offset": 1}}, "INVALID_SINCE"),
    ],
)
def test_what_cannot_be_had_is_said(world: World, asked: dict[str, Any], code: str) -> None:
    message = msgspec.convert({"channel": "prices", "format": "binary", **asked}, Subscribe)
    with pytest.raises(WireError) as refused:
        world.hub.follow(Client(), world.channel, message)
    assert refused.value.code == code
    assert world.channel.followers == 0


def test_streams_take_any_format_and_views_none(world: World) -> None:
    stream = world.hub.stream("t/news")
    assert world.hub.follow(Client(), stream, Subscribe(channel="news", format="json"))
    view = world.hub.view("t/one", world.table, lambda since: None, 1.0)
    with pytest.raises(WireError, match="older frames only"):
        world.hub.follow(Client(), view, Subscribe(channel="one", format="json"))
    made = world.hub.follow(Client(), stream, Subscribe(channel="news"))
    with pytest.raises(WireError, match="not followed as a table"):
        made.resync()


def test_the_end_of_the_channel_is_told(world: World) -> None:
    client = Client()
    world.follow(client)
    world.hub.drop("t/prices")
    assert client.ended == ["prices"]
    assert Since(epoch=1).tick is UNSET
