"""Rows that the server chooses: other rows in the middle, and a resume that knows which."""

from __future__ import annotations

import pytest

from fastws.hub.chosen import ChosenTable
from tests.hub.test_table import Client, Symbols, World


@pytest.fixture
def world() -> World:
    world = World()
    made = world.hub.table(
        "t/mine", world.table, lambda since: None, 5.0, flush_ms=100, names=Symbols(),
        kind=ChosenTable,
    )  # fmt: skip
    assert isinstance(made, ChosenTable)
    world.channel = made
    return world


def chosen(world: World, *keys: str) -> bool:
    assert isinstance(world.channel, ChosenTable)
    return world.channel.choose(keys)


def test_a_client_gets_what_was_chosen_whatever_it_asked(world: World) -> None:
    chosen(world, "k1", "k2")
    client = Client()
    world.follow(client, rows=["k7"])
    client.read()
    assert client.prices() == world.truth("k1", "k2")


def test_other_rows_come_and_go_with_the_next_flush(world: World) -> None:
    chosen(world, "k1", "k2")
    client = Client()
    world.follow(client)
    client.read()
    assert chosen(world, "k2", "k3")
    assert not chosen(world, "k3", "k2"), "the same"
    world.price("k3", 5)
    world.turn()
    client.read()
    assert client.prices() == world.truth("k2", "k3")
    assert chosen(world)
    world.turn()
    client.read()
    assert client.prices() == {}


def test_a_resume_goes_on_only_with_the_rows_it_knew(world: World) -> None:
    chosen(world, "k1", "k2")
    client = Client()
    made = world.follow(client)
    client.read()
    version = made.describe()["filter"]
    since = {"epoch": world.table.epoch, "tick": client.followed["prices"].tick}
    assert world.follow(Client(), since={**since, "filter": version}).recovered is True
    assert world.follow(Client(), since=since).recovered is False
    chosen(world, "k1", "k3")
    assert world.follow(Client(), since={**since, "filter": version}).recovered is False
    chosen(world, "k2", "k1")
    assert world.follow(Client(), since={**since, "filter": version}).recovered is True
