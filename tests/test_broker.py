"""The broker of one process: numbers, history, listeners, owners and announcements."""

from __future__ import annotations

import pytest

from fastws.broker import MemoryBroker, Position, Publication
from fastws.errors import Unavailable


def encode(offset: int) -> bytes:
    return b"#%d" % offset


@pytest.fixture
def broker() -> MemoryBroker:
    return MemoryBroker(3, lambda: 1_700_000_000.123)


def test_a_process_that_starts_later_has_a_greater_epoch(broker: MemoryBroker) -> None:
    assert broker.epoch == 1_700_000_000_123
    assert MemoryBroker(3, lambda: 1_700_000_000.125).epoch > broker.epoch


async def test_channels_are_numbered_from_one_each_on_its_own(broker: MemoryBroker) -> None:
    assert broker.position("a") == await broker.tail("a") == Position(broker.epoch, 0)
    assert [(await broker.publish("a", encode)).offset for _ in range(3)] == [1, 2, 3]
    assert (await broker.publish("b", encode)).offset == 1
    assert broker.position("a") == await broker.tail("a") == Position(broker.epoch, 3)


async def test_a_message_is_encoded_under_the_offset_it_gets(broker: MemoryBroker) -> None:
    await broker.publish("a", encode)
    await broker.publish("a", encode)
    assert [item.payload for item in await broker.history("a", 0, 10)] == [b"#1", b"#2"]


async def test_history_is_bounded_and_begins_after(broker: MemoryBroker) -> None:
    for _ in range(5):
        await broker.publish("a", encode)
    offsets = [item.position.offset for item in await broker.history("a", 0, 10)]
    assert offsets == [3, 4, 5], "the last that are kept, oldest first"
    assert [item.position.offset for item in await broker.history("a", 3, 1)] == [4]
    assert await broker.history("a", 5, 10) == []
    assert await broker.history("never heard of", 0, 10) == []


async def test_everybody_has_heard_it_when_publish_returns(broker: MemoryBroker) -> None:
    heard: list[Publication] = []
    also: list[Publication] = []
    stop = broker.listen("a", heard.append)
    broker.listen("a", also.append)
    broker.listen("b", lambda _: pytest.fail("another channel"))
    position = await broker.publish("a", encode)
    assert heard == also == [Publication(position, b"#1")]
    stop()
    await broker.publish("a", encode)
    assert (len(heard), len(also)) == (1, 2)


async def test_a_listener_may_stop_while_it_listens(broker: MemoryBroker) -> None:
    heard: list[str] = []

    def once(publication: Publication) -> None:
        heard.append("once")
        stop()

    stop = broker.listen("a", once)
    broker.listen("a", lambda _: heard.append("always"))
    await broker.publish("a", encode)
    await broker.publish("a", encode)
    assert heard == ["once", "always", "always"]


async def test_a_command_runs_where_its_owner_is(broker: MemoryBroker) -> None:
    async def turn_round(command: bytes) -> bytes:
        return command[::-1]

    with pytest.raises(Unavailable, match="nobody owns match"):
        await broker.call("match.1", b"abc")
    broker.register("match.1", turn_round)
    assert await broker.call("match.1", b"abc") == b"cba"


async def test_an_announcement_reaches_every_room(broker: MemoryBroker) -> None:
    heard: list[tuple[str, bytes]] = []
    await broker.announce("nobody listens yet", b"")
    broker.on_control(lambda name, payload: heard.append((name, payload)))
    broker.on_control(lambda name, payload: heard.append((name, payload)))
    await broker.announce("revoked", b"session")
    assert heard == [("revoked", b"session")] * 2
