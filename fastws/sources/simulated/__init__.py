"""A live market made up: real Solana tokens, invented prices, the same for the same seed.

Regimes and volatility clusters, one factor for the market and one per sector, heavy tails,
jumps, volumes, listings that come and go: see `model` for the numbers.
"""

from fastws.sources.simulated.listing import Listing, load_tokens
from fastws.sources.simulated.model import INTERVAL, SECTORS
from fastws.sources.simulated.source import NEWCOMERS, TURNOVER, Simulated

__all__ = ["INTERVAL", "NEWCOMERS", "SECTORS", "TURNOVER", "Listing", "Simulated", "load_tokens"]
