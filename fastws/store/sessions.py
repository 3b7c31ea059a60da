"""Revoked session ids: persistent, and in memory for the question asked at each handshake.

Each process reads what others revoked about once a second (``news``), so a revocation takes
effect everywhere within two. Times are Unix seconds.
"""

from __future__ import annotations

from fastws.store.pool import Database

__all__ = ["RevokedSessions"]


class RevokedSessions:
    """The table ``fastws_revoked_sessions`` and its copy in memory."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._until: dict[str, float] = {}
        self._seen = 0

    async def revoke(self, session_id: str, until: float) -> None:
        """Refuse a session id until its last token has expired by itself."""
        self._until[session_id] = until
        sql = """
            INSERT INTO fastws_revoked_sessions (session_id, until) VALUES ($1, to_timestamp($2))
            ON CONFLICT (session_id) DO UPDATE SET until = greatest(
                fastws_revoked_sessions.until, excluded.until)
        """
        await self._database.execute(sql, session_id, until)

    def learn(self, session_id: str, until: float) -> None:
        """Another process says that it revoked a session id."""
        self._until[session_id] = max(until, self._until.get(session_id, until))

    def known(self, session_id: str) -> bool:
        """Whether that session is known to have ended, without asking the database."""
        return session_id in self._until

    async def is_revoked(self, session_id: str) -> bool:
        """Whether that session has ended, as the database has it."""
        if session_id in self._until:
            return True
        sql = "SELECT true FROM fastws_revoked_sessions WHERE session_id = $1"
        return bool(await self._database.fetchval(sql, session_id))

    async def news(self) -> list[str]:
        """Session ids revoked since the last call, by any process.

        Rows are read again for a while after they were seen: sequence numbers are given
        before commit, so a later number may become visible first.
        """
        sql = """
            SELECT seq, session_id, extract(epoch FROM until)::float8 AS until
            FROM fastws_revoked_sessions
            WHERE until > now() AND (seq > $1 OR revoked_at > now() - interval '30 seconds')
            ORDER BY seq
        """
        fresh = []
        for row in await self._database.fetch(sql, self._seen):
            self._seen = max(self._seen, row["seq"])
            if row["session_id"] not in self._until:
                fresh.append(row["session_id"])
            self._until[row["session_id"]] = row["until"]
        return fresh

    async def prune(self, now: float) -> None:
        """Forget sessions whose tokens have all expired."""
        self._until = {key: until for key, until in self._until.items() if until > now}
        sql = "DELETE FROM fastws_revoked_sessions WHERE until < to_timestamp($1)"
        await self._database.execute(sql, now)
