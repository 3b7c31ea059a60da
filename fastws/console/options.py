"""What the command line says to the console."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

from fastws.client import Address

__all__ = ["WALLET", "Options"]

WALLET: Final = "Conso1eConso1eConso1eConso1eConso1eConso1e1"
"""Who logs in through the development door when nobody is named."""


class Options(Struct, frozen=True, kw_only=True):
    """Everything the console needs to know."""

    endpoint: str
    address: Address
    token: str | None = None
    via: Literal["header", "subprotocol", "query"] = "header"
    channel: str | None = None
    message: str | None = None
    dev_secret: str | None = None
    """Secret of the development door of a server on this machine."""
    wallet: str = WALLET
    """Who to log in as through that door."""
    history: str | None = None
    """File of what was typed; None keeps none."""
    verbose: bool = False

    @property
    def url(self) -> str:
        """Where to connect."""
        return self.address.socket(self.endpoint, self.channel)
