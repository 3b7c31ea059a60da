"""The recording of a match: what is needed to play it again to the same last digest.

Only controls that changed something are kept. The bytes are a zstd frame of varints: version,
seed, rules, seats, the seats taken, then for each change the steps since the one before, the
seat with a bit for ``fire``, and the two controls, a number higher than they are: a throttle of 0
says that the player left.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import zstandard
from msgspec import Struct

from fastws.domain.skyduel.game import Change, Controls, Game, Rules

__all__ = ["Recording", "read", "replay"]

VERSION: Final = 1
LONGEST: Final = 64 * 1024 * 1024
"""Bytes of the longest recording, unpacked."""

LEFT: Final = -1
"""In place of a throttle: the player left."""


class Recording(Struct):
    """How a match began, and what players changed, in order."""

    seed: int
    rules: Rules
    seats: int
    taken: tuple[int, ...]
    changes: list[Change]

    def leave(self, steps: int, seat: int) -> None:
        """A player left for good."""
        self.changes.append((steps, seat, LEFT, 0, False))

    def pack(self) -> bytes:
        """To bytes."""
        body = bytearray()
        rules = self.rules
        head = [VERSION, self.seed, rules.hz, rules.score, rules.seconds, self.seats]
        _put(body, [*head, len(self.taken), *self.taken])
        before = 0
        for step, seat, throttle, turn, fire in self.changes:
            _put(body, [step - before, seat << 1 | fire, throttle + 1, turn + 127])
            before = step
        return zstandard.ZstdCompressor(level=9).compress(bytes(body))


def read(data: bytes) -> Recording:
    """From bytes; `ValueError` for what is no recording."""
    try:
        numbers = iter(_numbers(zstandard.ZstdDecompressor().decompress(data, LONGEST)))
        if next(numbers) != VERSION:
            raise ValueError("a recording of another version")
        seed, hz, score, seconds, seats, count = [next(numbers) for _ in range(6)]
        taken = tuple([next(numbers) for _ in range(count)])
        made = Recording(seed, Rules(hz, score, seconds), seats, taken, [])
        step = 0
        for gap in numbers:
            step += gap
            seat, fire = divmod(next(numbers), 2)
            throttle, turn = next(numbers) - 1, next(numbers) - 127
            made.changes.append((step, seat, throttle, turn, bool(fire)))
        return made
    except (StopIteration, zstandard.ZstdError) as error:
        raise ValueError("no recording, or a part of one") from error


def replay(recording: Recording, game: type[Game], steps: int) -> Game:
    """The game after so many steps, or where it ended before."""
    played = game(recording.seats, recording.taken, recording.seed, recording.rules)
    waiting = iter(recording.changes)
    following = next(waiting, None)
    while played.steps < steps:
        while following is not None and following[0] <= played.steps:
            _, seat, throttle, turn, fire = following
            if throttle == LEFT:
                played.remove(seat)
            else:
                played.apply(seat, Controls(throttle, turn, fire))
            following = next(waiting, None)
        if not played.step():
            break
    return played


def _put(into: bytearray, numbers: Sequence[int]) -> None:
    for number in numbers:
        left = number
        while left > 127:
            into.append(left & 127 | 128)
            left >>= 7
        into.append(left)


def _numbers(data: bytes) -> Iterable[int]:
    number = shift = 0
    for byte in data:
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            yield number
            number = shift = 0
