"""The words a user may type, and what each does with the connection."""

from __future__ import annotations

import shlex
import statistics
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from fastws.client import Client, ClientError
from fastws.console.screen import Screen

__all__ = ["WORDS", "Commands", "read_message"]

WORDS = {
    "help": "this list",
    "subscribe": "subscribe CHANNEL: follow a channel",
    "unsubscribe": "unsubscribe CHANNEL: stop following it",
    "status": "how the connection is, what is followed, what was missed",
    "send": "send TYPE [name=value …], or send {JSON}: send a message",
    "ping": "measure the round trip of a message",
    "verbose": "show frames whole, or their beginning",
    "json": "show frames as indented JSON, or on one line",
    "raw": "show messages as they come; raw TEXT sends TEXT as it is",
    "clear": "an empty screen",
    "quit": "leave (also exit, Ctrl-D)",
}
"""Every command and what it does."""


def read_message(text: str) -> str:
    """The JSON of a message typed as JSON or as ``type name=value …``; `ValueError` if neither.

    A value is JSON where it can be read as that, and text otherwise.
    """
    text = text.strip()
    if text.startswith("{"):
        try:
            orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise ValueError(f"not JSON: {error}") from None
        return text
    type_, *pairs = shlex.split(text)
    message: dict[str, Any] = {"type": type_}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise ValueError(f"{pair!r} is not name=value")
        try:
            message[name] = orjson.loads(value)
        except orjson.JSONDecodeError:
            message[name] = value
    return orjson.dumps(message).decode()


class Commands:
    """Obeys lines until one says to leave."""

    def __init__(self, client: Client, screen: Screen) -> None:
        self._client = client
        self._screen = screen
        self._methods: dict[str, Callable[[str], Awaitable[None]]] = {
            "help": self._help,
            "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
            "status": self._status,
            "send": self._send,
            "ping": self._ping,
            "verbose": self._verbose,
            "json": self._json,
            "raw": self._raw,
            "clear": self._clear,
        }

    async def obey(self, line: str) -> bool:
        """Do what the line says; False when it says to leave."""
        word, _, rest = line.strip().partition(" ")
        if not word:
            return True
        if word in ("quit", "exit"):
            return False
        method = self._methods.get(word)
        if method is None:
            self._screen.problem(f"unknown command: {word}; 'help' lists them all")
            return True
        try:
            await method(rest.strip())
        except (ClientError, ValueError) as error:
            self._screen.problem(f"{word}: {error}")
        except TimeoutError:
            self._screen.problem(f"{word}: no answer came in time")
        return True

    async def _help(self, rest: str) -> None:
        for word, text in WORDS.items():
            self._screen.note(f"  {word:12} {text}", "")

    async def _subscribe(self, rest: str) -> None:
        await self._client.subscribe(_one(rest))

    async def _unsubscribe(self, rest: str) -> None:
        await self._client.unsubscribe(_one(rest))

    async def _send(self, rest: str) -> None:
        if not rest:
            raise ValueError("what? send TYPE [name=value …], or send {JSON}")
        text = read_message(rest)
        self._screen.sent(text)
        await self._client.send_text(text)

    async def _raw(self, rest: str) -> None:
        if rest:
            self._screen.sent(rest)
            await self._client.send_text(rest)
            return
        self._screen.raw = not self._screen.raw
        self._screen.note(f"messages are shown {'as they come' if self._screen.raw else 'read'}")

    async def _ping(self, rest: str) -> None:
        took = await self._client.ping()
        self._screen.note(f"{took * 1000:.2f} ms", "green")

    async def _verbose(self, rest: str) -> None:
        self._screen.verbose = not self._screen.verbose
        self._screen.note(f"frames are shown {'whole' if self._screen.verbose else 'in brief'}")

    async def _json(self, rest: str) -> None:
        self._screen.json = not self._screen.json
        self._screen.note(f"frames are shown {'indented' if self._screen.json else 'on one line'}")

    async def _clear(self, rest: str) -> None:
        self._screen.clear()

    async def _status(self, rest: str) -> None:
        client, note = self._client, self._screen.note
        note(f"  {'open' if client.is_open else 'lost'}: {client.url}", "")
        established = client.established or {}
        user = established.get("user") or {}
        who = f"{user.get('wallet_address')} ({user.get('role')})" if user else "anonymous"
        note(f"  {who}, connection {established.get('connectionId', '-')}", "")
        times = sorted(client.latencies)
        if times:
            median = statistics.median(times) * 1000
            note(f"  ping {median:.2f} ms (median of {len(times)}, worst {times[-1] * 1e3:.2f})")
        note(f"  {client.frames_in} frames in {client.connects} connection(s)")
        for channel, place in client.places:
            at = "offset" if place.kind == "stream" else "tick"
            note(f"  {channel}: {place.kind}, epoch {place.epoch}, {at} {place.offset}", "cyan")
        for gap in client.places.gaps:
            last = "?" if gap.last is None else gap.last
            note(f"  missing in {gap.channel}: {gap.first} to {last}", "yellow")
        if client.places.duplicates:
            note(f"  {client.places.duplicates} messages came twice", "yellow")


def _one(rest: str) -> str:
    if not rest or " " in rest:
        raise ValueError("which channel? one name without spaces")
    return rest
