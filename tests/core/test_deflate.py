"""Texts are compressed once, shared, and never make the loop or a client wait for the others."""

from __future__ import annotations

import asyncio
import gc
import logging
import random
import zlib

import orjson
import pytest

from fastws._core import deflate as room
from fastws._core.deflate import AT_ONCE, KEPT_BYTES, LEAST, QUEUE, Deflater, deflate


def listed(size: int, seed: int = 0) -> bytes:
    """A list in JSON of at least that many bytes; no two calls give the same object."""
    numbers = random.Random(seed)
    rows = [{"id": at, "price": numbers.random()} for at in range(size // 20)]
    return orjson.dumps({"type": "list", "rows": rows})


def inflated(packed: bytes) -> bytes:
    return zlib.decompressobj(-15).decompress(packed + b"\0\0\xff\xff")


class Reader:
    """Asks for texts in order and waits where it has to."""

    def __init__(self, deflater: Deflater, *texts: bytes) -> None:
        self.deflater = deflater
        self.texts = list(texts)
        self.got: list[bytes] = []
        self.through = asyncio.Event()

    def release(self) -> None:
        while self.texts:
            packed = self.deflater.pack(self.texts[0], self)
            if packed is None:
                return
            self.got.append(packed)
            del self.texts[0]
        self.through.set()

    async def done(self) -> list[bytes]:
        async with asyncio.timeout(60):
            await self.through.wait()
        return self.got


async def test_a_short_text_is_compressed_on_the_spot_and_once() -> None:
    deflater, data = Deflater(), listed(LEAST)[:AT_ONCE]
    readers = [Reader(deflater, data) for _ in range(100)]
    for reader in readers:
        reader.release()
    packed = readers[0].got[0]
    assert inflated(packed) == data
    assert all(reader.got[0] is packed for reader in readers)
    assert (deflater.compressions, deflater.sent) == (1, 100)
    assert deflater.saved == 100 * (len(data) - len(packed))


async def test_a_long_text_is_compressed_in_a_thread_and_once_for_all_who_wait() -> None:
    deflater, data = Deflater(), listed(1_000_000)
    readers = [Reader(deflater, data) for _ in range(50)]
    for reader in readers:
        reader.release()
        assert reader.got == [], "nobody's turn is taken for it"
    found = [(await reader.done())[0] for reader in readers]
    assert inflated(found[0]) == data
    assert all(packed is found[0] for packed in found)
    late = Reader(deflater, data)
    late.release()
    assert late.got[0] is found[0], "and for those who come later"
    assert deflater.compressions == 1


async def test_texts_that_wait_keep_their_order() -> None:
    deflater = Deflater()
    texts = [listed(50_000, seed) for seed in range(3)] + [listed(LEAST, 9)]
    reader = Reader(deflater, *texts)
    reader.release()
    assert list(map(inflated, await reader.done())) == texts


async def test_those_who_wait_are_released_a_slice_at_a_time() -> None:
    ticks = iter(range(10_000))
    deflater = Deflater(lambda: next(ticks) * room.SLICE_SECONDS / 4)
    data = listed(50_000)
    readers = [Reader(deflater, data) for _ in range(10)]
    for reader in readers:
        reader.release()
    turns = []
    while not all(reader.got for reader in readers):
        await asyncio.sleep(0)
        turns.append(sum(bool(reader.got) for reader in readers))
    steps = [b - a for a, b in zip([0, *turns], turns, strict=False)]
    assert max(steps) == 3, "what fits into a slice"


async def test_what_comes_while_the_thread_is_behind_is_sent_as_it_is() -> None:
    deflater = Deflater()
    texts = [listed(200_000, seed) for seed in range(QUEUE + 2)]
    readers = [Reader(deflater, text) for text in texts]
    for reader in readers:
        reader.release()
    assert [bool(reader.got) for reader in readers] == [False] * (QUEUE + 1) + [True]
    assert readers[-1].got[0] is texts[-1]
    assert deflater.plain == 1
    for reader in readers[:-1]:
        await reader.done()
    again = Reader(deflater, texts[-1])
    again.release()
    assert inflated((await again.done())[0]) == texts[-1]


async def test_noise_is_sent_as_it_is() -> None:
    deflater = Deflater()
    for size in (LEAST, 100_000):
        data = random.Random(size).randbytes(size)
        reader = Reader(deflater, data)
        reader.release()
        assert (await reader.done())[0] is data
    assert (deflater.plain, deflater.saved) == (2, 0)


async def test_equal_texts_that_are_not_the_same_do_not_share() -> None:
    deflater = Deflater()
    for _ in range(2):
        reader = Reader(deflater, listed(AT_ONCE // 4)[:AT_ONCE])
        reader.release()
        await reader.done()
    assert deflater.compressions == 2, "comparing them would cost more than it saves"


async def test_old_texts_are_let_go_and_those_in_use_are_kept() -> None:
    deflater, used = Deflater(), listed(200_000, -1)
    for seed in range(60):
        reader = Reader(deflater, listed(200_000, seed), used)
        reader.release()
        await reader.done()
    assert deflater._size <= KEPT_BYTES
    assert deflater.compressions == 61, "what is used in between stays"
    gc.collect()
    assert len(deflater._texts) * 200_000 <= KEPT_BYTES


async def test_a_reader_that_fails_does_not_stop_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    deflater, data = Deflater(), listed(50_000)

    class Broken(Reader):
        def release(self) -> None:
            raise RuntimeError("gone")

    deflater.pack(data, Broken(deflater))
    reader = Reader(deflater, data)
    reader.release()
    assert inflated((await reader.done())[0]) == data
    assert "could not be released" in caplog.text


async def test_a_text_that_cannot_be_compressed_is_sent_as_it_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(data: bytes) -> bytes:
        raise MemoryError

    monkeypatch.setattr(room, "deflate", fail)
    deflater, data = Deflater(), listed(50_000)
    reader = Reader(deflater, data)
    with caplog.at_level(logging.ERROR):
        reader.release()
        assert (await reader.done())[0] is data
    assert "could not be compressed" in caplog.text


def test_nothing_is_left_of_the_end_of_the_stream() -> None:
    packed = deflate(b"a" * 5000)
    assert not packed.endswith(b"\0\0\xff\xff")
    assert inflated(packed) == b"a" * 5000
