"""Another game behind the same seats, inputs, frames, recordings and results: a race in Python."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import pytest

from fastws._core.stick import Stick
from fastws._core.table import Column, Table
from fastws.domain.skyduel import MODES, lobby
from fastws.domain.skyduel.game import Change, Controls, Happening, Rules, Score
from fastws.domain.skyduel.recording import read, replay
from fastws.store.pool import Database
from tests.endpoints.sky import Sky
from tests.endpoints.test_skyduel import steer


class Race:
    """Who is at 1,000 first. ``fire`` is a push, once a step."""

    mode: ClassVar[str] = "race"
    seats: ClassVar[tuple[int, int]] = (2, 4)
    columns: ClassVar[Sequence[Column]] = (
        Column("at", "decimal"), Column("seq", "int"), Column("state", "enum"),
        Column("name", "text"),
    )  # fmt: skip
    common: ClassVar[tuple[tuple[str, ...], ...]] = (("at", "seq"),)
    own_columns: ClassVar[Sequence[Column]] = (Column("pushes", "int"),)

    def __init__(self, seats: int, taken: Sequence[int], seed: int, rules: Rules) -> None:
        self.steps = 0
        self.digest = seed & 0xFFFF
        self._rules = rules
        self._at = dict.fromkeys(taken, 0)
        self._controls = dict.fromkeys(taken, Controls())
        self._sticks: dict[int, Stick] = {}
        self._seqs = dict.fromkeys(taken, 0)
        self._changes: list[Change] = []
        self._happened: list[Happening] = []

    @staticmethod
    def rows(seats: int) -> list[str]:
        return [f"p{seat}" for seat in range(seats)]

    @property
    def over(self) -> bool:
        late = self.steps >= self._rules.seconds * self._rules.hz
        return late or any(at >= 1000 for at in self._at.values())

    def follow(self, stick: Stick, changes: list[Change]) -> None:
        stick.begin()
        self._sticks[stick.number] = stick
        self._changes = changes

    def apply(self, seat: int, controls: Controls) -> None:
        self._controls[seat] = controls

    def remove(self, seat: int) -> None:
        self._at.pop(seat)
        self._sticks.pop(seat, None)

    def step(self) -> bool:
        for seat, stick in self._sticks.items():
            self._seqs[seat], *asked = stick.read()
            controls = Controls(*asked)  # type: ignore[arg-type]
            if controls != self._controls[seat]:
                self._controls[seat] = controls
                self._changes.append((self.steps, seat, *controls))
        self.steps += 1
        for seat in self._at:
            self._at[seat] += self._controls[seat].throttle // 16 + self._controls[seat].fire
            if self._at[seat] >= 1000:
                self._happened.append(Happening("there", {"player": seat}))
            self.digest = (self.digest * 31 + self._at[seat]) % 2**64
        return not self.over

    def turn(self, table: Table, own: Table, now: float) -> bool:
        self.step()
        self.show(table, own)
        table.seal(now)
        own.seal(now)
        return self.over

    def happened(self) -> list[Happening]:
        found, self._happened = self._happened, []
        return found

    def show(self, table: Table, own: Table) -> None:
        for seat, at in self._at.items():
            table.set_row(f"p{seat}", {"at": (at, 0), "seq": max(self._seqs[seat], 0), "state": 1})

    def scores(self) -> list[Score]:
        return [Score(seat, at, 0) for seat, at in self._at.items()]


async def test_a_race_is_run_from_the_lobby_to_the_result(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lobby, "MODES", {**MODES, "race": Race})
    sky = Sky(database)
    anna, bert, id_ = await sky.pair(mode="race", max_players=2, seconds=60)
    await sky.play(3.1)

    def each(step: int) -> None:
        steer(anna, step, throttle=127, fire=step % 2 == 0)
        steer(bert, step, throttle=100)

    await sky.play(10, each)
    rows = bert.rows(f"match.{id_}")
    assert rows["game"]["state"] == 3
    assert rows["p0"]["at"][0] >= 1000 > rows["p1"]["at"][0] > 700
    match = sky.lobby.find(id_)
    await sky.store()
    result = await anna.ask(type="get_result", match_id=id_)
    assert result["winner"] == "AnnaWa11et"
    assert "there" in {one["type"] for one in anna.heard}
    packed = await sky.rows.recording(id_)
    assert packed is not None
    again = replay(read(packed), Race, match.steps)
    assert f"{again.digest:016x}" == result["digest"]
