"""Compiled rooms: bytes, sockets, time. They import nothing of fastws."""
