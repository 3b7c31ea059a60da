"""The canary: every token of the suite is one, and no log line of the suite may hold any.

Lines are looked at as they are written: those of structlog as rendered (by whatever a test has
configured), records of libraries as made, and what servers in processes of their own wrote. In
any of them the signature of a token that was minted is a leak, and so is whatever looks like a
whole token.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jwt
import pytest
import structlog

from bench.process import ServerProcess
from tests.identity import forge

RUN = re.compile(r"[\w-]{43,}")
"""As long as a signature of HS256, or longer."""

TOKEN = re.compile(r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{16,}")


class Canary:
    """What was minted, how many lines were looked at, and which of them leak."""

    def __init__(self) -> None:
        self.signatures: set[str] = set()
        self.lines = 0
        self.leaks: list[str] = []

    def minted(self, token: str) -> str:
        """Remember a token; returns it."""
        signature = token.rpartition(".")[2]
        if RUN.fullmatch(signature):
            self.signatures.add(signature)
        return token

    def look(self, line: str, *, whole: bool = True) -> None:
        """Look at a line. ``whole``: for any token at all, not only for those minted here."""
        self.lines += 1
        runs = RUN.findall(line)
        signed = any(signature in run for run in runs for signature in self.signatures)
        if signed or (whole and TOKEN.search(line)):
            self.leaks.append(f"{os.environ.get('PYTEST_CURRENT_TEST')}: {line[:300]}")

    @contextmanager
    def expecting(self) -> Iterator[list[str]]:
        """Leaks made on purpose go into the list that is given, and fail nothing."""
        before, self.leaks = self.leaks, []
        try:
            yield self.leaks
        finally:
            self.leaks = before


@contextmanager
def watching(canary: Canary) -> Iterator[None]:
    """Let the canary see every token that is made and every line that is written."""
    render, encode, sign = structlog.BoundLoggerBase._process_event, jwt.encode, forge.sign
    record, enter = logging.getLogRecordFactory(), ServerProcess.__enter__

    def seen(logger: Any, name: str, event: str | None, fields: dict[str, Any]) -> Any:
        rendered = render(logger, name, event, fields)
        canary.look(repr(rendered))
        return rendered

    def recorded(*args: Any, **kwargs: Any) -> logging.LogRecord:
        made = record(*args, **kwargs)
        canary.look(f"{made.msg} {made.args}", whole=False)
        return made

    def entered(server: ServerProcess) -> ServerProcess:
        cleanup = server._folder.cleanup

        def read_and_forget() -> None:
            for token in server.tokens:
                canary.minted(token)
            for line in server.log().splitlines():
                canary.look(line)
            cleanup()

        server._folder.cleanup = read_and_forget  # type: ignore[method-assign]
        return enter(server)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(structlog.BoundLoggerBase, "_process_event", seen)
        patched.setattr(jwt, "encode", lambda *a, **k: canary.minted(encode(*a, **k)))
        patched.setattr(forge, "sign", lambda *a, **k: canary.minted(sign(*a, **k)))
        patched.setattr(ServerProcess, "__enter__", entered)
        logging.setLogRecordFactory(recorded)
        try:
            yield
        finally:
            logging.setLogRecordFactory(record)
