"""What streams and views share: opening, closing, figures, and a subscriber that fails."""

from __future__ import annotations

import pytest

from fastws.hub.channel import Channel, Subscription
from tests.hub.readers import Reader


class Plain(Channel):
    """A channel without a kind of its own."""

    kind = "table"

    @property
    def position(self) -> dict[str, int]:
        return {"epoch": 3, "tick": 9}


class Counting(Subscription):
    """A subscription that counts how often it is asked to catch up."""

    __slots__ = ("asked",)

    def __init__(self, channel: Channel, reader: Reader) -> None:
        super().__init__(channel, reader)
        self.asked = 0

    def catch_up(self) -> None:
        self.asked += 1


@pytest.fixture
def channel() -> Plain:
    return Plain("endpoint/some/label", 5)


def test_the_label_is_the_name_without_its_endpoint(channel: Plain) -> None:
    assert channel.label == "some/label"


def test_a_confirmation_names_kind_number_and_position(channel: Plain) -> None:
    described = Subscription(channel, Reader()).describe()
    assert described == {"kind": "table", "channel_id": 5, "epoch": 3, "tick": 9}


def test_it_catches_up_when_opened_drained_or_resumed_and_never_after_close(channel: Plain) -> None:
    subscription = Counting(channel, Reader())
    assert not subscription.live
    subscription.open()
    subscription.open()
    assert subscription.asked == 1, "opened once"
    subscription.drained()
    subscription.pause()
    assert subscription.paused
    subscription.resume()
    assert (subscription.asked, subscription.paused) == (3, False)
    subscription.close()
    subscription.close()
    subscription.open()
    assert (subscription.asked, subscription.live) == (3, False)
    assert channel.subscriptions == set()


def test_what_is_sent_is_counted(channel: Plain) -> None:
    reader = Reader()
    subscription = Subscription(channel, reader)
    assert subscription.send(b"12345")
    assert subscription.send(b"123")
    assert (channel.messages, channel.bytes) == (2, 8)
    assert reader.channels == ["some/label"] * 2


def test_a_subscriber_that_fails_is_dropped_and_the_others_are_not(channel: Plain) -> None:
    bad, good = Reader(), Reader()
    bad.broken = True
    first, second = Subscription(channel, bad), Subscription(channel, good)
    assert not first.send(b"x")
    assert second.send(b"x")
    assert channel.subscriptions == {second}
    assert (channel.messages, channel.bytes) == (1, 1)


def test_ending_a_channel_tells_everybody(channel: Plain) -> None:
    readers = [Reader(), Reader()]
    held = [Subscription(channel, reader) for reader in readers]
    channel.end("OVER", "It is over")
    assert [reader.ended for reader in readers] == [[("some/label", "OVER", "It is over")]] * 2
    assert not any(subscription.live for subscription in held)
    assert channel.subscriptions == set()
