"""The database: a pool for questions and one connection of its own that listens.

Whatever goes wrong between us and PostgreSQL is a `StoreUnavailable`, at once while it is
known to be away. The listening connection is also the watch: when it is lost the database is
away, when it is back the listeners read what they missed. Knows no table.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import asyncpg
import orjson
import structlog

from fastws.config import DatabaseConfig
from fastws.errors import StoreUnavailable, Unavailable

__all__ = ["Database"]

log = structlog.get_logger()

CHECK_SECONDS = 5.0
"""Seconds between two looks of the watch at a quiet database."""

FIRST_RETRY, LAST_RETRY = 0.1, 5.0

_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InternalClientError,
)

Row = asyncpg.Record
T = TypeVar("T")
Heard = Callable[[str], None]
Reconcile = Callable[[], Awaitable[None]]
Guard = Callable[[type[BaseException]], AbstractContextManager[Any]]


class Database:
    """PostgreSQL behind ``url``. Every question has a time limit."""

    def __init__(
        self,
        url: str,
        config: DatabaseConfig,
        rng: random.Random | None = None,
        guard: Guard = contextlib.nullcontext,
    ) -> None:
        """``guard`` lets questions through or refuses them, and learns from how they end."""
        self._url = url
        self._guard = guard
        self._config = config
        self._rng = rng or random.Random()  # noqa: S311 - jitter
        self._pool: asyncpg.Pool[Any] | None = None
        self._watch: asyncio.Task[None] | None = None
        self._look = asyncio.Event()
        self._listeners: list[tuple[str, Heard, Reconcile | None]] = []
        self._changes: list[Callable[[bool], None]] = []
        self._alive: list[Callable[[], None]] = []
        self.available = False

    async def start(self) -> None:
        """Connect; `StoreUnavailable` with a sentence if that is impossible."""
        connect_seconds = self._config.connect_seconds
        self._pool = asyncpg.create_pool(
            self._url,
            min_size=0,
            max_size=self._config.pool_max,
            command_timeout=self._config.query_seconds,
            timeout=connect_seconds,
            init=_prepare,
        )
        try:
            async with asyncio.timeout(connect_seconds + 1):
                await self._pool
                connection = await self._connect()
        except (*_AWAY, ValueError) as error:
            with contextlib.suppress(*_AWAY):
                self._pool.terminate()
            raise StoreUnavailable(_sentence(error)) from None
        self.available = True
        self._watch = asyncio.get_running_loop().create_task(self._keep_watch(connection))

    async def stop(self) -> None:
        """Close everything; harmless when not started."""
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
            self._watch = None
        if self._pool is not None:
            try:
                async with asyncio.timeout(2):
                    await self._pool.close()
            except _AWAY:
                self._pool.terminate()
            self._pool = None
        self.available = False

    def on_change(self, callback: Callable[[bool], None]) -> None:
        """Call ``callback(available)`` when the database goes away or comes back."""
        self._changes.append(callback)

    def on_alive(self, callback: Callable[[], None]) -> None:
        """Call ``callback()`` whenever the watch has had an answer (every few seconds)."""
        self._alive.append(callback)

    # ── questions ───────────────────────────────────────────────────────────────────────

    async def fetch(self, sql: str, *args: Any) -> list[Row]:
        """All rows."""
        return await self._ask(lambda connection: connection.fetch(sql, *args))

    async def fetchrow(self, sql: str, *args: Any) -> Row | None:
        """The first row, or None."""
        return await self._ask(lambda connection: connection.fetchrow(sql, *args))

    async def fetchval(self, sql: str, *args: Any) -> Any:
        """The first column of the first row, or None."""
        return await self._ask(lambda connection: connection.fetchval(sql, *args))

    async def execute(self, sql: str, *args: Any) -> str:
        """Run a statement; the command tag."""
        return await self._ask(lambda connection: connection.execute(sql, *args))

    async def executemany(self, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Run a statement for many rows in one transaction."""
        await self._ask(lambda connection: connection.executemany(sql, list(rows)))

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        """One connection in a transaction; rolled back on any error."""
        with self._guarded():
            try:
                async with self._acquire() as connection, connection.transaction():
                    yield connection
            except _AWAY as error:
                raise self._unanswered(error) from error

    async def _ask(self, question: Callable[[Any], Awaitable[T]]) -> T:
        with self._guarded():
            try:
                async with self._acquire() as connection:
                    return await question(connection)
            except _AWAY as error:
                raise self._unanswered(error) from error

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            with self._guard(StoreUnavailable):
                yield
        except StoreUnavailable:
            raise
        except Unavailable as refusal:
            raise StoreUnavailable(str(refusal)) from None

    def _unanswered(self, error: BaseException) -> BaseException:
        """What a failed question raises; the watch is told to look now.

        A question that is cancelled while its connection hangs ends in asyncpg with the time-out
        of giving the connection back; who cancelled it waits for the cancellation.
        """
        self._look.set()
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            return asyncio.CancelledError()
        return StoreUnavailable(_sentence(error))

    def _acquire(self) -> Any:
        if self._pool is None or not self.available:
            raise StoreUnavailable("The database is away")
        return self._pool.acquire(timeout=self._config.query_seconds)

    # ── the watch ───────────────────────────────────────────────────────────────────────

    def listen(self, channel: str, heard: Heard, reconcile: Reconcile | None = None) -> None:
        """Hear notifications of ``channel``; call before `start`.

        ``heard(payload)`` must not block. ``reconcile()`` runs after each reconnect, because
        whatever was notified in between is lost.
        """
        self._listeners.append((channel, heard, reconcile))

    async def _connect(self) -> Any:
        connection = await asyncpg.connect(
            self._url,
            timeout=self._config.connect_seconds,
            command_timeout=self._config.query_seconds,
        )
        for channel, heard, _ in self._listeners:
            await connection.add_listener(channel, lambda *event, heard=heard: heard(event[3]))
        return connection

    async def _keep_watch(self, connection: Any) -> None:
        try:
            while True:
                await self._until_lost(connection)
                self._set(False)
                connection.terminate()
                connection = await self._until_back()
                self._set(True)
                for _, _, reconcile in self._listeners:
                    if reconcile is not None:
                        await self._try(reconcile)
        finally:
            connection.terminate()

    async def _until_lost(self, connection: Any) -> None:
        connection.add_termination_listener(lambda _: self._look.set())
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CHECK_SECONDS):
                    await self._look.wait()
            self._look.clear()
            try:
                await connection.fetchval("SELECT 1")
            except _AWAY:
                return
            for callback in self._alive:
                callback()

    async def _until_back(self) -> Any:
        wait = FIRST_RETRY
        while True:
            try:
                return await self._connect()
            except (*_AWAY, asyncpg.PostgresError):
                await asyncio.sleep(wait * self._rng.uniform(0.5, 1.0))
                wait = min(wait * 2, LAST_RETRY)

    async def _try(self, reconcile: Reconcile) -> None:
        try:
            await reconcile()
        except StoreUnavailable:
            log.info("database.reconcile_postponed")
        except Exception:
            log.exception("database.reconcile_failed")

    def _set(self, available: bool) -> None:
        self.available = available
        (log.info if available else log.warning)("database.back" if available else "database.away")
        for callback in self._changes:
            callback(available)


async def _prepare(connection: Any) -> None:
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name,
            encoder=lambda value: orjson.dumps(value).decode(),
            decoder=orjson.loads,
            schema="pg_catalog",
        )


def _sentence(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "The database did not answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).partition("\n")[0] or type(error).__name__
