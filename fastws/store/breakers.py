"""Circuit breakers in the database: their states, what went wrong when, and their configuration."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct

from fastws.store.pool import Database

__all__ = ["BreakerRows", "Incident", "StoredState"]


class StoredState(Struct, frozen=True):
    """A row of ``circuit_breaker_states``: how somebody says that a service is."""

    service: str
    state: str
    failures: int
    last_failure: datetime | None = None
    last_success: datetime | None = None
    last_reset: datetime | None = None


class Incident(Struct, frozen=True):
    """A time in which a breaker was open."""

    service: str
    begun_at: datetime
    ended_at: datetime | None
    cause: str


class BreakerRows:
    """Questions about breakers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def configs(self) -> dict[str, dict[str, Any]]:
        """What administrators configured, by service."""
        sql = "SELECT service_name, config FROM circuit_breaker_config"
        rows = await self._database.fetch(sql)
        return {row["service_name"]: row["config"] for row in rows}

    async def configure(self, connection: Any, service: str, config: dict[str, Any]) -> None:
        """Store a configuration within a transaction."""
        sql = """
            INSERT INTO circuit_breaker_config (service_name, config) VALUES ($1, $2)
            ON CONFLICT (service_name) DO UPDATE SET config = excluded.config, updated_at = now()
        """
        await connection.execute(sql, service, config)

    async def states(self, since: datetime) -> list[tuple[StoredState, datetime]]:
        """States that were written after a moment, and when."""
        sql = """
            SELECT service_name, state, failures, last_failure, last_success, last_reset, updated_at
            FROM circuit_breaker_states WHERE updated_at > $1 ORDER BY updated_at
        """
        rows = await self._database.fetch(sql, since)
        return [(StoredState(*list(row.values())[:-1]), row["updated_at"]) for row in rows]

    async def put_state(self, state: StoredState) -> None:
        """Store how a service is."""
        sql = """
            INSERT INTO circuit_breaker_states (service_name, state, failures, last_failure,
                                                last_success, last_reset)
            VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (service_name) DO UPDATE SET state = excluded.state,
                failures = excluded.failures, last_failure = excluded.last_failure,
                last_success = excluded.last_success, last_reset = excluded.last_reset,
                updated_at = now()
        """
        fields = [getattr(state, name) for name in state.__struct_fields__]
        await self._database.execute(sql, *fields)

    async def put_incident(self, incident: Incident) -> None:
        """Store a time in which a service was not called; one that ended replaces its begin."""
        sql = """
            UPDATE circuit_breaker_incidents SET ended_at = $3, cause = $4
            WHERE service_name = $1 AND begun_at = $2 RETURNING id
        """
        fields = [getattr(incident, name) for name in incident.__struct_fields__]
        if await self._database.fetchval(sql, *fields) is None:
            sql = """
                INSERT INTO circuit_breaker_incidents (service_name, begun_at, ended_at, cause)
                VALUES ($1, $2, $3, $4)
            """
            await self._database.execute(sql, *fields)

    async def incidents(self, service: str | None, limit: int) -> list[Incident]:
        """The newest first, of a service or of all."""
        sql = """
            SELECT service_name, begun_at, ended_at, coalesce(cause, '')
            FROM circuit_breaker_incidents WHERE $1::text IS NULL OR service_name = $1
            ORDER BY begun_at DESC, id DESC LIMIT $2
        """
        return [Incident(*row) for row in await self._database.fetch(sql, service, limit)]
