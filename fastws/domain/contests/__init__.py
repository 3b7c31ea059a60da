"""Contests: what there is, who leads, who is there and what they say."""

from fastws.domain.contests.book import Contests, Entry
from fastws.domain.contests.chat import Chat
from fastws.domain.contests.leaderboard import Board, Leaderboards
from fastws.domain.contests.lifecycle import Lifecycle
from fastws.domain.contests.rooms import Guest, Room, Rooms

__all__ = [
    "Board",
    "Chat",
    "Contests",
    "Entry",
    "Guest",
    "Leaderboards",
    "Lifecycle",
    "Room",
    "Rooms",
]
