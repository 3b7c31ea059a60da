"""The token table and everything said about tokens: reading, publishing, legacy frames."""

from fastws.domain.market.book import COLUMNS, TOGETHER, Market, Published
from fastws.domain.market.decimals import Scaled, fit, parse, scale, significant, text
from fastws.domain.market.feed import Feed, FeedStatus
from fastws.domain.market.tokens import FIGURES, Link, Social, Token, TokenPatch

__all__ = [
    "COLUMNS",
    "FIGURES",
    "TOGETHER",
    "Feed",
    "FeedStatus",
    "Link",
    "Market",
    "Published",
    "Scaled",
    "Social",
    "Token",
    "TokenPatch",
    "fit",
    "parse",
    "scale",
    "significant",
    "text",
]
