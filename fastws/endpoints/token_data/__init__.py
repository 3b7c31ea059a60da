"""``/token-data``: tokens and their prices, for anybody (wire.md A5).

One endpoint, a file a subject: each is a class with its commands and channels, and `TokenData`
is all of them together.
"""

from __future__ import annotations

from fastws.endpoints.token_data.lists import Lists

__all__ = ["TokenData"]


class TokenData(Lists):
    """Live token prices."""

    path = "token-data"
    requires_auth = False
