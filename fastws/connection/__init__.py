"""One client without its socket, and the register of those that are open.

This room owns the order of a conversation and what it may cost: inbox, limits, backlog, expiry.
It knows nothing of HTTP, frames on the wire or what a channel means.
"""

from fastws.connection.connection import Connection, Handler, Outlet, Peer
from fastws.connection.limits import Allowance, Allowances
from fastws.connection.register import Connections

__all__ = ["Allowance", "Allowances", "Connection", "Connections", "Handler", "Outlet", "Peer"]
