"""Typing: completion, history without secrets, Ctrl-C and Ctrl-D."""

from __future__ import annotations

from pathlib import Path

from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from fastws.console.prompt import NamesCompleter, open_history, typed_lines
from tests.client.server import make_token


def completions(text: str, endpoint: str = "contest") -> list[str]:
    completer = NamesCompleter(endpoint, lambda: ["contest.7"], "W")
    event = CompleteEvent(completion_requested=True)
    return [found.text for found in completer.get_completions(Document(text), event)]


def test_commands_channels_and_messages_are_completed() -> None:
    assert completions("su") == ["subscribe"]
    assert completions("subscribe user") == ["user.W"]
    assert completions("subscribe c") == ["contest.7"]
    assert completions("unsubscribe ") == ["contest.7"]
    assert "get_contest_state" in completions("send get_")
    assert "heartbeat" in completions("send h", endpoint="unknown")
    assert completions("send x ") == []
    assert completions("ping ") == []


def test_a_history_keeps_no_token_and_is_private(tmp_path: Path) -> None:
    file = tmp_path / "state" / "history"
    history = open_history(str(file))
    history.append_string(f'send {{"type": "refresh", "token": "{make_token()}"}}')
    history.append_string("status")
    text = file.read_text()
    assert "status" in text
    assert make_token().partition(".")[0] not in text
    assert "[redacted]" in text
    assert file.stat().st_mode & 0o777 == 0o600


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert isinstance(open_history(str(tmp_path / "file" / "history")), InMemoryHistory)
    assert isinstance(open_history(None), InMemoryHistory)


async def test_a_person_types() -> None:
    completer = NamesCompleter("monitor", list, "W")
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        keys.send_text("status\rhalf a li\x03ping\r\x04")
        lines = [line async for line in typed_lines("> ", InMemoryHistory(), completer)]
    assert lines == ["status", "ping"]
