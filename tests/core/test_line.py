"""A line: one write a turn, whatever the kernel takes, in order; and nothing to a stranger."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fastws._core.line import CORKED, SLICE_LINES, Cork, Line
from tests.core.wire import frames_of


class Turns:
    """A loop whose turns the test makes."""

    def __init__(self) -> None:
        self.steps: list[Callable[[], None]] = []
        self.cork = Cork(self.steps.append)

    def turn(self) -> None:
        steps, self.steps[:] = self.steps[:], []
        for step in steps:
            step()


def held(turns: Turns) -> tuple[Line, list[bytes]]:
    """A line without a descriptor and what its transport was given."""
    given: list[bytes] = []
    return Line(turns.cork, given.append), given


def test_what_is_sent_in_one_turn_leaves_in_one_write() -> None:
    turns = Turns()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:  # a packet a write: it shows how many there were
        line = Line(turns.cork, lambda data: None, ours.fileno())
        for number in range(5):
            line.send(b"%d" % number)
        assert line.corked == 15
        turns.turn()
        assert frames_of(theirs.recv(1000)) == [(1, b"%d" % number) for number in range(5)]
        line.send(b"", 10)
        turns.turn()
        assert frames_of(theirs.recv(1000)) == [(10, b"")]
    assert (line.messages, line.bytes) == (5, 5), "control frames are no messages"


def test_what_is_much_leaves_at_once() -> None:
    line, given = held(Turns())
    line.send(b"x" * CORKED)
    assert line.corked == 0
    assert frames_of(b"".join(given)) == [(1, b"x" * CORKED)]


@given(
    st.lists(st.integers(0, 70_000), max_size=12),
    st.lists(st.integers(0, 50_000), max_size=12),
    st.booleans(),
)
def test_every_byte_arrives_in_order_however_much_the_kernel_takes(
    sizes: list[int], reads: list[int], often: bool
) -> None:
    turns = Turns()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for one in (ours, theirs):
            one.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        waiting = bytearray()  # what the transport holds: the kernel did not take it
        line = Line(turns.cork, waiting.extend, ours.fileno(), None, lambda: len(waiting))
        got = bytearray()

        def read(most: int) -> None:
            while most > 0:
                try:
                    data = theirs.recv(most)
                except BlockingIOError:
                    break
                got.extend(data)
                most -= len(data)
            if waiting:
                try:
                    del waiting[: ours.send(waiting)]
                except BlockingIOError:
                    return
            line.full = bool(waiting)

        wanted = []
        for at, size in enumerate(sizes):
            payload = bytes([at]) * size
            wanted.append((2, payload))
            line.send(payload, 2)
            line.full = bool(waiting)
            if often:
                turns.turn()
                line.full = bool(waiting)
            read(reads[at] if at < len(reads) else 0)
        turns.turn()
        line.full = bool(waiting)
        total = line.accepted + line.pending
        while len(got) < total:
            read(1 << 20)
        assert frames_of(bytes(got)) == wanted
        assert line.accepted == total


def test_a_turn_is_cut_into_slices_and_goes_on() -> None:
    turns = Turns()
    lines = [held(turns) for _ in range(2 * SLICE_LINES + 1)]
    for line, _ in lines:
        line.send(b"x")
    turns.turn()
    written = sum(bool(given) for _, given in lines)
    assert 0 < written <= SLICE_LINES
    while turns.steps:
        turns.turn()
    assert all(len(given) == 1 for _, given in lines)


def test_a_line_that_fails_does_not_keep_the_others(caplog: Any) -> None:
    turns = Turns()

    def broken(data: bytes) -> None:
        raise OSError("gone")

    bad = Line(turns.cork, broken)
    good, given = held(turns)
    bad.send(b"x")
    good.send(b"y")
    turns.turn()
    assert given
    assert not bad.open
    assert "A line could not be written" in caplog.text


def test_nothing_is_written_once_the_transport_closes() -> None:
    """The number of a closed descriptor may be another client's before anybody tells us."""
    turns = Turns()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        closing = False
        line = Line(turns.cork, lambda data: None, ours.fileno(), lambda: closing)
        line.send(b"secret")
        closing = True
        turns.turn()
        try:
            leaked = theirs.recv(100)
        except BlockingIOError:
            leaked = b""
        assert leaked == b""
        assert not line.open


def test_the_end_writes_what_is_held_and_lets_go() -> None:
    line, given = held(Turns())
    line.send(b"last")
    line.end()
    line.send(b"after")
    assert frames_of(b"".join(given)) == [(1, b"last")]
    assert line.corked == 0


async def test_the_running_loop_turns_by_itself() -> None:
    written = asyncio.Event()
    line = Line(Cork(), lambda data: written.set())
    line.send(b"x")
    assert not written.is_set()
    await written.wait()
