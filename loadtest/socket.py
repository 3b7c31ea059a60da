"""A WebSocket that reports to locust: connects, requests with replies, frames received.

Times are reported under the names ``ws connect <path>``, ``ws <type>`` and
``ws frame <type>``; what is measured is what a client sees.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable
from typing import Any

import gevent
import websocket
from gevent.event import AsyncResult
from locust.env import Environment

from fastws.client.followed import Followed
from fastws.domain.skyduel.game import Controls
from fastws.endpoints.skyduel.playing import pack


class LoadSocket:
    """One client connection, read by a greenlet of its own."""

    def __init__(self, environment: Environment, host: str, path: str, token: str = "") -> None:
        self._environment = environment
        self._path = path
        self._ids = itertools.count(1)
        self._waiting: dict[int, AsyncResult[dict[str, Any]]] = {}
        self.frames = 0
        self.followed = Followed()
        self.rows: list[str] | None = None
        self.close_code: int | None = None
        url = host.replace("http", "ws", 1) + f"/api/v69/ws/{path}"
        header = [f"Authorization: Bearer {token}"] if token else []
        begun = time.perf_counter()
        try:
            self._socket = websocket.create_connection(
                url, header=header, timeout=30, skip_utf8_validation=True
            )  # in Python, and slower than everything else here together
            self._until_established()
        except Exception as error:
            self.report(f"connect {path}", begun, 0, error)
            raise
        self.report(f"connect {path}", begun, 0)
        self._reader = gevent.spawn(self._read)

    def _until_established(self) -> None:
        while True:
            frame = json.loads(self._socket.recv())
            if frame["type"] == "connection_established":
                return
            if frame["type"] == "error":
                raise RuntimeError(frame["code"])

    def ask(self, type_: str, timeout: float = 10, **fields: Any) -> dict[str, Any] | None:
        """Send a request and wait for the reply that echoes its id; None if it failed."""
        number = next(self._ids)
        answer = self._waiting[number] = AsyncResult()
        begun = time.perf_counter()
        try:
            self._socket.send(json.dumps({"type": type_, "id": number, **fields}))
            reply: dict[str, Any] = answer.get(timeout=timeout)
        except (OSError, gevent.Timeout, websocket.WebSocketException) as error:
            self.report(type_, begun, 0, error)
            return None
        finally:
            self._waiting.pop(number, None)
        refused = RuntimeError(reply["code"]) if reply["type"] == "error" else None
        self.report(type_, begun, len(json.dumps(reply)), refused)
        return reply

    def _read(self, pause: float = 0.0) -> None:
        while True:
            gevent.sleep(pause)
            try:
                opcode, data = self._socket.recv_data()
            except (OSError, websocket.WebSocketException):
                return
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                self.close_code = int.from_bytes(data[:2], "big") if len(data) >= 2 else 1005
                return
            self.frames += 1
            if opcode == websocket.ABNF.OPCODE_BINARY:
                self._take(lambda data=data: list(self.followed.binary(data)), len(data))
                continue
            frame = json.loads(data)
            if frame["type"] == "table":
                self._take(lambda frame=frame: self.followed.json(frame), len(data))
                continue
            if frame["type"] == "subscription_confirmed" and "columns" in frame:
                self.followed.confirmed(frame, self.rows)
            waiting = self._waiting.get(frame.get("id", 0))
            if waiting is not None:
                waiting.set(frame)
            else:
                self.report(f"frame {frame['type']}", None, len(data))

    def follow(self, channel: str, format: str, rows: list[str] | None = None) -> None:
        """Follow a table; its frames are decoded and their checksums compared."""
        self.rows = rows
        asked = {} if rows is None else {"rows": rows}
        self.ask("subscribe", channel=channel, format=format, accept=["zstd"], **asked)

    def _take(self, decode: Callable[[], object], size: int) -> None:
        """Take in a table frame; a copy that does not agree is a failure, and repaired."""
        decode()
        wrong, self.followed.resync = self.followed.resync, set()
        for channel in wrong:
            self._socket.send(json.dumps({"type": "resync", "channel": channel}))
        self.report("frame table", None, size, RuntimeError("out of step") if wrong else None)

    def steer(self, seq: int, controls: Controls) -> None:
        """Send one binary input of SkyDuel."""
        self._socket.send_binary(pack(seq, time.monotonic_ns() // 1_000_000, controls))

    def read_slowly(self, pause: float) -> None:
        """From now on a message every ``pause`` seconds, as on a bad connection."""
        self._reader.kill()
        self._reader = gevent.spawn(self._read, pause)

    def stop_reading(self) -> None:
        """Leave everything in the kernel from now on: a client that hangs."""
        self._reader.kill()

    def close(self) -> None:
        """Say goodbye."""
        self._reader.kill()
        self._socket.close()

    def report(
        self, name: str, begun: float | None, size: int, error: Exception | None = None
    ) -> None:
        """Tell locust what took how long, and whether it failed."""
        elapsed = 0.0 if begun is None else (time.perf_counter() - begun) * 1000
        self._environment.events.request.fire(
            request_type="ws",
            name=name,
            response_time=elapsed,
            response_length=size,
            exception=error,
            context={},
        )
