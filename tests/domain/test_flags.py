"""Flags: the same wallet always gets the same answer, and ten per cent are ten per cent."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastws.domain.flags import Flags, share
from fastws.store.flags import Flag, FlagRows
from fastws.store.pool import Database
from tests.fakes import make_flags


def known(*flags: Flag) -> Flags:
    made = make_flags()
    made._known = {flag.name: flag for flag in flags}
    return made


@pytest.mark.parametrize("percent", [1, 10, 50])
def test_so_many_per_cent_are_so_many_per_cent(percent: int) -> None:
    flags = known(Flag("f", True, Decimal(percent)))
    on = sum(flags.on("f", f"wallet{number}") for number in range(10_000))
    assert abs(on / 100 - percent) <= 1


@given(st.text(max_size=50), st.text(max_size=20))
def test_a_share_stays_and_lies_between(key: str, name: str) -> None:
    assert 0 <= share(name, key) < 100
    assert share(name, key) == share(name, key)


def test_who_is_in_at_ten_per_cent_is_in_at_twenty() -> None:
    few, more = known(Flag("f", True, Decimal(10))), known(Flag("f", True, Decimal(20)))
    for number in range(1000):
        assert not few.on("f", str(number)) or more.on("f", str(number))


def test_flags_are_drawn_independently() -> None:
    flags = known(Flag("a", True, Decimal(50)), Flag("b", True, Decimal(50)))
    both = sum(flags.on("a", str(n)) and flags.on("b", str(n)) for n in range(10_000))
    assert 2200 < both < 2800


def test_the_list_the_environment_and_the_switch_decide_first() -> None:
    nobody = Decimal(0)
    assert known(Flag("f", True, nobody, ("w",))).on("f", "w")
    assert not known(Flag("f", False, Decimal(100), ("w",))).on("f", "w")
    assert not known(Flag("f", True, nobody, ("w",), ("production",))).on("f", "w")
    assert known(Flag("f", True, nobody, ("w",), ("production", "test"))).on("f", "w")
    assert not known(Flag("f", True, Decimal(99))).on("f", None)
    assert known(Flag("f", True)).on("f", None)
    assert known().on("f", "w", default=True)
    assert not known().on("f", "w")


def test_pages_are_not_told_of_the_servers_switches() -> None:
    flags = known(Flag("endpoint.monitor", False), Flag("alias.ws", True), Flag("f", True))
    assert flags.seen("w") == {"f": True}


async def test_they_are_stored_and_read_and_those_who_listen_hear(database: Database) -> None:
    flags = Flags(database, FlagRows(database), "test")
    heard: list[bool] = []
    flags.on_changed.append(lambda: heard.append(True))
    await flags.load()
    async with database.transaction() as connection:
        await flags.put(connection, Flag("f", True, Decimal("12.5"), ("w",)), "admin")
    await flags.load()
    await flags.load()
    assert heard == [True]
    found = flags.get("f")
    assert found is not None
    assert (found.percentage, found.wallets, found.updated_by) == (Decimal("12.5"), ("w",), "admin")
