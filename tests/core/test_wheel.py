"""The wheel of pings: who is silent, who is slow, and who is gone."""

from __future__ import annotations

import struct

import pytest

from fastws._core.wheel import Wheel
from fastws.errors import Close
from tests.core.wire import CLOSE, PING, Wired, masked


def pass_time(wired: Wired, seconds: int) -> None:
    for _ in range(seconds):
        wired.clock.now += 1
        wired.wheel.turn()


async def test_a_silent_peer_is_pinged_then_closed() -> None:
    wired = Wired()
    pass_time(wired, 29)
    assert wired.sent() == []
    pass_time(wired, 3)
    ((opcode, payload),) = wired.sent()
    assert (opcode, len(payload)) == (PING, 8)
    pass_time(wired, 18)
    assert wired.socket.open
    pass_time(wired, 4)
    assert wired.sent() == [(CLOSE, struct.pack("!H", 1008) + b"Heartbeat timeout")]
    assert Close.HEARTBEAT.reason == "Heartbeat timeout"
    assert wired.wheel.closed == 1
    assert len(wired.wheel) == 0


async def test_a_peer_that_only_answers_pings_lives_and_its_round_trip_is_known() -> None:
    wired = Wired()
    for _ in range(600):
        pass_time(wired, 1)
        for opcode, payload in wired.sent():
            assert opcode == PING
            wired.clock.now += 0.25
            wired.feed(masked(0x8A, payload))
    assert wired.socket.open
    assert wired.socket.rtt_ms == pytest.approx(250, abs=1)


async def test_a_pong_that_answers_nothing_gives_no_round_trip() -> None:
    wired = Wired()
    wired.feed(masked(0x8A, b"unasked!"))
    pass_time(wired, 32)
    wired.sent()
    wired.feed(masked(0x8A, b"whatever"))
    assert wired.socket.rtt_ms == 0
    pass_time(wired, 25)
    assert wired.socket.open, "but it is a sign of life"


async def test_a_dripped_frame_is_no_sign_of_life() -> None:
    wired = Wired()
    frame = masked(0x82, b"x" * 125)
    for byte in frame[:60]:
        wired.feed(bytes([byte]))
        pass_time(wired, 1)
    assert not wired.socket.open
    assert wired.sent()[-1][1][2:] == b"Heartbeat timeout"


async def test_a_slow_peer_that_takes_bytes_lives() -> None:
    wired = Wired()
    wired.transport.stuck = True
    wired.socket.send(b"x" * 10_000)
    for _ in range(200):
        wired.transport.waiting -= 20
        pass_time(wired, 1)
    assert wired.socket.open


async def test_a_stuck_peer_that_takes_nothing_is_closed() -> None:
    wired = Wired()
    wired.transport.stuck = True
    wired.socket.send(b"x" * 10_000)
    pass_time(wired, 56)
    assert not wired.socket.open
    assert wired.wheel.closed == 1


async def test_a_peer_that_sends_is_never_closed_however_little_it_reads() -> None:
    wired = Wired()
    wired.transport.stuck = True
    wired.socket.send(b"x" * 10_000)
    for _ in range(20):
        pass_time(wired, 20)
        wired.feed(masked(0x81, b"heartbeat"))
    assert wired.socket.open


async def test_a_peer_that_reads_nothing_but_speaks_within_the_idle_time_is_never_closed() -> None:
    wired = Wired()
    wired.transport.stuck = True
    for _ in range(60):
        pass_time(wired, 29)
        wired.feed(masked(0x81, b"heartbeat"))
    assert wired.socket.open
    pass_time(wired, 53)
    assert not wired.socket.open


async def test_the_wheel_catches_up_after_the_loop_slept() -> None:
    wired = Wired()
    wired.clock.now += 10_000
    wired.wheel.turn()
    assert [opcode for opcode, _ in wired.sent()] == [PING]
    assert len(wired.wheel) == 1


def test_times_of_the_wheel_must_make_sense() -> None:
    with pytest.raises(ValueError, match="positive"):
        Wheel(0, 20)


class Sleeper:
    """Wants to be looked at every ``period`` seconds."""

    def __init__(self, period: float) -> None:
        self.period = period
        self.looks: list[float] = []

    def look(self, now: float) -> float:
        self.looks.append(now)
        return now + self.period


def test_each_is_looked_at_within_two_seconds_of_its_time() -> None:
    now = 100.0
    wheel = Wheel(30, 20, lambda: now)
    sleepers = [Sleeper(period) for period in (1, 7.5, 20, 30)]
    for sleeper in sleepers:
        wheel.put(sleeper, now + sleeper.period)
    while now < 400:
        now += 1
        wheel.turn()
    for sleeper in sleepers:
        gaps = [b - a for a, b in zip([100.0, *sleeper.looks], sleeper.looks, strict=False)]
        assert all(sleeper.period <= gap <= sleeper.period + 2 for gap in gaps), gaps
        assert len(gaps) >= 300 / (sleeper.period + 2) - 1
    wheel.drop(sleepers[0])
    wheel.drop(sleepers[0])
    assert len(wheel) == 3
