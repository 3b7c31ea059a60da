"""``--test``: the five things every client does, tried in order, with a truthful count."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from fastws.client import Client, ClientError, Closed
from fastws.console.names import ENDPOINTS, Names

__all__ = ["run_suite"]

STEPS = ("open", "subscribe", "status", "heartbeat", "unsubscribe")

QUESTIONS = {
    "monitor": ("get_system_status", "system_status"),
    "contest": ("get_all_contests", "all_contests"),
    "skyduel": ("list_matches", "matches"),
    "circuit-breaker": ("subscribe:services", "services:state"),
}
"""What the step ``status`` asks of an endpoint, and the answer; others are asked for limits."""

LISTS = ("data", "services", "matches")
"""Where an answer has its list."""

SECONDS = 10.0
"""How long a step may take."""


class _Wrong(Exception):
    """An answer came, but not the right one."""


async def run_suite(
    client: Client, endpoint: str, channel: str | None, say: Callable[[str], None]
) -> int:
    """Try everything with a client that is not connected yet; how many of `STEPS` worked."""
    suite = _Suite(client, endpoint, channel)
    steps: list[Callable[[], Awaitable[str]]] = [
        suite.open,
        suite.subscribe,
        suite.status,
        suite.heartbeat,
        suite.unsubscribe,
    ]
    good = 0
    for name, step in zip(STEPS, steps, strict=True):
        if name != "open" and not client.is_open:
            say(f"✗ {name:12} {'':>10}  not tried: there is no connection")
            continue
        begun = time.perf_counter()
        try:
            detail, worked = await step(), True
        except (ClientError, _Wrong) as error:
            detail, worked = _why(error), False
        except TimeoutError:
            detail, worked = f"no answer in {SECONDS:.0f} s", False
        took = (time.perf_counter() - begun) * 1000
        good += worked
        say(f"{'✓' if worked else '✗'} {name:12} {took:7.1f} ms  {detail}")
    say(f"{good}/{len(STEPS)}")
    return good


class _Suite:
    def __init__(self, client: Client, endpoint: str, channel: str | None) -> None:
        self._client = client
        self._endpoint = endpoint
        self._channel = channel

    async def open(self) -> str:
        await self._client.connect()
        frame = self._client.established or {}
        user = frame.get("user") or {}
        if not self._channel:
            self._channel = self._usual_channel(user.get("wallet_address"))
        who = f"{user.get('wallet_address')} ({user.get('role')})" if user else "anonymous"
        return f"connection {frame.get('connectionId')}, {who}"

    def _usual_channel(self, wallet: str | None) -> str:
        """The endpoint's first channel, or one the server subscribed us to."""
        channels = ENDPOINTS.get(self._endpoint, Names()).channels
        automatic = [name for name, _ in self._client.places]
        found = next(iter([*channels, *automatic]), f"user.{wallet}")
        return found.replace("<wallet>", str(wallet))

    async def subscribe(self) -> str:
        channel = str(self._channel)
        frame = await self._client.request("subscribe", channel=channel, seconds=SECONDS)
        _expect(frame, "subscription_confirmed", channel=channel)
        place = self._client.places.get(channel)
        return channel + (f", {place.kind} at {place.offset}" if place else "")

    async def status(self) -> str:
        asked, expected = QUESTIONS.get(self._endpoint, ("limits", "limits"))
        frame = await self._client.request(asked, expect=expected, seconds=SECONDS)
        _expect(frame, expected)
        if expected == "limits":
            limit = frame.get("messages")
            return f"messages {orjson.dumps(limit).decode()}" if limit else "limits"
        if expected == "system_status":
            data = frame.get("data")
            if not isinstance(data, dict) or not isinstance(data.get("status"), str):
                raise _Wrong(f"system_status without data.status: {_brief(frame)}")
            return f"{data['status']}: {data.get('message')}"
        found = [value for name in LISTS if isinstance(value := frame.get(name), list)]
        if not found:
            raise _Wrong(f"{expected} without a list: {_brief(frame)}")
        return f"{expected.removeprefix('all_').removesuffix(':state')}: {len(found[0])}"

    async def heartbeat(self) -> str:
        frame = await self._client.request("heartbeat", seconds=SECONDS)
        _expect(frame, "heartbeat_ack")
        return "heartbeat_ack"

    async def unsubscribe(self) -> str:
        channel = str(self._channel)
        frame = await self._client.request("unsubscribe", channel=channel, seconds=SECONDS)
        _expect(frame, "unsubscription_confirmed", channel=channel)
        return channel


def _expect(frame: dict[str, Any], type_: str, **fields: str) -> None:
    if any(frame.get(name) != value for name, value in {"type": type_, **fields}.items()):
        raise _Wrong(f"{type_} was expected, this came: {_brief(frame)}")


def _brief(frame: dict[str, Any]) -> str:
    return orjson.dumps(frame).decode()[:200]


def _why(error: Exception) -> str:
    if isinstance(error, Closed) and error.error:
        return f"{error}: {error.error.get('code')} {error.error.get('message')}"
    return str(error)
