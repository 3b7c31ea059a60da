"""The test client for people: talk to an endpoint by hand, or let it try the usual five things.

It owns what is typed and what is shown; the conversation itself is `fastws.client`'s. It
needs no server of its own process and nothing of one but its address.
"""

from fastws.console.check import CHECKS, check
from fastws.console.names import ENDPOINTS, endpoint_name
from fastws.console.options import WALLET, Options
from fastws.console.session import run

__all__ = ["CHECKS", "ENDPOINTS", "WALLET", "Options", "check", "endpoint_name", "run"]
