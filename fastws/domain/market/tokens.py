"""What a token is: its metadata, and the patch by which others change it (wire.md A5).

Owns the shapes and their limits. Knows nothing of tables, channels or where tokens come from.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Final

from msgspec import UNSET, Meta, Struct, UnsetType

from fastws.domain.market.decimals import Scaled, scale

__all__ = ["FIGURES", "Link", "Social", "Token", "TokenPatch", "figures_of", "merge"]

FIGURES: Final = (
    "price",
    "change_24h",
    "market_cap",
    "fdv",
    "liquidity",
    "volume_24h",
    "buy_pressure",
)
"""The numbers of a token, in the order of their columns. ``change_24h`` is in per cent,
``buy_pressure`` the buyers' share of the volume in per cent, money is US dollars."""

Url = Annotated[str, Meta(max_length=512, pattern=r"^(https?|ipfs)://[^\s\"<>]+$|^$")]
Word = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\s\x00-\x1f\x7f]+$")]
Text = Annotated[str, Meta(max_length=128, pattern=r"^[^\x00-\x1f\x7f]*$")]
Color = Annotated[str, Meta(pattern=r"^(#[0-9a-fA-F]{3,8})?$")]


class Link(Struct, frozen=True):
    """A web site of a token."""

    label: Text
    url: Url


class Social(Struct, frozen=True):
    """An account of a token on a social platform."""

    platform: Text
    url: Url


Socials = Annotated[list[Social], Meta(max_length=8)]
Websites = Annotated[list[Link], Meta(max_length=8)]


class Token(Struct, frozen=True, kw_only=True):
    """Metadata of a token. ``address`` is its key: the mint, or an exchange's symbol.

    ``listed`` tokens are those a symbol means; ``id`` 0 lets the market number it.
    """

    address: str
    symbol: str
    name: str = ""
    id: int = 0
    decimals: int | None = None
    listed: bool = True
    color: str = ""
    image_url: str = ""
    socials: list[Social] = []
    websites: list[Link] = []


class TokenPatch(Struct, frozen=True, kw_only=True):
    """What a publisher says about one token; fields left out stay as they are.

    Decoded straight from JSON text, so a price keeps every digit. ``address`` or ``symbol``
    names the token; an unknown address with a symbol is a new token.
    """

    address: Word | UnsetType = UNSET
    symbol: Word | UnsetType = UNSET
    name: Text | UnsetType = UNSET
    id: Annotated[int, Meta(ge=0, lt=2**53)] | UnsetType = UNSET
    decimals: Annotated[int, Meta(ge=0, le=255)] | UnsetType | None = UNSET
    listed: bool | UnsetType = UNSET
    color: Color | UnsetType | None = UNSET
    image_url: Url | UnsetType | None = UNSET
    socials: Socials | UnsetType | None = UNSET
    websites: Websites | UnsetType | None = UNSET
    price: Decimal | UnsetType = UNSET
    change_24h: Decimal | UnsetType | None = UNSET
    market_cap: Decimal | UnsetType | None = UNSET
    fdv: Decimal | UnsetType | None = UNSET
    liquidity: Decimal | UnsetType | None = UNSET
    volume_24h: Decimal | UnsetType | None = UNSET
    buy_pressure: Decimal | UnsetType | None = UNSET


_METADATA: Final = tuple(name for name in Token.__struct_fields__ if name != "address")
_EMPTY: Final[dict[str, Any]] = {
    "decimals": None,
    "color": "",
    "image_url": "",
    "socials": [],
    "websites": [],
}


def merge(token: Token | None, patch: TokenPatch, address: str) -> Token:
    """The metadata after ``patch``; the same object when nothing changes."""
    changes = {}
    for name in _METADATA:
        value = getattr(patch, name)
        if value is UNSET:
            continue
        if value is None:
            value = _EMPTY[name]
        if token is None or getattr(token, name) != value:
            changes[name] = value
    if token is None:
        return Token(address=address, **changes)
    if not changes:
        return token
    fields = {name: getattr(token, name) for name in _METADATA} | changes
    return Token(address=address, **fields)


def figures_of(patch: TokenPatch) -> dict[str, Scaled]:
    """The numbers a patch sets, exact; `ValueError` names the one that makes no sense."""
    figures = {}
    for name in FIGURES:
        value = getattr(patch, name)
        if value is UNSET or value is None:
            continue
        try:
            scaled = scale(value)
        except ValueError as error:
            raise ValueError(f"{name} {error}") from None
        if scaled[0] < 0 and name != "change_24h":
            raise ValueError(f"{name} must not be negative")
        figures[name] = scaled
    return figures
