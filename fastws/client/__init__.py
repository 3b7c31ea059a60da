"""A Python client of the v69 protocol: requests with replies, frames, resume, tokens.

Used by the console, the checks, tests and load tests; stands alone with aiohttp. It knows the
wire and the table of close codes, nothing of the server's other rooms. Frames of tables in
binary come in through ``decode`` (see `Client`); `TableCopy` is what a client holds of a table.
"""

from fastws.client.address import Address
from fastws.client.connection import Client
from fastws.client.failures import (
    ClientError,
    Closed,
    ErrorReply,
    HandshakeRefused,
    NoToken,
    Unreachable,
)
from fastws.client.followed import Followed
from fastws.client.frames import BadFrame, Columns, blocks
from fastws.client.places import Gap, Places
from fastws.client.retry import Backoff, advice
from fastws.client.tables import OutOfStep, TableCopy
from fastws.client.tokens import Token, fetch_token

__all__ = [
    "Address",
    "Backoff",
    "BadFrame",
    "Client",
    "ClientError",
    "Closed",
    "Columns",
    "ErrorReply",
    "Followed",
    "Gap",
    "HandshakeRefused",
    "NoToken",
    "OutOfStep",
    "Places",
    "TableCopy",
    "Token",
    "Unreachable",
    "advice",
    "blocks",
    "fetch_token",
]
