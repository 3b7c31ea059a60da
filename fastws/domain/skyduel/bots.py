"""Pilots that are no people: enough to have somebody to shoot at, and to fill matches.

`fly` decides from what everybody may see, in the units of the wire, so that a client of another
process can be a bot, too (the load tests are).
"""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from fastws._core import arena
from fastws.domain.skyduel.dogfight import Dogfight
from fastws.domain.skyduel.game import Controls
from fastws.domain.skyduel.lobby import Lobby
from fastws.domain.skyduel.match import Match, Player
from fastws.errors import StoreUnavailable

__all__ = ["Plane", "fill", "fly", "in_the_air", "keep_alive", "steer"]

NAMES: Final = ("Ada", "Blaze", "Comet", "Dusk", "Echo", "Falcon", "Gale", "Hawk")

EDGE: Final = 200 * 8
"""Eighths of a u from the edge of the sky at which a bot turns back."""

LONELY_SECONDS: Final = 5.0
"""How long a player of a quick match waits for people before bots come."""

NEAR: Final = 520 * 8
"""Eighths of a u within which a shot may hit."""


class Plane(NamedTuple):
    """What is seen of a plane: eighths of a u, 4096 to a turn, 1/64 u a step."""

    x: int
    y: int
    heading: int
    speed: int


def fly(me: Plane, others: Sequence[Plane], boldness: float = 1.0) -> Controls:
    """Controls towards where the nearest other will be; away from the edge of the sky."""
    width, height = arena.WIDTH * 8, arena.HEIGHT * 8
    inside = EDGE < me.x < width - EDGE and EDGE < me.y < height - EDGE
    target = min(others, key=lambda one: math.hypot(one.x - me.x, one.y - me.y), default=None)
    if target is None or not inside:
        turn, _ = _towards(me, width / 2, height / 2)
        return Controls(100, turn)
    distance = math.hypot(target.x - me.x, target.y - me.y)
    ahead = distance / (16 * 8)  # steps a shot takes there, at 30 a second
    angle = target.heading * math.tau / 4096
    x = target.x + math.cos(angle) * target.speed / 8 * ahead
    y = target.y + math.sin(angle) * target.speed / 8 * ahead
    turn, off = _towards(me, x, y)
    fire = distance < NEAR and abs(off) < 0.08 * boldness
    return Controls(127 if distance > NEAR / 2 else 60, turn, fire)


def _towards(me: Plane, x: float, y: float) -> tuple[int, float]:
    """How to turn, and by how many radians the heading is off."""
    off = math.atan2(y - me.y, x - me.x) - me.heading * math.tau / 4096
    off = (off + math.pi) % math.tau - math.pi
    return max(-127, min(127, round(off * 400))), off


def in_the_air(game: Dogfight) -> dict[int, Plane]:
    """The planes that fly, by seat, as they are seen."""
    return {
        seat: Plane(one[0] >> 7, one[1] >> 7, one[2] >> 4, one[3] >> 4)
        for seat, one in enumerate(game.planes())
        if one[4] in (arena.FLYING, arena.SHIELDED)
    }


def steer(match: Match) -> None:
    """Let the bots of a match that is live decide."""
    if not isinstance(match.game, Dogfight):
        return
    flying = in_the_air(match.game)
    for seat in match.present:
        me = flying.get(seat.number)
        if seat.player.bot and me is not None:
            others = [one for number, one in flying.items() if number != seat.number]
            controls = fly(me, others, 0.5 + seat.number % 4 / 2)
            seat.stick.put(0.0, match.steps, 0, *controls)


def fill(lobby: Lobby, match: Match, count: int, first: int = 0) -> None:
    """Seat so many bots; those of the number ``first`` on."""
    match.before_step.append(steer)
    for number in range(first, first + count):
        name = f"{NAMES[number % len(NAMES)]} {number // len(NAMES) + 1}"
        lobby.sit(match, Player(f"bot.{number}", name, bot=True))


async def keep_alive(
    lobby: Lobby,
    matches: int = 2,
    players: int = 4,
    *,
    pause: float = 1.0,
    clock: Callable[[], float] = time.time,
) -> None:
    """Keep so many matches of bots alive, for ever, and give company to who waits alone."""
    numbers = itertools.count(step=players)
    mine: list[Match] = []
    while True:
        mine = [match for match in mine if not match.over]
        while len(mine) < matches:
            try:
                match = await lobby.create(None, most=players + 2)
            except StoreUnavailable:
                break
            fill(lobby, match, players, next(numbers))
            mine.append(match)
        for match in lobby:
            alone = match.quick and match.status == "lobby" and len(match.present) == 1
            if alone and clock() - match.changed_at >= LONELY_SECONDS:
                fill(lobby, match, players - 1, next(numbers))
        await asyncio.sleep(pause)
