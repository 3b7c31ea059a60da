"""The rooms a configuration makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fastws.errors import ConfigError, StartError
from fastws.server.door import PREFIX
from fastws.server.rooms import RAW_MESSAGE, Rooms
from tests.server.conftest import configured

URL = "postgresql://nobody@nowhere/none"


async def made(**sections: Any) -> Rooms:
    return Rooms(configured(**sections), URL)


async def test_every_endpoint_of_the_configuration_has_its_door() -> None:
    rooms = await made()
    paths = {endpoint.path for endpoint in rooms.endpoints}
    assert paths == {name.replace("_", "-") for name in rooms.config.endpoints.__struct_fields__}
    for path in paths:
        found = rooms.door.find(PREFIX + path)
        assert found is not None
        assert found.path == path


async def test_a_switched_off_endpoint_has_none() -> None:
    rooms = await made(endpoints={"test": {"enabled": False}})
    assert rooms.door.find(PREFIX + "test") is None
    assert rooms.door.find(PREFIX + "monitor") is not None


async def test_limits_of_an_endpoint_reach_it() -> None:
    rooms = await made(endpoints={"monitor": {"max_message": 1234}})
    sizes = {one.path: one.base.settings.max_message for one in rooms.endpoints}
    assert sizes["monitor"] == 1234
    assert sizes["test"] == 64 * 1024


async def test_a_limit_is_set_for_an_operation_there_is_and_for_no_other() -> None:
    rooms = await made(endpoints={"token_data": {"operations": {"get_all_tokens": "10/min"}}})
    (found,) = [one for one in rooms.endpoints if one.path == "token-data"]
    assert found.base.settings.operations == {"get_all_tokens": "10/min"}
    with pytest.raises(ConfigError, match=r"endpoints\.test\.operations: there is no 'ehco'"):
        await made(endpoints={"test": {"operations": {"ehco": "10/min"}}})


async def test_protocol_suites_may_have_long_messages_at_test_only() -> None:
    rooms = await made(raw_test_limits=True)
    sizes = {one.path: one.base.settings.max_message for one in rooms.endpoints}
    assert sizes["test"] == RAW_MESSAGE
    assert sizes["monitor"] == 64 * 1024


@pytest.mark.parametrize(
    ("name", "options", "source"),
    [
        ("none", {}, None),
        ("simulated", {}, "Simulated"),
        ("exchange", {"exchange_url": "wss://x.example/stream?streams=a@trade"}, "Exchange"),
        ("platform", {}, "Platform"),
        ("replay", {"replay_file": __file__}, "Replay"),
    ],
)
async def test_the_source_is_the_one_configured(
    name: str, options: dict[str, Any], source: str | None
) -> None:
    rooms = await made(market={"source": name, **options})
    owner = getattr(rooms.source, "__self__", None)
    assert (None if owner is None else type(owner).__name__) == source


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"source": "replay"}, "replay_file"),
        ({"source": "replay", "replay_file": "no/such/file"}, "no/such/file"),
        ({"source": "exchange"}, "exchange_url"),
    ],
)
async def test_a_source_without_what_it_needs_is_a_sentence(
    options: dict[str, Any], says: str
) -> None:
    with pytest.raises(StartError, match=says):
        await made(market=options)


async def test_a_bad_network_of_proxies_is_a_sentence() -> None:
    with pytest.raises(ConfigError, match="trusted_proxies"):
        await made(server={"trusted_proxies": ["10.0.0.0/99"]})


def test_only_the_rooms_know_all_rooms() -> None:
    """What is given to a room is given here: nobody else imports them all."""
    folder = Path(__file__).parents[2] / "fastws"
    importers = [
        path
        for path in folder.rglob("*.py")
        if "fastws.server.rooms" in path.read_text() and path.parent.name != "server"
    ]
    assert not importers
