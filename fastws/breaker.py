"""A circuit breaker: it stops calls to what fails, tries it again later, and says so.

Closed, it counts failures; with as many as the threshold within the window it opens and refuses
calls. After a while it half-opens and lets one call through: a success closes it, a failure opens
it for twice as long. After the last attempt it stays open until somebody resets it. Source:
wire.md A7; M. Nygard, "Release It!". Knows nothing of what it guards.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

from msgspec import Meta, Struct

from fastws.errors import Unavailable

__all__ = ["Breaker", "BreakerConfig", "BreakerOpen", "State"]

State = Literal["closed", "degraded", "half_open", "open"]


class BreakerOpen(Unavailable):
    """A call that was refused: what it asks for has failed too often."""


class BreakerConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """When to open and when to try again."""

    threshold: Annotated[int, Meta(ge=1, le=1000)] = 5  # failures within the window
    window_seconds: Annotated[float, Meta(gt=0, le=86_400)] = 300.0
    open_seconds: Annotated[float, Meta(gt=0, le=86_400)] = 60.0  # doubled at each attempt
    attempts: Annotated[int, Meta(ge=1, le=100)] = 3


class Breaker:
    """One dependency. ``on_change(previous)`` is called after each change of `state`.

    Decisions use ``monotonic``; what is shown are Unix seconds of ``clock``.
    """

    def __init__(
        self,
        name: str,
        config: BreakerConfig | None = None,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.config = config or BreakerConfig()
        self._clock = clock
        self._monotonic = monotonic
        self.on_change: list[Callable[[State], None]] = []
        self.state: State = "closed"
        self.cause = ""
        """What the last failure was, in a sentence for operators."""
        self._failures: deque[float] = deque(maxlen=1000)
        self._retry_at = 0.0
        self._trying = False
        self.total = self.successful = self.failed = 0
        self.seconds = 0.0  # of all successful calls
        self.last_seconds = 0.0
        self.recovery_attempts = 0
        self.last_failure = self.last_success = 0.0
        self.last_recovery_attempt = self.last_reset = 0.0

    @property
    def failures(self) -> int:
        """Failures within the window."""
        oldest = self._monotonic() - self.config.window_seconds
        while self._failures and self._failures[0] <= oldest:
            self._failures.popleft()
        return len(self._failures)

    # ── guarding ────────────────────────────────────────────────────────────────────────

    @property
    def refuses(self) -> bool:
        """Whether a call would be refused now."""
        self.look()
        return self.state == "open" or (self.state == "half_open" and self._trying)

    @contextmanager
    def guard(self, *failures: type[BaseException]) -> Iterator[None]:
        """Let a call through and learn from how it ends. `BreakerOpen` when it is refused.

        ``failures`` are those that are the dependency's fault; others are no judgement.
        """
        self.enter()
        begun = self._monotonic()
        try:
            yield
        except BaseException as error:
            self._trying = False
            if isinstance(error, failures or Exception):
                self.fail(str(error) or type(error).__name__)
            raise
        self.succeed(self._monotonic() - begun)

    def enter(self) -> None:
        """A call is about to be made. `BreakerOpen` when it is refused."""
        if self.refuses:
            raise BreakerOpen(f"{self.name} is not called: it failed too often")
        if self.state == "half_open":
            self._trying = True

    def succeed(self, seconds: float = 0.0) -> None:
        """A call was answered, after so many seconds."""
        self.total += 1
        self.successful += 1
        self.seconds += seconds
        self.last_seconds = seconds
        self.last_success = self._clock()
        self._trying = False
        if self.state in ("half_open", "open"):
            self._close()
        elif self.state == "degraded" and not self.failures:
            self._become("closed")

    def fail(self, cause: str) -> None:
        """A call failed."""
        self.total += 1
        self.failed += 1
        self.last_failure = self._clock()
        self.cause = cause[:200]
        self._trying = False
        self._failures.append(self._monotonic())
        if self.state == "half_open":
            self._open()
        elif self.state in ("closed", "degraded"):
            if self.failures >= self.config.threshold:
                self._open()
            elif self.state == "closed":
                self._become("degraded")

    def look(self) -> None:
        """Half-open, or forget old failures, if it is time for that."""
        if self.state == "open" and self._monotonic() >= self._retry_at:
            if self.recovery_attempts < self.config.attempts:
                self._try()
        elif self.state == "degraded" and not self.failures:
            self._become("closed")

    def hint(self) -> None:
        """What is guarded shows signs of life: try it now."""
        if self.state == "open":
            self._try()

    def reset(self) -> None:
        """Somebody says that it is well: begin anew."""
        self.last_reset = self._clock()
        self._close()

    def adopt(self, state: State, cause: str = "") -> None:
        """Somebody else judges: be as he says."""
        self.cause = cause[:200]
        if state == "open" and self.state != "open":
            self._open()
        elif state == "closed":
            self._close()
        else:
            self._become(state)

    def configure(self, config: BreakerConfig) -> None:
        """Judge by other numbers from now on."""
        self.config = config
        self.look()

    def _open(self) -> None:
        wait = self.config.open_seconds * 2**self.recovery_attempts
        self._retry_at = self._monotonic() + wait
        self._become("open")

    def _try(self) -> None:
        self.recovery_attempts += 1
        self.last_recovery_attempt = self._clock()
        self._trying = False
        self._become("half_open")

    def _close(self) -> None:
        self._failures.clear()
        self.recovery_attempts = 0
        self._trying = False
        self._become("closed")

    def _become(self, state: State) -> None:
        previous = self.state
        if previous == state:
            return
        self.state = state
        for listener in self.on_change:
            listener(previous)
