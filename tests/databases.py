"""Migrated databases for tests: each test has one to itself, and gets it as if it were new.

Making a database takes a third of a second of copying, so one that a test gave back is used
again: sessions in it are ended, rows deleted, sequences reset. One whose catalogue a test has
touched (a table renamed, a trigger switched off) is dropped instead.
"""

from __future__ import annotations

from itertools import count

import asyncpg

from fastws.config import DatabaseConfig
from fastws.store.migrate import migrate
from fastws.store.pool import Database

CATALOGUE = """
SELECT array_agg(x ORDER BY x) FROM (
    SELECT 'class ' || oid || ' ' || xmin AS x FROM pg_class WHERE oid > 16383
    UNION ALL SELECT 'column ' || attrelid || ' ' || attnum || ' ' || xmin
        FROM pg_attribute WHERE attrelid > 16383
    UNION ALL SELECT 'default ' || oid || ' ' || xmin FROM pg_attrdef
    UNION ALL SELECT 'constraint ' || oid || ' ' || xmin FROM pg_constraint
    UNION ALL SELECT 'trigger ' || oid || ' ' || xmin FROM pg_trigger
    UNION ALL SELECT 'function ' || oid || ' ' || xmin FROM pg_proc WHERE oid > 16383
    UNION ALL SELECT 'type ' || oid || ' ' || xmin FROM pg_type WHERE oid > 16383
    UNION ALL SELECT 'label ' || oid || ' ' || xmin FROM pg_enum
    UNION ALL SELECT 'schema ' || oid || ' ' || xmin FROM pg_namespace WHERE nspname !~ '^pg_'
    UNION ALL SELECT 'setting ' || setdatabase || ' ' || xmin FROM pg_db_role_setting
) AS rows
"""
"""Every catalogue row a migration or a test could write; ``xmin`` tells who wrote it last."""

OTHERS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
"""Ends whatever session a test left open, and waits until it is gone."""

ROWS = """
SET session_replication_role = replica;
DO $$
DECLARE name regclass;
BEGIN
    FOR name IN SELECT oid FROM pg_class WHERE relkind = 'r'
        AND relnamespace = 'public'::regnamespace AND relname <> 'fastws_migrations'
    LOOP EXECUTE 'DELETE FROM ' || name; END LOOP;
    PERFORM setval(seqrelid, seqstart, false) FROM pg_sequence;
END $$
"""
"""Deletes all rows; triggers and foreign keys look away."""


def database_url(url: str, name: str) -> str:
    return url.replace("/postgres?", f"/{name}?")


class Databases:
    """The databases of one server, lent to one test at a time."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._numbers = count(1)
        self._clean: list[str] = []
        self._catalogues: dict[str, list[str]] = {}

    async def prepare(self) -> None:
        """Make and migrate the one all others are copies of."""
        await self._order("CREATE DATABASE template")
        database = Database(database_url(self._url, "template"), DatabaseConfig())
        await database.start()
        await migrate(database)
        await database.stop()

    async def borrow(self) -> str:
        """The name of a database that holds what a migration leaves, and nothing else."""
        if self._clean:
            return self._clean.pop()
        name = f"test{next(self._numbers)}"
        await self._order(f"CREATE DATABASE {name} TEMPLATE template")
        connection = await asyncpg.connect(database_url(self._url, name))
        self._catalogues[name] = await connection.fetchval(CATALOGUE)
        await connection.close()
        return name

    async def give_back(self, name: str) -> None:
        """Clean a database for the next test, or drop it if that is not enough."""
        if await self._cleaned(name):
            self._clean.append(name)
        else:
            await self._order(f"DROP DATABASE {name} WITH (FORCE)")

    async def _cleaned(self, name: str) -> bool:
        try:
            connection = await asyncpg.connect(database_url(self._url, name))
        except asyncpg.PostgresError:
            return False
        try:
            await connection.execute(OTHERS)
            if await connection.fetchval(CATALOGUE) != self._catalogues[name]:
                return False
            await connection.execute(ROWS)
        finally:
            await connection.close()
        return True

    async def _order(self, statement: str) -> None:
        connection = await asyncpg.connect(self._url)
        await connection.execute(statement)
        await connection.close()
