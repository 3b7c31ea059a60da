"""Reduce the npm package @solana/spl-token-registry to the list that fastws ships.

    npm pack @solana/spl-token-registry@0.2.4574
    python bench/make_tokens.py solana-spl-token-registry-0.2.4574.tgz

Writes fastws/sources/data/tokens.jsonl.zst and NOTICE; the same package gives the same bytes.
Kept are mainnet tokens that trade under a name (no collectibles, pool shares or passes), best
known first; a symbol is listed for the first address that carries it.
"""

from __future__ import annotations

import json
import re
import sys
import tarfile
from pathlib import Path
from typing import Any

import zstandard

VERSION = "0.2.4574"
COUNT = 2400
MAINNET = 101
OUT = Path(__file__).parent.parent / "fastws" / "sources" / "data"

NOT_TRADED = {
    "social-token", "nft", "nfts", "nft-token", "fnft", "bridgesplit-fraction", "lp-token",
    "saber-stableswap-lp", "whitelist-token", "security-token",
}  # fmt: skip
NOT_NAMED = re.compile(
    r"white ?list|allow ?list|\bwl\b|\bmint\b|\bpass\b|ticket|raffle|\blp\b|\bnft\b", re.IGNORECASE
)
MAJORS = (
    "SOL",
    "USDC",
    "USDT",
    "BTC",
    "ETH",
    "mSOL",
    "stSOL",
    "RAY",
    "ORCA",
    "SRM",
    "MNGO",
    "SAMO",
)
SECTORS = (
    ("stable", {"stablecoin", "stable"}),
    ("stock", {"tokenized-stock"}),
    ("bridged", {"wrapped", "wormhole", "ethereum", "bridge"}),
    ("meme", {"meme-token", "meme", "memecoin"}),
    ("game", {"game-token", "game-currency", "gaming", "gamefi", "metaverse", "game"}),
    ("defi", {"defi", "lending", "governance-token", "dex", "amm", "staking"}),
)
SOCIALS = ("twitter",)
SYMBOL = re.compile(r"[!-~]{1,16}")
URL = re.compile(r"https?://[!-~]{3,150}")
BAD_IN_URL = re.compile(r'["<>\\]')


def url(value: Any) -> str:
    text = value.strip() if isinstance(value, str) else ""
    return text if URL.fullmatch(text) and not BAD_IN_URL.search(text) else ""


def sector(tags: set[str]) -> str:
    return next((name for name, words in SECTORS if tags & words), "other")


def reduce(token: dict[str, Any]) -> dict[str, Any] | None:
    tags = {tag.lower() for tag in token.get("tags") or []}
    symbol, name = token["symbol"], token["name"].strip()
    if (
        token["chainId"] != MAINNET
        or tags & NOT_TRADED
        or not SYMBOL.fullmatch(symbol)
        or not name.isprintable()
        or not 0 < len(name) <= 40
        or token["decimals"] > 12
        or NOT_NAMED.search(f"{name} {symbol}")
    ):
        return None
    extensions = token.get("extensions") or {}
    kept = {
        "address": token["address"],
        "symbol": symbol,
        "name": name,
        "decimals": token["decimals"],
        "sector": sector(tags),
        "image_url": url(token.get("logoURI")),
        "website": url(extensions.get("website")),
        "coingecko": extensions.get("coingeckoId") or "",
    }
    kept |= {social: url(extensions.get(social)) for social in SOCIALS}
    return kept


def rank(token: dict[str, Any]) -> tuple[Any, ...]:
    """Well-known tokens first; the address breaks ties."""
    named = sum(1 for name in ("website", "image_url", *SOCIALS) if token[name])
    major = bool(token["coingecko"]) and token["symbol"] in MAJORS
    place = MAJORS.index(token["symbol"]) if major else len(MAJORS)
    return (place, not token["coingecko"], -named, token["address"])


def choose(tokens: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The best known, and among them every namesake, so that symbols are not unique."""
    tokens.sort(key=rank)
    chosen = tokens[:COUNT]
    listed: set[str] = set()
    rows = []
    for token in chosen:
        first = token["symbol"] not in listed
        listed.add(token["symbol"])
        known = bool(token.pop("coingecko")) or bool(token["website"])
        rows.append({**{k: v for k, v in token.items() if v != ""}, "listed": first and known})
    return rows


def main(package: Path) -> None:
    with tarfile.open(package) as archive:
        source = archive.extractfile("package/dist/main/tokens/solana.tokenlist.json")
        licence = archive.extractfile("package/LICENSE")
        assert source
        assert licence
        tokens = [kept for token in json.load(source)["tokens"] if (kept := reduce(token))]
        text = licence.read().decode()
    rows = choose(tokens)
    # One token a line: the compressed file stays small and a diff stays readable.
    body = "\n".join(json.dumps(row, ensure_ascii=False, sort_keys=True) for row in rows) + "\n"
    OUT.mkdir(exist_ok=True)
    (OUT / "tokens.jsonl.zst").write_bytes(
        zstandard.ZstdCompressor(level=19).compress(body.encode())
    )
    (OUT / "NOTICE").write_text(
        "tokens.jsonl.zst is a reduced form of the list of Solana tokens in the npm package\n"
        f"@solana/spl-token-registry {VERSION} (https://github.com/solana-labs/token-list),\n"
        "Copyright Solana Labs and contributors, licensed under the Apache License 2.0.\n\n"
        "Changes: one mainnet token a line, reduced to address, symbol, name, decimals,\n"
        "picture, web site and account; a sector derived from the tags and a listed flag were\n"
        f"added; {len(rows)} of the tokens were kept. See bench/make_tokens.py.\n\n"
        + "-" * 80 + "\n\n" + text,
        "utf-8",
    )  # fmt: skip
    print(len(tokens), "candidates,", len(rows), "kept,", sum(r["listed"] for r in rows), "listed")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
