"""The built-in game: planes that shoot at each other. Its rules are in docs/skyduel.md."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from fastws._core import arena
from fastws._core.arena import Arena
from fastws._core.stick import Stick
from fastws._core.table import Column, Table
from fastws.domain.skyduel.game import Change, Controls, Happening, Rules, Score

__all__ = ["Dogfight"]

TYPES: Final = {arena.HIT: "hit", arena.DOWNED: "down", arena.RESPAWN: "respawn"}


class Dogfight:
    """Planes, by seat."""

    mode: ClassVar[str] = "dogfight"
    seats: ClassVar[tuple[int, int]] = (2, arena.PLANES)
    # Numbers that change a little each step are decimals: a difference is one byte.
    columns: ClassVar[Sequence[Column]] = (
        *(Column(name, "decimal") for name in ("x", "y", "heading", "speed", "seq")),
        Column("state", "enum"),
        *(Column(name, "int") for name in ("health", "score", "deaths")),
        Column("name", "text"),
    )
    common: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("x", "y", "seq"),
        ("x", "y", "heading", "seq"),
        ("x", "y", "heading", "speed", "seq"),
    )
    own_columns: ClassVar[Sequence[Column]] = tuple(
        Column(name, "int") for name in ("ammo", "ready_at", "full_at")
    )

    def __init__(self, seats: int, taken: Sequence[int], seed: int, rules: Rules) -> None:
        self._arena = Arena(seats, seed, hz=rules.hz, score=rules.score, seconds=rules.seconds)
        for seat in range(seats):
            if seat not in taken:
                self._arena.remove(seat)

    @staticmethod
    def rows(seats: int) -> list[str]:
        """``p<seat>`` of planes, then ``p<seat>.<slot>`` of their shots."""
        planes = [f"p{seat}" for seat in range(seats)]
        return planes + [f"{plane}.{slot}" for plane in planes for slot in range(arena.SHOTS)]

    @property
    def steps(self) -> int:
        """Steps that were made."""
        return self._arena.steps

    @property
    def digest(self) -> int:
        """A number for the whole game so far, 64 bits."""
        return self._arena.digest

    @property
    def over(self) -> bool:
        """Whether the time is over or somebody has the score."""
        return self._arena.over

    def follow(self, stick: Stick, changes: list[Change]) -> None:
        """Let a pilot steer his plane."""
        stick.begin(self._arena, changes)

    def apply(self, seat: int, controls: Controls) -> None:
        """Steer a plane like this from the next step on, as it was recorded."""
        self._arena.input(seat, 0, *controls)

    def remove(self, seat: int) -> None:
        """A pilot left; his shots fly on."""
        self._arena.remove(seat)

    def step(self) -> bool:
        """A step on; False when it is over after it."""
        return self._arena.step() and not self._arena.over

    def turn(self, table: Table, own: Table, now: float) -> bool:
        """A step on, shown and sealed; whether something happened or it is over."""
        return self._arena.turn(table, own, now)

    def happened(self) -> list[Happening]:
        """Hits, planes that went down and planes that came back."""
        found = self._arena.take_events()
        if not found:
            return []
        health = [plane[5] for plane in self._arena.planes_now()]
        return [_happening(kind, seat, by, health[seat]) for kind, seat, by in found]

    def show(self, table: Table, own: Table) -> None:
        """Row 0 is ``game``; planes and shots follow, as `rows` has them."""
        self._arena.show(table, 0, 1)
        self._arena.show_own(own, 0)

    def scores(self) -> list[Score]:
        """Shot down, and been shot down."""
        planes = self._arena.planes_now()
        return [Score(seat, plane[7], plane[8]) for seat, plane in enumerate(planes)]

    def planes(self) -> list[tuple[int, ...]]:
        """(x, y, heading, speed, state, health, ammo, score, deaths, seq) by seat, for pilots."""
        return self._arena.planes_now()


def _happening(kind: int, seat: int, by: int, health: int) -> Happening:
    if kind == arena.RESPAWN:
        return Happening("respawn", {"player": seat})
    fields = {"player": seat, "by": by}
    return Happening(TYPES[kind], fields | {"health": health} if kind == arena.HIT else fields)
