"""The tables ``fastws_candles``: candles of one second as written, coarser ones made of them.

A batch is written in one transaction with the roll-up that it completes. Writing the same batch
again changes nothing, so a batch whose answer was lost may be sent again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from fastws.store.pool import Database, Row

__all__ = ["RESOLUTIONS", "Candle", "CandleRows"]

RESOLUTIONS: Final[Mapping[str, int]] = {
    "1s": 1,
    "1m": 60,
    "5m": 300,
    "15m": 900,
    "1h": 3600,
    "4h": 14_400,
    "1d": 86_400,
}
"""Seconds of a candle; each is made of whole candles of the one before it."""

STEPS: Final = tuple(zip(RESOLUTIONS.values(), list(RESOLUTIONS.values())[1:], strict=False))

AT_ONCE: Final = 2000
"""Rows of one statement: what it costs our loop to write them down is a few milliseconds."""

FORGET_AT_ONCE: Final = 20_000

TOKENS_AT_ONCE: Final = 100

_FOLD = """
    (array_agg(open ORDER BY time))[1], max(high), min(low),
    (array_agg(close ORDER BY time DESC))[1], sum(volume)
"""


class Candle(NamedTuple):
    """A candle of a token. Prices are ``mantissa * 10**exponent`` US dollars, exact."""

    address: str
    time: int
    exponent: int
    open: int
    high: int
    low: int
    close: int
    volume: float


class CandleRows:
    """Questions about candles."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ids: dict[str, int] = {}
        self._rolled: dict[int, int] = {}

    async def write(self, candles: Sequence[Candle], until: int) -> None:
        """Keep candles of one second; after them every second before ``until`` is complete."""
        await self._number({candle.address for candle in candles})
        async with self._database.transaction() as connection:
            for first in range(0, len(candles), AT_ONCE):
                part = candles[first : first + AT_ONCE]
                columns = [list(column) for column in zip(*part, strict=True)]
                columns[0] = [self._ids[address] for address in columns[0]]
                await connection.execute(_WRITE, *columns)
            rolled = await self._roll(connection, until)
        self._rolled = rolled

    async def _roll(self, connection: Any, until: int) -> dict[int, int]:
        """Make the coarser candles that are complete; up to where each resolution is made."""
        rolled = dict(self._rolled)
        if not rolled:
            rows = await connection.fetch("SELECT resolution, until FROM fastws_candle_rolls")
            rolled = {row["resolution"]: row["until"] for row in rows}
        for fine, coarse in STEPS:
            first = rolled.get(coarse)
            if first is None:
                first = await connection.fetchval(_FIRST, fine, coarse)
            last = until // coarse * coarse
            if first is not None and first < last:
                await connection.execute(_ROLL, fine, coarse, first, last)
                await connection.execute(_ROLLED, coarse, last)
                rolled[coarse] = last
        return rolled

    async def _number(self, addresses: Iterable[str]) -> None:
        """Learn the numbers of tokens, which a row is too short to name."""
        unknown = [address for address in addresses if address not in self._ids]
        if not unknown:
            return
        await self._database.execute(
            "INSERT INTO fastws_candle_tokens (address) SELECT unnest($1::text[])"
            " ON CONFLICT DO NOTHING",
            unknown,
        )
        sql = "SELECT id, address FROM fastws_candle_tokens WHERE address = ANY($1)"
        for row in await self._database.fetch(sql, unknown):
            self._ids[row["address"]] = row["id"]

    async def of(
        self, address: str, resolution: int, since: int, until: int, most: int
    ) -> list[tuple[int, str]]:
        """The last ``most`` candles that begin in ``since <= time < until``, oldest first.

        Each as its time and the JSON array ``[time, open, high, low, close, volume]``, whose
        numbers have every digit.
        """
        rows = await self._database.fetch(_OF, address, resolution, since, until, most)
        return [(row["time"], row["json"]) for row in reversed(rows)]

    async def begun(self, now: int) -> list[tuple[int, Candle]]:
        """What is stored of the candles that are not complete at ``now``: (resolution, candle).

        Each is folded from whole candles of the finer resolution.
        """
        found: list[tuple[int, Candle]] = []
        for fine, coarse in STEPS:
            rows = await self._database.fetch(_BEGUN, fine, now // coarse * coarse)
            found += [(coarse, _candle(row)) for row in rows]
        return found

    async def closes(
        self, resolution: int, since: int
    ) -> AsyncIterator[tuple[str, list[tuple[int, float]]]]:
        """By token: begin and close (as a float) of its candles from ``since``, oldest first."""
        after = 0
        while True:
            rows = await self._database.fetch(_CLOSES, resolution, since, after, TOKENS_AT_ONCE)
            for row in rows:
                yield row["address"], list(zip(row["times"], row["closes"], strict=True))
            if len(rows) < TOKENS_AT_ONCE:
                return
            after = rows[-1]["id"]

    async def forget(self, resolution: int, before: int) -> int:
        """Delete candles that begin before a time and are rolled up; how many there were."""
        coarser = dict(STEPS).get(resolution)
        done, gone = 0, FORGET_AT_ONCE
        while gone == FORGET_AT_ONCE:
            tag = await self._database.execute(_FORGET, resolution, before, FORGET_AT_ONCE, coarser)
            gone = int(tag.split()[1])
            done += gone
        return done


_WRITE: Final = """
    INSERT INTO fastws_candles AS kept (resolution, token, time, open, high, low, close, volume)
    SELECT 1, token, time, o * unit, h * unit, l * unit, c * unit, volume
    FROM unnest($1::int[], $2::bigint[], $3::int[], $4::bigint[], $5::bigint[], $6::bigint[],
                $7::bigint[], $8::float8[]) AS given (token, time, exponent, o, h, l, c, volume),
         LATERAL (SELECT ('1e' || exponent)::numeric AS unit) AS scale
    ON CONFLICT (resolution, token, time) DO UPDATE SET
        high = greatest(kept.high, excluded.high),
        low = least(kept.low, excluded.low),
        close = excluded.close,
        volume = greatest(kept.volume, excluded.volume)
"""

_FIRST: Final = "SELECT min(time) / $2 * $2 FROM fastws_candles WHERE resolution = $1"

_ROLL: Final = f"""
    INSERT INTO fastws_candles (resolution, token, time, open, high, low, close, volume)
    SELECT $2::int, token, time / $2 * $2, {_FOLD}
    FROM fastws_candles
    WHERE resolution = $1 AND time >= $3 AND time < $4
    GROUP BY token, time / $2
    ON CONFLICT (resolution, token, time) DO UPDATE SET
        open = excluded.open, high = excluded.high, low = excluded.low,
        close = excluded.close, volume = excluded.volume
"""  # noqa: S608 - constant

_ROLLED: Final = """
    INSERT INTO fastws_candle_rolls AS kept (resolution, until) VALUES ($1, $2)
    ON CONFLICT (resolution) DO UPDATE SET until = greatest(kept.until, excluded.until)
"""

_OF: Final = """
    SELECT time, '[' || time || ',' || trim_scale(open) || ',' || trim_scale(high) || ','
        || trim_scale(low) || ',' || trim_scale(close) || ',' || volume || ']' AS json
    FROM fastws_candles
    WHERE token = (SELECT id FROM fastws_candle_tokens WHERE address = $1)
        AND resolution = $2 AND time >= $3 AND time < $4
    ORDER BY time DESC LIMIT $5
"""

_BEGUN: Final = f"""
    SELECT address, begun.*,
        (SELECT max(scale(price)) FROM unnest(ARRAY[o, h, l, c]) AS price) AS places
    FROM (
        SELECT token, $2::bigint AS time, {_FOLD}
        FROM fastws_candles WHERE resolution = $1 AND time >= $2 GROUP BY token
    ) AS begun (token, time, o, h, l, c, volume)
    JOIN fastws_candle_tokens ON id = token
"""  # noqa: S608 - constant

_CLOSES: Final = """
    SELECT tokens.id, address, times, closes FROM fastws_candle_tokens AS tokens, LATERAL (
        SELECT coalesce(array_agg(time ORDER BY time), '{}') AS times,
            coalesce(array_agg(close::float8 ORDER BY time), '{}') AS closes
        FROM fastws_candles WHERE resolution = $1 AND token = tokens.id AND time >= $2
    ) AS kept
    WHERE tokens.id > $3 ORDER BY tokens.id LIMIT $4
"""

_FORGET: Final = """
    DELETE FROM fastws_candles WHERE resolution = $1 AND (token, time) IN (
        SELECT token, time FROM fastws_candles
        WHERE resolution = $1 AND time < $2 AND ($4::int IS NULL OR time < (
            SELECT until FROM fastws_candle_rolls WHERE resolution = $4))
        LIMIT $3)
"""


def _candle(row: Row) -> Candle:
    places = max(0, row["places"])
    o, h, l, c = (int(row[name].scaleb(places)) for name in ("o", "h", "l", "c"))  # noqa: E741
    return Candle(row["address"], row["time"], -places, o, h, l, c, row["volume"])
