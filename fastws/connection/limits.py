"""What a client may ask for: buckets of its connection, of its user or address, of operations.

A message costs what its command declares and is charged to all its buckets together: where one
refuses, none is charged. Who has logged in is counted by user, over all his connections of this
process; everybody else by address, at a limit that an office behind one address does not reach.
Knows no messages and no sockets. A limiter that several processes share would take the place
of `Allowances`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

from fastws._core.limiter import Bucket, Buckets, take_all
from fastws.config import EndpointConfig, LimitsConfig
from fastws.errors import Close, Code, WireError
from fastws.identity import Identity
from fastws.identity.addresses import address_key
from fastws.wire import Reply

__all__ = ["Allowance", "Allowances"]

WARN_AT: Final = 0.2
"""Share of a bucket left at which ``limit_warning`` is pushed, once until it recovers."""

SECONDS: Final = {"s": 1, "min": 60, "h": 3600}

Left = dict[str, dict[str, int]]
"""Bucket → ``limit``, ``remaining``, ``reset_ms``."""


class Allowances:
    """The buckets that connections share: by user, by address, by user and operation."""

    def __init__(self, config: LimitsConfig, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.violations = config.violations
        self._users = Buckets(config.user_cost / 60, config.user_cost)
        self._addresses = Buckets(config.address_cost / 60, config.address_cost)
        self._operations: dict[tuple[str, str], Buckets] = {}

    def of(
        self, path: str, settings: EndpointConfig, identity: Identity, address: str
    ) -> Allowance:
        """What a connection to that endpoint may ask for."""
        if identity.wallet:
            return Allowance(self, path, settings, "user", self._users, identity.wallet)
        key = address_key(address)
        return Allowance(self, path, settings, "address", self._addresses, key)

    def operation(self, path: str, name: str, rate: str) -> Buckets:
        """The buckets of an operation with a limit of its own, by user."""
        found = self._operations.get((path, name))
        if found is None:
            found = self._operations[path, name] = Buckets(*_numbers(rate))
        return found


class Allowance:
    """What one connection may ask for."""

    __slots__ = (
        "_alone", "_key", "_kind", "_messages", "_path", "_rates", "_shared", "_together",
        "_violations", "_warned",
    )  # fmt: skip

    def __init__(
        self,
        together: Allowances,
        path: str,
        settings: EndpointConfig,
        kind: str,
        shared: Buckets,
        key: str,
    ) -> None:
        per_minute = settings.messages_per_minute
        self._together = together
        self._path = path
        self._rates = settings.operations
        self._kind = kind
        self._shared = shared
        self._key = key
        self._messages = Bucket(per_minute / 60, per_minute)
        self._alone: dict[str, Bucket] | None = None  # operations of who is not logged in
        self._violations: Bucket | None = None
        self._warned: frozenset[str] = frozenset()

    def charge(self, operation: str = "", cost: float = 1) -> list[Reply]:
        """Take ``cost`` from each bucket of an operation; what the client is to be warned of.

        An operation with a limit of its own is counted there instead of in ``messages``.
        Raises ``RATE_LIMIT_EXCEEDED``, which closes with 1008 after ``limits.violations``
        refusals within a minute.
        """
        now = self._together.clock()
        name = operation if operation in self._rates else "messages"
        buckets = self._bucket(name, now), self._bucket(self._kind, now)
        refuses = take_all(buckets, now, cost)
        if refuses >= 0:
            raise self._refusal(buckets[refuses], (name, self._kind)[refuses], cost, now)
        low = [
            pair for pair in zip((name, self._kind), buckets, strict=True) if self._low(*pair, now)
        ]
        return [Reply("limit_warning", bucket=of, **_left(bucket, now)) for of, bucket in low]

    def bucket(self, operation: str) -> Bucket | None:
        """The bucket of an operation with a limit of its own, for who takes from it himself."""
        if operation not in self._rates:
            return None
        return self._bucket(operation, self._together.clock())

    def left(self) -> Left:
        """What is left in every bucket."""
        now = self._together.clock()
        return {name: _left(self._bucket(name, now), now) for name in self._names()}

    def _names(self) -> Iterator[str]:
        yield from ("messages", self._kind)
        yield from self._rates

    def _bucket(self, name: str, now: float) -> Bucket:
        if name == "messages":
            return self._messages
        if name == self._kind:
            return self._shared.bucket(self._key, now)
        rate = self._rates[name]
        if self._kind == "user":
            return self._together.operation(self._path, name, rate).bucket(self._key, now)
        if self._alone is None:
            self._alone = {}
        if name not in self._alone:
            self._alone[name] = Bucket(*_numbers(rate))
        return self._alone[name]

    def _refusal(self, bucket: Bucket, name: str, cost: float, now: float) -> WireError:
        if self._violations is None:
            allowed = self._together.violations
            self._violations = Bucket(allowed / 60, allowed)
        gone_on = self._violations.take(now) > 0
        return WireError(
            Code.RATE_LIMIT_EXCEEDED,
            "Message rate limit exceeded",
            close=Close.RATE_LIMIT if gone_on else None,
            retry_after_ms=bucket.wait(now, cost),
            bucket=name,
        )

    def _low(self, name: str, bucket: Bucket, now: float) -> bool:
        """Whether the client is to be warned of that bucket now."""
        share = bucket.remaining(now) / bucket.burst
        if share > WARN_AT or name in self._warned:
            if share > 2 * WARN_AT and name in self._warned:
                self._warned -= {name}
            return False
        self._warned |= {name}
        return True


def _left(bucket: Bucket, now: float) -> dict[str, int]:
    return {
        "limit": int(bucket.burst),
        "remaining": int(bucket.remaining(now)),
        "reset_ms": bucket.reset_ms(now),
    }


def _numbers(rate: str) -> tuple[float, float]:
    """Tokens a second and at most: ``60/s`` is sixty at once, too."""
    most, _, period = rate.partition("/")
    return int(most) / SECONDS[period], int(most)
