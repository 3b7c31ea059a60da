"""Lines from a person (history, completion) or from a pipe."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import TextIO

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.patch_stdout import patch_stdout

from fastws.console.commands import WORDS
from fastws.console.names import COMMON, ENDPOINTS, Names
from fastws.logs import redact

__all__ = ["NamesCompleter", "open_history", "piped_lines", "typed_lines"]

Lines = AsyncIterator[str]


class NamesCompleter(Completer):
    """Completes commands, then the channels or messages of the endpoint."""

    def __init__(self, endpoint: str, followed: Callable[[], Iterable[str]], wallet: str) -> None:
        names = ENDPOINTS.get(endpoint, Names())
        self._channels = [name.replace("<wallet>", wallet) for name in names.channels]
        self._types = [*names.types, *COMMON]
        self._followed = followed

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        """What may stand at the cursor."""
        before = document.text_before_cursor
        word, space, rest = before.lstrip().partition(" ")
        if not space:
            yield from _starting(word, WORDS)
            return
        if " " in rest:
            return
        if word == "subscribe":
            yield from _starting(rest, dict.fromkeys([*self._channels, *self._followed()]))
        elif word == "unsubscribe":
            yield from _starting(rest, self._followed())
        elif word == "send":
            yield from _starting(rest, self._types)


def _starting(begun: str, names: Iterable[str]) -> Iterable[Completion]:
    return (Completion(name, -len(begun)) for name in names if name.startswith(begun))


class _CleanHistory(FileHistory):
    """Keeps no token that was typed."""

    def store_string(self, string: str) -> None:
        super().store_string(str(redact(string)))


def open_history(file: str | None) -> History:
    """The history in ``file`` (mode 0600), or one in memory where it cannot be written."""
    if file is None:
        return InMemoryHistory()
    try:
        Path(file).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    except OSError:
        return InMemoryHistory()
    return _CleanHistory(file)


async def typed_lines(prompt: str, history: History, completer: Completer) -> Lines:
    """What a person types, until Ctrl-D; Ctrl-C only clears the line."""
    session: PromptSession[str] = PromptSession(
        history=history, completer=completer, complete_while_typing=False
    )
    with patch_stdout(raw=True):
        while True:
            try:
                yield await session.prompt_async(prompt)
            except KeyboardInterrupt:
                continue
            except EOFError:
                return


async def piped_lines(stream: TextIO | None = None) -> Lines:
    """The lines of a pipe or file. A thread reads them: the loop cannot wait for a file."""
    source = sys.stdin if stream is None else stream
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str | None] = asyncio.Queue()

    def read() -> None:
        try:
            for line in source:
                loop.call_soon_threadsafe(lines.put_nowait, line)
            loop.call_soon_threadsafe(lines.put_nowait, None)
        except RuntimeError:
            return  # the loop has ended: nobody wants the rest

    threading.Thread(target=read, daemon=True).start()
    while (line := await lines.get()) is not None:
        yield line
