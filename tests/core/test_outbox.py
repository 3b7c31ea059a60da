"""A socket's long texts leave compressed, in order, and hold nobody up but themselves."""

from __future__ import annotations

import asyncio
import zlib

import pytest

from fastws._core.deflate import LEAST, Deflater
from fastws._core.line import Cork, Line
from fastws._core.outbox import Outbox
from tests.core.test_deflate import listed

LONG = 60_000


class Sent:
    """An outbox over a line that writes into a list."""

    def __init__(self, deflater: Deflater) -> None:
        self.written = bytearray()
        self.waiting = 0
        self.cork = Cork(lambda step: None)
        self.line = Line(self.cork, self.written.extend, size_waiting=lambda: self.waiting)
        self.free = asyncio.Event()
        self.outbox = Outbox(deflater, self.line, self.free.set)

    def frames(self) -> list[bytes]:
        """The messages written so far, inflated where RSV1 says so."""
        self.cork.flush()
        data, found = bytes(self.written), []
        while data:
            size, at = data[1], 2
            if size >= 126:
                at = 4 if size == 126 else 10
                size = int.from_bytes(data[2:at], "big")
            payload, first = data[at : at + size], data[0]
            data = data[at + size :]
            assert first in (0x81, 0x82, 0xC1), "RSV1 is for texts"
            if first == 0xC1:
                payload = zlib.decompressobj(-15).decompress(payload + b"\0\0\xff\xff")
            found.append(payload)
        return found

    async def until_free(self) -> None:
        async with asyncio.timeout(60):
            await self.free.wait()


@pytest.fixture
def deflater() -> Deflater:
    return Deflater()


async def test_what_is_short_or_binary_leaves_as_it_is(deflater: Deflater) -> None:
    sent = Sent(deflater)
    messages = [(b"x" * (LEAST - 1), False), (b"y" * LONG, True)]
    for message in messages:
        sent.outbox.send(*message)
    assert sent.frames() == [data for data, _ in messages]
    assert (deflater.compressions, sent.outbox.held) == (0, 0)


async def test_messages_keep_their_order_behind_a_long_one(deflater: Deflater) -> None:
    sent = Sent(deflater)
    messages = [b"first", listed(LONG, 1), b"second", listed(LEAST, 2), listed(LONG, 3), b"last"]
    for data in messages:
        sent.outbox.send(data, False)
    assert sent.frames() == [b"first"]
    assert len(b"secondlast") < sent.outbox.held < sum(map(len, messages[1:])) / 3
    assert sent.line.full, "tables and streams are not to pile up behind it"
    await sent.until_free()
    assert sent.frames() == messages
    assert (sent.outbox.held, sent.line.full) == (0, False)
    assert len(sent.written) < sum(map(len, messages)) / 2


async def test_all_who_are_sent_a_text_share_one_compression(deflater: Deflater) -> None:
    everybody = [Sent(deflater) for _ in range(20)]
    data = listed(LONG)
    for sent in everybody:
        sent.outbox.send(data, False)
    for sent in everybody:
        await sent.until_free()
        assert sent.frames() == [data]
    assert deflater.compressions == 1
    assert deflater.saved == sum(len(data) + 10 - len(sent.written) - 6 for sent in everybody)


async def test_a_line_that_is_full_for_its_own_reasons_stays_full(deflater: Deflater) -> None:
    sent, next_one = Sent(deflater), Sent(deflater)
    data = listed(LONG)
    sent.outbox.send(data, False)
    next_one.outbox.send(data, False)
    sent.waiting = 1
    await next_one.until_free()
    assert (sent.outbox.held, sent.line.full) == (0, True)
    assert not sent.free.is_set(), "its socket will say when it has drained"


async def test_at_the_end_nothing_that_waits_is_lost(deflater: Deflater) -> None:
    sent = Sent(deflater)
    messages = [listed(LONG), b"the error that explains the end"]
    for data in messages:
        sent.outbox.send(data, False)
    sent.outbox.let_go()
    assert sent.frames() == messages
    sent.outbox.release()
    assert sent.frames() == messages, "and not sent twice"
    assert not sent.free.is_set()


async def test_what_waits_for_a_socket_that_is_gone_is_dropped(deflater: Deflater) -> None:
    sent, other = Sent(deflater), Sent(deflater)
    data = listed(LONG)
    sent.outbox.send(data, False)
    other.outbox.send(data, False)
    sent.line.forget()
    sent.outbox.drop()
    await other.until_free()
    assert other.frames() == [data]
    assert (sent.frames(), sent.outbox.held) == ([], 0)
