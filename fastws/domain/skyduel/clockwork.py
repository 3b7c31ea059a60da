"""Steps the live matches at a fixed rate and serves their players before anybody else.

Matches are spread over a few phases of a step, so that what happens at once is a part of the
work, and whoever sends controls waits a few milliseconds less. A process that was held up makes
up for what it missed, up to `CATCH_UP` steps; what lies further back is dropped and counted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from fastws.domain.skyduel.lobby import PHASES, Lobby
from fastws.domain.skyduel.match import Match
from fastws.hub import PriorityTable
from fastws.hub.registry import SLICE_SECONDS, SLICE_SENDS
from fastws.metrics import Histogram

__all__ = ["Clockwork"]

log = structlog.get_logger()

CATCH_UP: Final = 5
"""Steps made up for after a pause of the process."""

PATIENCE_SECONDS: Final = 0.005


class Clockwork:
    """Runs the matches of ``lobby``, ``lobby.hz`` steps a second. `run` and `run_rest` are jobs."""

    def __init__(
        self,
        lobby: Lobby,
        monotonic: Callable[[], float] = time.monotonic,
        lateness: Histogram | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._lobby = lobby
        self._monotonic = monotonic
        self._sleep = sleep
        self._rest: set[PriorityTable] = set()
        self._woken = asyncio.Event()
        self.lateness = lateness or Histogram()
        """Seconds from when steps were due until they were made."""
        self.late = 0
        """Times that steps were late by more than one step."""
        self.dropped = 0
        """Steps that were never made."""

    async def run(self) -> None:
        """Step for ever, until cancelled."""
        period = 1 / (self._lobby.hz * PHASES)
        begun, turn = self._monotonic(), 0
        while True:
            due = begun + turn * period
            now = self._monotonic()
            if now < due:
                await self._sleep(due - now)
                now = self._monotonic()
            late = now - due
            if late > CATCH_UP * PHASES * period:
                missed = int(late / period)
                self.dropped += missed // PHASES
                log.warning("skyduel.steps_dropped", seconds=round(late, 3))
                turn += missed
                continue
            await self._turn(turn % PHASES, late)
            turn += 1

    async def _turn(self, phase: int, late: float) -> None:
        """One step of the matches of a phase."""
        matches = self._lobby.due(phase)
        if not matches:
            return
        self.lateness.observe(late)
        self.late += late > 1 / self._lobby.hz
        begun = self._monotonic()
        for match in matches:
            self.step(match)
            # Others may come between, but not while this is late: then they made it late.
            if late < PATIENCE_SECONDS and self._monotonic() - begun >= SLICE_SECONDS:
                await asyncio.sleep(0)
                begun = self._monotonic()
        if self._rest:
            self._woken.set()

    def step(self, match: Match) -> None:
        """One step of a match if it is live, and frames of what changed for players."""
        try:
            went_on = match.turn()
            if not went_on and match not in self._lobby.changed:
                return
            self._lobby.changed.discard(match)
            now = self._monotonic()
            for screen in match.screens:
                screen.serve_first(now)
                if len(screen.fanout):
                    self._rest.add(screen)
            for screen in match.screens:
                screen.first.leave_now()
            if went_on and match.over:
                self._lobby.ended(match)
        except Exception:  # its fault is not that of the matches after it
            log.exception("skyduel.step_failed", match=match.id)
            self._lobby.abandon(match, "A fault of the server; it is logged there")

    async def run_rest(self) -> None:
        """Serve those who only watch, in slices, for ever."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            screens, self._rest = self._rest, set()
            now = begun = self._monotonic()
            frames = 0
            for screen in screens:
                for made in screen.serve_rest(now):
                    frames += made
                    if frames >= SLICE_SENDS or self._monotonic() - begun >= SLICE_SECONDS:
                        await asyncio.sleep(0)
                        begun, frames = self._monotonic(), 0
