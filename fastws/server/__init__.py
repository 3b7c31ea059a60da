"""Wiring and life: builds every room, starts them, drains them, stops them.

Knows every room; no room knows it.
"""

from fastws.server.life import Server
from fastws.server.process import serve, with_database

__all__ = ["Server", "serve", "with_database"]
