"""``/admin``: who is here, who may what, what is turned, and what was done (docs/wire.md, "Admin").

One endpoint, a file a subject; `Admin` is all of them together.
"""

from __future__ import annotations

from fastws.connection import Connection, Connections
from fastws.connection.standing import Standing
from fastws.connection.trace import Traces
from fastws.domain.people import People
from fastws.endpoint import Base
from fastws.endpoints.admin.audited import AUDIT
from fastws.endpoints.admin.clients import Clients
from fastws.endpoints.admin.roles import Roles
from fastws.endpoints.admin.system import Controls, System
from fastws.identity import Role

__all__ = ["Admin", "Controls"]


class Admin(Clients, Roles, System):
    """What administrators see and do."""

    path = "admin"
    role = Role.ADMIN

    def __init__(
        self,
        base: Base,
        connections: Connections,
        people: People,
        standing: Standing,
        controls: Controls,
    ) -> None:
        super().__init__(base)
        self._connections = connections
        self._people = people
        self._standing = standing
        self._controls = controls
        self._traces = Traces()
        controls.flags.on_changed.append(self.apply)

    def automatic(self, conn: Connection) -> tuple[str, ...]:
        """What the others do."""
        return (AUDIT,)

    def closed(self, conn: Connection) -> None:
        """Who read along does so no more."""
        self._traces.gone(conn)
