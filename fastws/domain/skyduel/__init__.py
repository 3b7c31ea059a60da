"""SkyDuel: matches of a game that the server plays, step by step, for those who send controls.

A `Match` is a game and who sits in it; the `Lobby` has all matches and who plays where; the
`Clockwork` steps those that are live. Which game is played is behind `Game`.
"""

from fastws.domain.skyduel.clockwork import Clockwork
from fastws.domain.skyduel.game import Game, Rules
from fastws.domain.skyduel.lobby import MODES, Lobby
from fastws.domain.skyduel.match import Match, Notice, Player, Seat
from fastws.domain.skyduel.results import Results

__all__ = [
    "MODES",
    "Clockwork",
    "Game",
    "Lobby",
    "Match",
    "Notice",
    "Player",
    "Results",
    "Rules",
    "Seat",
]
