"""How clients do, as they say themselves: versions beside each other while one replaces another.

Owns counts by client version and endpoint. What clients call themselves is theirs, so it is cut
and only so many are kept apart.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from msgspec import Struct, field

from fastws.metrics import Histogram

__all__ = ["OTHERS", "Rollout", "Said"]

MOST: Final = 200
"""Pairs of version and endpoint that are kept apart."""

OTHERS: Final = "others"

MOST_CODES: Final = 50


class Said(Struct):
    """What is known of one version on one endpoint."""

    connected: int = 0
    failed: int = 0
    fell_back: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    first_data: Histogram = field(default_factory=Histogram)  # seconds


class Rollout:
    """Counts by (version, endpoint)."""

    def __init__(self) -> None:
        self._said: dict[tuple[str, str], Said] = {}

    def of(self, version: str, endpoint: str) -> Said:
        """The counts of a version; `OTHERS` when there are too many."""
        key = (version[:32] or "unknown", endpoint[:32] or "unknown")
        if key not in self._said and len(self._said) >= MOST:
            key = (OTHERS, OTHERS)
        return self._said.setdefault(key, Said())

    def error(self, said: Said, code: str, count: int = 1) -> None:
        """Errors of a code; so many codes are kept apart."""
        known = code in said.errors or len(said.errors) < MOST_CODES
        said.errors[code[:48] if known else OTHERS] += count

    def items(self) -> list[tuple[tuple[str, str], Said]]:
        """Everything, by version and endpoint."""
        return sorted(self._said.items())

    def shown(self) -> list[dict[str, Any]]:
        """As administrators read it; of times the upper bounds of their buckets, in ms."""
        return [
            {
                "version": version,
                "endpoint": endpoint,
                "connected": said.connected,
                "failed": said.failed,
                "fellBack": said.fell_back,
                "successRate": _rate(said.connected, said.connected + said.failed),
                "firstDataMs": {
                    "count": said.first_data.count,
                    "p50": said.first_data.quantile(0.5) * 1000,
                    "p99": said.first_data.quantile(0.99) * 1000,
                },
                "errors": dict(said.errors.most_common()),
            }
            for (version, endpoint), said in self.items()
        ]


def _rate(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
