"""A WebSocket that reports to locust: connects, requests with replies, frames received.

Times are reported under the names ``ws connect <path>``, ``ws <type>`` and
``ws frame <type>``; what is measured is what a client sees.
"""

from __future__ import annotations

import itertools
import json
import time
from typing import Any

import gevent
import websocket
from gevent.event import AsyncResult
from locust.env import Environment


class LoadSocket:
    """One client connection, read by a greenlet of its own."""

    def __init__(self, environment: Environment, host: str, path: str, token: str = "") -> None:
        self._environment = environment
        self._path = path
        self._ids = itertools.count(1)
        self._waiting: dict[int, AsyncResult[dict[str, Any]]] = {}
        self.frames = 0
        self.close_code: int | None = None
        url = host.replace("http", "ws", 1) + f"/api/v69/ws/{path}"
        header = [f"Authorization: Bearer {token}"] if token else []
        begun = time.perf_counter()
        try:
            self._socket = websocket.create_connection(url, header=header, timeout=30)
            self._until_established()
        except Exception as error:
            self._report(f"connect {path}", begun, 0, error)
            raise
        self._report(f"connect {path}", begun, 0)
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
            self._report(type_, begun, 0, error)
            return None
        finally:
            self._waiting.pop(number, None)
        refused = RuntimeError(reply["code"]) if reply["type"] == "error" else None
        self._report(type_, begun, len(json.dumps(reply)), refused)
        return reply

    def _read(self) -> None:
        while True:
            try:
                opcode, data = self._socket.recv_data()
            except (OSError, websocket.WebSocketException):
                return
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                self.close_code = int.from_bytes(data[:2], "big") if len(data) >= 2 else 1005
                return
            self.frames += 1
            frame = json.loads(data)
            waiting = self._waiting.get(frame.get("id", 0))
            if waiting is not None:
                waiting.set(frame)
            else:
                self._report(f"frame {frame['type']}", None, len(data))

    def stop_reading(self) -> None:
        """Leave everything in the kernel from now on: a client that hangs."""
        self._reader.kill()

    def close(self) -> None:
        """Say goodbye."""
        self._reader.kill()
        self._socket.close()

    def _report(
        self, name: str, begun: float | None, size: int, error: Exception | None = None
    ) -> None:
        elapsed = 0.0 if begun is None else (time.perf_counter() - begun) * 1000
        self._environment.events.request.fire(
            request_type="ws",
            name=name,
            response_time=elapsed,
            response_length=size,
            exception=error,
            context={},
        )
