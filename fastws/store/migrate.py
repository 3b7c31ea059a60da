"""Brings the schema up to date: numbered files, once each, one process at a time."""

from __future__ import annotations

from importlib import resources

import asyncpg
import structlog

from fastws.errors import StartError
from fastws.store.pool import Database

__all__ = ["migrate"]

log = structlog.get_logger()

LOCK = 0x66617374
"""Advisory lock that processes starting together take in turn."""


async def migrate(database: Database) -> list[str]:
    """Apply what is missing, in order, each in a transaction; the names applied now.

    A file named ``*.optional.sql`` may be refused by a database whose owner does not let us
    create triggers; everything it gives has a slower substitute. `StartError` when it does not
    let us create tables.
    """
    try:
        applied = await _apply(database)
    except asyncpg.InsufficientPrivilegeError as error:
        text = f"The database's user may not do what its schema needs: {error}."
        raise StartError(text) from None
    if applied:
        log.info("database.migrated", names=applied)
    return applied


async def _apply(database: Database) -> list[str]:
    applied = []
    async with database.transaction() as connection:
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS fastws_migrations"
            " (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        rows = await connection.fetch("SELECT name FROM fastws_migrations")
        done = {row["name"] for row in rows}
        for name, sql in _files():
            if name in done:
                continue
            try:
                async with connection.transaction():
                    await connection.execute(sql)
            except asyncpg.InsufficientPrivilegeError:
                if ".optional." not in name:
                    raise
                log.warning("database.migration_refused", name=name)
                continue
            await connection.execute("INSERT INTO fastws_migrations (name) VALUES ($1)", name)
            applied.append(name)
    return applied


def _files() -> list[tuple[str, str]]:
    folder = resources.files("fastws.store") / "schema"
    names = sorted(item.name for item in folder.iterdir() if item.name.endswith(".sql"))
    return [(name, (folder / name).read_text("utf-8")) for name in names]
