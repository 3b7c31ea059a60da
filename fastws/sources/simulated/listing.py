"""The shipped list of real Solana tokens (see data/NOTICE and bench/make_tokens.py).

Owns its file format. Knows nothing of prices.
"""

from __future__ import annotations

from importlib.resources import files

import msgspec
import zstandard
from msgspec import Struct

from fastws.domain.market import Link, Social, Token

__all__ = ["Listing", "load_tokens"]


class Listing(Struct, frozen=True, kw_only=True):
    """One line of the shipped list (see bench/make_tokens.py)."""

    address: str
    symbol: str
    name: str
    decimals: int
    sector: str
    listed: bool
    image_url: str = ""
    website: str = ""
    twitter: str = ""

    def token(self, color: str) -> Token:
        """The metadata the market wants."""
        accounts = [("twitter", self.twitter)]
        return Token(
            address=self.address,
            symbol=self.symbol,
            name=self.name,
            decimals=self.decimals,
            listed=self.listed,
            color=color,
            image_url=self.image_url,
            socials=[Social(platform, url) for platform, url in accounts if url],
            websites=[Link("Website", self.website)] if self.website else [],
        )


def load_tokens() -> list[Listing]:
    """The shipped list, best known tokens first."""
    packed = (files("fastws.sources") / "data" / "tokens.jsonl.zst").read_bytes()
    text = zstandard.ZstdDecompressor().decompress(packed, max_output_size=16 << 20)
    return msgspec.json.Decoder(Listing).decode_lines(text)
