"""One client: connect, ask, follow, read; and come back after a loss where it stopped."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from types import TracebackType
from typing import Any, Final, Literal, Self

import aiohttp
import orjson

from fastws.client.failures import ClientError, Closed, ErrorReply, HandshakeRefused, Unreachable
from fastws.client.places import Places
from fastws.client.requests import Requests
from fastws.client.retry import Backoff, advice
from fastws.client.tokens import reason

__all__ = ["Client", "Frame"]

Frame = dict[str, Any]
Via = Literal["header", "subprotocol", "query"]

CLOSE_SECONDS: Final = 2.0
"""How long the closing handshake may take."""

LATENCIES: Final = 100


class Client:
    """A connection to one endpoint. ``async with Client(url) as client: async for frame in …``.

    ``token`` is shown the way ``via`` says; ``new_token`` is asked for another one when the
    server says that it ended. With ``reconnect`` it comes back as the close codes advise,
    subscribes again and resumes its streams. ``on_frame`` is given every frame instead of the
    iteration, ``on_loss`` every end with the seconds until the next try (None: no more).
    ``on_message`` is given what came as it came. ``decode`` turns a binary message into frames;
    without it one is ``{"type": "binary"}``.

    Frames nobody iterates over wait, at most ``waiting`` of them; then nothing more is read,
    as it should be with a client that is too slow.
    """

    # What there is before the first connection.
    established: Frame | None = None
    """The frame that ended the opening of the present connection."""
    connects = 0
    frames_in = 0
    _http: aiohttp.ClientSession | None = None
    _socket: aiohttp.ClientWebSocketResponse | None = None
    _reader: asyncio.Task[None] | None = None
    _opening: asyncio.Future[None] | None = None
    _renewal: asyncio.Task[None] | None = None
    _last_error: Frame | None = None
    _drain_seconds: float | None = None
    _ended: Closed | None = None

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        via: Via = "header",
        new_token: Callable[[], Awaitable[str]] | None = None,
        protocols: Iterable[str] = (),
        headers: dict[str, str] | None = None,
        reconnect: bool = False,
        on_frame: Callable[[Frame], None] | None = None,
        on_loss: Callable[[Closed, float | None], None] | None = None,
        on_message: Callable[[str | bytes], None] | None = None,
        decode: Callable[[bytes], Iterable[Frame]] | None = None,
        rng: random.Random | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        waiting: int = 1000,
        max_message: int = 4 * 1024 * 1024,
        open_seconds: float = 10.0,
    ) -> None:
        self.url = url
        self.token = token
        self.places = Places()
        self.latencies: deque[float] = deque(maxlen=LATENCIES)
        """Round trips of the last pings, seconds."""
        self._via = via
        self._new_token = new_token
        self._protocols = tuple(protocols)
        self._headers = dict(headers or {})
        self._reconnect = reconnect
        self._on_frame = on_frame
        self._on_loss = on_loss
        self._on_message = on_message
        self._decode = decode
        self._rng = rng or random.Random()  # noqa: S311 - jitter
        self._backoff = Backoff(self._rng)
        self._sleep = sleep
        self._max_message = max_message
        self._open_seconds = open_seconds
        self._frames: asyncio.Queue[Frame | None] = asyncio.Queue(waiting)
        self._requests = Requests()
        self._wanted: dict[str, Frame] = {}
        self._confirmed: set[str] = set()

    # ── life ────────────────────────────────────────────────────────────────────────────

    async def connect(self) -> Self:
        """Open it and wait for the end of the opening sequence; `ClientError` if it fails."""
        try:
            async with asyncio.timeout(self._open_seconds):
                await self._open()
                self._opening = asyncio.get_running_loop().create_future()
                self._reader = asyncio.create_task(self._run())
                await self._opening
        except TimeoutError:
            await self.close()
            raise Unreachable(f"{self.url}: the opening took too long") from None
        except BaseException:
            await self.close()
            raise
        return self

    async def close(self, code: int = 1000) -> None:
        """Say goodbye and forget everything; harmless when it is closed."""
        self._ended = self._ended or Closed(code, "", "done")
        if self._socket is not None and not self._socket.closed:
            await self._socket.close(code=code)
        for task in (self._reader, self._renewal):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        opening = self._opening
        if opening is not None and opening.done() and not opening.cancelled():
            opening.exception()  # seen: nobody may be waiting any more
        if self._http is not None:
            await self._http.close()

    async def __aenter__(self) -> Self:
        return await self.connect()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent now."""
        return self._socket is not None and not self._socket.closed

    @property
    def ended(self) -> Closed | None:
        """How it ended for good; None while it goes on."""
        return self._ended

    @property
    def protocol(self) -> str | None:
        """The subprotocol the server echoed."""
        return None if self._socket is None else self._socket.protocol

    # ── talk ────────────────────────────────────────────────────────────────────────────

    async def send(self, type: str, **fields: Any) -> None:
        """Send one message."""
        await self.send_text(orjson.dumps({"type": type, **fields}).decode())

    async def send_text(self, text: str) -> None:
        """Send a text as it is."""
        if self._socket is None or self._socket.closed:
            raise self._ended or Closed(1006, "", "reconnect")
        try:
            await self._socket.send_str(text)
        except (aiohttp.ClientError, ConnectionError):
            raise self._ended or Closed(1006, "", "reconnect") from None

    async def request(
        self, type: str, *, expect: str | None = None, seconds: float = 10.0, **fields: Any
    ) -> Frame:
        """Send a message and wait for its reply, or for its reply of type ``expect``.

        Raises `ErrorReply` for an ``error`` frame, `Closed` when the connection ends before,
        `TimeoutError` after ``seconds``.
        """
        number, answer = self._requests.begin(expect)
        try:
            async with asyncio.timeout(seconds):
                await self.send(type, **fields, id=number)
                return await answer
        finally:
            self._requests.end(number)

    async def subscribe(self, channel: str, **options: Any) -> Frame:
        """Follow a channel, now and after each reconnect; the confirmation."""
        self._wanted[channel] = options
        try:
            return await self.request("subscribe", channel=channel, **options)
        except ErrorReply:
            self._wanted.pop(channel, None)
            raise

    async def unsubscribe(self, channel: str) -> Frame:
        """Stop following a channel; the confirmation."""
        self._wanted.pop(channel, None)
        return await self.request("unsubscribe", channel=channel)

    async def ping(self, seconds: float = 10.0) -> float:
        """The round trip of a ``ping`` message, in seconds."""
        begun = time.perf_counter()
        await self.request("ping", timestamp=int(time.time() * 1000), seconds=seconds)
        took = time.perf_counter() - begun
        self.latencies.append(took)
        return took

    async def __aiter__(self) -> AsyncIterator[Frame]:
        """Frames in their order, replies to `request` left out, over all reconnects.

        Ends with the connection; raises `Closed` if that was not asked for.
        """
        while True:
            frame = await self._frames.get()
            if frame is None:
                self._frames.put_nowait(None)
                if self._ended is not None and self._ended.action != "done":
                    raise self._ended
                return
            yield frame

    # ── the reader ──────────────────────────────────────────────────────────────────────

    async def _open(self) -> None:
        """The handshake alone."""
        if self._http is None:
            self._http = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        url, headers, protocols = self.url, dict(self._headers), list(self._protocols)
        if self.token and self._via == "header":
            headers["Authorization"] = f"Bearer {self.token}"
        elif self.token and self._via == "subprotocol":
            protocols.insert(0, self.token)
        elif self.token:
            url += f"{'&' if '?' in url else '?'}token={self.token}"
        try:
            self._socket = await self._http.ws_connect(
                url,
                headers=headers,
                protocols=protocols,
                max_msg_size=self._max_message,
                timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_SECONDS),
            )
        except aiohttp.WSServerHandshakeError as error:
            raise HandshakeRefused(error.status) from None
        except (aiohttp.ClientError, OSError) as error:
            raise Unreachable(f"{self.url} does not answer: {reason(error)}") from None
        self.connects += 1
        self.established = None
        self._confirmed.clear()
        self._drain_seconds = None
        self._last_error = None

    async def _run(self) -> None:
        """Read until the connection ends for good."""
        try:
            closed = await self._read()
            while (wait := await self._return_after(closed)) is not None:
                self._lost(closed, wait)
                await self._sleep(wait)
                try:
                    await self._open()
                    closed = await self._read()
                except ClientError as error:
                    again = not isinstance(error, HandshakeRefused) or error.status >= 429
                    closed = Closed(1006, str(error), "reconnect" if again else "stop")
            self._ended = self._ended or closed
            self._lost(self._ended, None)
        finally:
            self._finish()

    def _lost(self, closed: Closed, wait: float | None) -> None:
        self._requests.fail(closed)
        self.places.hold()
        if self._on_loss is not None:
            self._on_loss(closed, wait)

    def _finish(self) -> None:
        closed = self._ended = self._ended or Closed(1006, "", "reconnect")
        self._requests.fail(closed)
        if self._opening is not None and not self._opening.done():
            self._opening.set_exception(closed)
        while self._frames.full():
            self._frames.get_nowait()  # nobody reads them; the end must be known
        self._frames.put_nowait(None)

    async def _return_after(self, closed: Closed) -> float | None:
        """Seconds until the next try; None for none."""
        if self._ended is not None or not self._reconnect:
            return None
        if self._opening is not None and not self._opening.done():
            return None  # it never was open
        if closed.action == "new_token" and self._new_token is not None:
            try:
                self.token = await self._new_token()
            except ClientError:
                return None
            return self._backoff.next()
        if closed.action not in ("reconnect", "reconnect_later"):
            return None
        told, self._drain_seconds = self._drain_seconds, None
        return self._backoff.next(closed.action) if told is None else told

    async def _read(self) -> Closed:
        """Take what comes until the socket is closed."""
        socket = self._socket
        if socket is None:
            raise RuntimeError("not connected")
        while True:
            message = await socket.receive()
            if self._on_message is not None and isinstance(message.data, str | bytes):
                self._on_message(message.data)
            match message.type:
                case aiohttp.WSMsgType.TEXT:
                    await self._take(_parse(message.data))
                case aiohttp.WSMsgType.BINARY:
                    for frame in self._frames_of(message.data):
                        await self._take(frame)
                case aiohttp.WSMsgType.CLOSE:
                    code, why = message.data or 1005, message.extra or ""
                    return Closed(code, why, advice(code, why), self._last_error)
                case _:
                    code = socket.close_code or 1006
                    return Closed(code, "", advice(code), self._last_error)

    def _frames_of(self, data: bytes) -> Iterable[Frame]:
        if self._decode is None:
            return ({"type": "binary", "data": data},)
        return self._decode(data)

    async def _take(self, frame: Frame) -> None:
        self.frames_in += 1
        if not self.places.take(frame):
            return
        match frame.get("type"):
            case "subscription_confirmed":
                self._confirmed.add(frame["channel"])
            case "error":
                self._last_error = frame
            case "drain":
                self._drain_seconds = float(frame.get("reconnect_after_ms", 0)) / 1000
            case "token_expiring" if self._new_token is not None:
                self._renewal = asyncio.create_task(self._renew(self._new_token))
            case "connection_established":
                await self._opened(frame)
        if self._on_frame is not None:
            self._on_frame(frame)
        if not self._requests.take(frame) and self._on_frame is None:
            await self._frames.put(frame)

    async def _renew(self, new_token: Callable[[], Awaitable[str]]) -> None:
        """Show a new token on the open socket before the old one ends."""
        with contextlib.suppress(ClientError, TimeoutError):  # else the close code says it
            self.token = await new_token()
            await self.request("refresh", token=self.token)

    async def _opened(self, frame: Frame) -> None:
        self.established = frame
        self._backoff.reset()
        if self._opening is not None and not self._opening.done():
            self._opening.set_result(None)
            return
        held = self.places.held()
        for channel in dict.fromkeys([*self._wanted, *held]):
            if channel in self._confirmed and channel not in held:
                continue
            since = self.places.since(channel)
            options = self._wanted.get(channel, {}) | ({"since": since} if since else {})
            await self.send("subscribe", channel=channel, **options)


def _parse(text: str) -> Frame:
    """A text message as a frame; what is no JSON object is shown as what it is."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        found = None
    return found if isinstance(found, dict) else {"type": "invalid", "text": text}
