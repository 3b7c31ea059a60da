"""Who may open a socket at all: counts and rates, before a byte is read.

Counts are of open sockets, rates of new ones. An address is limited first, so that one that
storms does not use up what the worker can take from everybody.
"""

from __future__ import annotations

import asyncio
import resource
from collections import Counter
from collections.abc import Callable
from typing import Final

from fastws._core.limiter import Bucket, Buckets
from fastws.config import GatewayConfig
from fastws.gateway.answers import Refused, busy

__all__ = ["Admission", "Lease", "most_connections"]

SPARE_DESCRIPTORS: Final = 64
"""Descriptors kept for the database, files and the feeds."""

FULL_SECONDS: Final = 5
"""What a peer is told to wait where only others can make room."""


def most_connections(config: GatewayConfig) -> int:
    """Open sockets this process may hold: as configured, or as its descriptors allow."""
    if config.max_connections > 0:
        return config.max_connections
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return 1 << 20
    return max(1, soft - SPARE_DESCRIPTORS)


class Lease:
    """One admitted socket: what it counts as, until it is released."""

    __slots__ = ("_admission", "_key", "transport")

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._key: str | None = None
        self.transport: asyncio.Transport | None = None

    @property
    def held(self) -> bool:
        """Whether it counts still."""
        return self in self._admission.leases

    def claim(self, key: str) -> None:
        """Count it as that address's; raises `Refused` if the address has too many."""
        self._admission.charge(key)
        self._key = key
        self._admission.by_address[key] += 1

    def release(self) -> None:
        """The socket is gone; once is enough."""
        self.transport = None
        key, self._key = self._key, None
        if key is not None:
            self._admission.gone(key)
        self._admission.leases.discard(self)
        self._admission.freed()


class Admission:
    """The counts and the buckets of one worker."""

    def __init__(self, config: GatewayConfig, clock: Callable[[], float]) -> None:
        self.most = most_connections(config)
        self.accepted = 0
        self.refused: Counter[str] = Counter()
        self.leases: set[Lease] = set()
        self._freed = asyncio.Event()
        self.by_address: Counter[str] = Counter()
        self._each = config.address_connections
        self._clock = clock
        self._addresses = Buckets(config.address_rate, config.address_burst)
        self._worker = Bucket(config.worker_rate, config.worker_burst)

    def enter(self, key: str | None) -> Lease:
        """Admit a socket; ``key`` None: a proxy's, whose clients are judged one by one.

        Raises `Refused` (503 with Retry-After), counted.
        """
        lease = Lease(self)
        try:
            if len(self.leases) >= self.most:
                raise busy("full", FULL_SECONDS)
            if key is not None:
                lease.claim(key)
            wait_ms = self._worker.take(self._clock())
            if wait_ms:
                lease.release()
                raise busy("worker_rate", _seconds(wait_ms))
        except Refused as refused:
            self.refused[refused.reason] += 1
            raise
        self.leases.add(lease)
        self.accepted += 1
        return lease

    def charge(self, key: str) -> None:
        """One more socket of an address; raises `Refused`."""
        if self.by_address[key] >= self._each:
            raise busy("address_count", FULL_SECONDS, "Too many connections from your address")
        wait_ms = self._addresses.take(key, self._clock())
        if wait_ms:
            text = "Too many new connections from your address"
            raise busy("address_rate", _seconds(wait_ms), text)

    def gone(self, key: str) -> None:
        """One socket less of an address."""
        self.by_address[key] -= 1
        if self.by_address[key] <= 0:
            del self.by_address[key]

    def freed(self) -> None:
        """A lease ended."""
        if not self.leases:
            self._freed.set()

    async def empty(self) -> None:
        """Wait until nobody is left."""
        while self.leases:
            self._freed.clear()
            await self._freed.wait()


def _seconds(milliseconds: int) -> int:
    return max(1, -(-milliseconds // 1000))
