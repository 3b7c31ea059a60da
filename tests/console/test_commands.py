"""What is typed becomes messages, what comes becomes lines."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from fastws.client import Client, Gap
from fastws.console.commands import WORDS, Commands, read_message
from fastws.console.screen import Screen
from tests.client.server import FakeServer
from tests.console.conftest import Paper


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("get_all_tokens", {"type": "get_all_tokens"}),
        ("get_token symbol=SOL", {"type": "get_token", "symbol": "SOL"}),
        ("x n=1 b=true l=[1,2] s='a b'", {"type": "x", "n": 1, "b": True, "l": [1, 2], "s": "a b"}),
        ('{"type": "x", "a": 1}', {"type": "x", "a": 1}),
    ],
)
def test_messages_are_typed_in_two_ways(typed: str, message: dict[str, object]) -> None:
    assert json.loads(read_message(typed)) == message


@pytest.mark.parametrize("typed", ["{oops", "x y", "x =1", "x 'open"])
def test_what_is_no_message(typed: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - shlex's or ours
        read_message(typed)


@pytest.fixture
async def client(server: FakeServer, paper: Paper) -> AsyncIterator[Client]:
    screen = Screen(paper)
    made = Client(
        server.url(), token=server.token, on_frame=screen.frame, on_message=screen.message
    )
    made.screen = screen  # type: ignore[attr-defined]
    async with made:
        yield made


@pytest.fixture
def commands(client: Client) -> Commands:
    return Commands(client, client.screen)  # type: ignore[attr-defined]


async def test_a_conversation(server: FakeServer, commands: Commands, paper: Paper) -> None:
    for line in ("subscribe system.status", "ping", "send heartbeat", "", "ping", "status"):
        assert await commands.obey(line)
    await commands.obey("unsubscribe system.status")
    text = paper.text()
    assert "subscription_confirmed" in text
    assert " ms" in text
    assert '→ {"type":"heartbeat"}' in text
    assert "heartbeat_ack" in text
    assert "W (user)" in text
    assert "system.status: stream, epoch 7, offset 0" in text
    assert "unsubscription_confirmed" in text
    assert not await commands.obey("quit")
    assert not await commands.obey(" exit ")


async def test_status_tells_of_losses(client: Client, commands: Commands, paper: Paper) -> None:
    client.places.gaps += [Gap("c", 3, 5), Gap("d", 9, None)]
    client.places.duplicates = 2
    await commands.obey("status")
    assert "missing in c: 3 to 5" in paper.text()
    assert "missing in d: 9 to ?" in paper.text()
    assert "2 messages came twice" in paper.text()


async def test_every_word_of_the_help_is_obeyed(commands: Commands, paper: Paper) -> None:
    await commands.obey("help")
    for word in WORDS:
        assert f"  {word} " in paper.text()
        await commands.obey(word)
    assert "unknown command" not in paper.text()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("dance", "unknown command: dance"),
        ("subscribe", "which channel?"),
        ("subscribe a b", "which channel?"),
        ("subscribe nowhere", "UNKNOWN_CHANNEL"),
        ("unsubscribe", "which channel?"),
        ("send", "what?"),
        ("send {oops", "not JSON"),
        ("send x 'y", "No closing quotation"),
    ],
)
async def test_a_mistake_is_one_line(
    line: str, says: str, commands: Commands, paper: Paper
) -> None:
    before = paper.text()
    assert await commands.obey(line)
    said = paper.text().removeprefix(before).splitlines()
    assert says in said[-1]


async def test_a_lost_connection_is_one_line(
    client: Client, commands: Commands, paper: Paper
) -> None:
    await client.close()
    assert await commands.obey("ping")
    assert "ping: closed 1000" in paper.text()


async def test_an_answer_that_does_not_come(
    client: Client, commands: Commands, paper: Paper, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(seconds: float = 0) -> float:
        raise TimeoutError

    monkeypatch.setattr(client, "ping", never)
    assert await commands.obey("ping")
    assert "no answer came in time" in paper.text()


async def test_four_ways_to_show_a_frame(commands: Commands, paper: Paper) -> None:
    frame = {"type": "news", "timestamp": "t", "text": "x" * 500}
    screen = commands._screen

    def shown() -> str:
        before = paper.text()
        screen.message(json.dumps(frame))
        screen.frame(frame)
        return paper.text().removeprefix(before)

    assert "…" in shown()
    await commands.obey("verbose")
    assert "x" * 500 in shown()
    await commands.obey("json")
    assert '\n    "text": "' in shown() or '\n  "text": "' in shown()
    await commands.obey("raw")
    assert json.dumps(frame) in shown()
    await commands.obey("raw")
    await commands.obey("json")
    await commands.obey("verbose")
    assert "…" in shown()


async def test_raw_sends_what_is_typed(
    server: FakeServer, commands: Commands, client: Client
) -> None:
    await commands.obey('raw  {"type": "heartbeat",   "id": 5}')
    await commands.obey("ping")
    assert server.received[0] == {"type": "heartbeat", "id": 5}


def test_a_frame_cannot_command_the_terminal(paper: Paper) -> None:
    screen = Screen(paper, verbose=True)
    evil = "\x1b[2J\x9b1m\u202e\r\nFORGED"
    screen.frame({"type": evil, "text": evil})
    screen.message(evil)
    screen.raw = True
    screen.message(evil)
    screen.json, screen.raw = True, False
    screen.frame({"type": evil, "text": evil})
    screen.problem(evil)
    screen.sent(evil)
    assert all(line.isprintable() for line in paper.text().splitlines())
    assert "\x1b" not in paper.text()
    assert not any(line.startswith("FORGED") for line in paper.text().splitlines())
