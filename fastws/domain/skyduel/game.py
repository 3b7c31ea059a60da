"""What a game must be so that matches of it can be played: a few methods, whole numbers, no clock.

A game is determined by its rules, its seed and the controls that were applied before each step:
the same of these give the same `digest`. It knows no players, no time and no sockets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple, Protocol

from msgspec import Struct

from fastws._core.stick import Stick
from fastws._core.table import Column, Table

__all__ = ["Change", "Controls", "Game", "Happening", "Rules", "Score"]


class Rules(Struct, frozen=True):
    """What may be chosen: ``hz`` steps a second, the end by ``score`` or after ``seconds``."""

    hz: int = 30
    score: int = 10
    seconds: int = 180


Change = tuple[int, int, int, int, bool]
"""Steps made before it, seat, and the controls from then on."""


class Controls(NamedTuple):
    """What a player does: ``throttle`` 0 to 127, ``turn`` -127 to 127, ``fire``."""

    throttle: int = 0
    turn: int = 0
    fire: bool = False


class Happening(NamedTuple):
    """Something that everybody in a match hears of."""

    type: str
    fields: dict[str, Any]


class Score(NamedTuple):
    """What a seat has reached: more of ``score`` is better, then fewer ``deaths``."""

    seat: int
    score: int
    deaths: int


class Game(Protocol):
    """One game of ``seats`` players, of whom only ``taken`` seats are played."""

    mode: ClassVar[str]
    seats: ClassVar[tuple[int, int]]  # at least, at most
    columns: ClassVar[Sequence[Column]]  # of what everybody sees; `state` and `name` among them
    common: ClassVar[tuple[tuple[str, ...], ...]]
    own_columns: ClassVar[Sequence[Column]]  # of what only the player sees

    def __init__(self, seats: int, taken: Sequence[int], seed: int, rules: Rules) -> None: ...

    @staticmethod
    def rows(seats: int) -> list[str]:
        """Keys of the rows that `show` writes, in their order, after the row ``game``."""

    @property
    def steps(self) -> int:
        """Steps that were made."""

    @property
    def digest(self) -> int:
        """A number for the whole game so far, 64 bits."""

    @property
    def over(self) -> bool:
        """Whether it has ended."""

    def follow(self, stick: Stick, changes: list[Change]) -> None:
        """Let a player steer his seat; what he changes is added to ``changes``.

        A game in Python asks `Stick.read` at each step, and adds what is new to it itself.
        """

    def apply(self, seat: int, controls: Controls) -> None:
        """Steer a seat like this from the next step on, as it was recorded."""

    def remove(self, seat: int) -> None:
        """A player left for good."""

    def step(self) -> bool:
        """A step on; False when it is over after it."""

    def turn(self, table: Table, own: Table, now: float) -> bool:
        """A step on, shown and sealed at ``now``; whether something happened or it is over."""

    def happened(self) -> list[Happening]:
        """What happened since the last call."""

    def show(self, table: Table, own: Table) -> None:
        """Set the cells of what is to be seen."""

    def scores(self) -> list[Score]:
        """Where each seat stands."""
