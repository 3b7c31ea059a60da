"""What the parts of the admin endpoint share: who did it, the audit, and telling the others."""

from __future__ import annotations

from typing import Any, Final

from fastws.connection import Connection
from fastws.domain.people import People
from fastws.endpoint import Endpoint
from fastws.hub import Channel
from fastws.identity import Author

__all__ = ["AUDIT", "Audited"]

AUDIT: Final = "admin.audit"


class Audited(Endpoint):
    """Everything that changes something is a row in ``admin_logs`` before it is answered, and is
    told to all administrators on ``admin.audit``.
    """

    path = "admin"

    _people: People

    def channel(self, label: str) -> Channel | None:
        """``admin.audit``."""
        return self.hub.stream(f"{self.path}/{label}") if label == AUDIT else None

    async def record(self, conn: Connection, action: str, **details: Any) -> None:
        """Write down what is done, and tell the others."""
        author = conn.author
        await self._people.record(author, action, **details)
        await self.announce_action(author, action, **details)

    async def announce_action(self, author: Author, action: str, **details: Any) -> None:
        """Tell the others what is written."""
        fields = {"action": action, "by": author.wallet, "details": details}
        await self.hub.stream(f"{self.path}/{AUDIT}").publish("admin_action", fields)
