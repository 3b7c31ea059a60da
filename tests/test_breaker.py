"""The breaker: when it opens, when it tries again, and that calls really stop."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastws.breaker import Breaker, BreakerConfig, BreakerOpen
from tests.fakes import Clock


class Guarded:
    """A dependency that fails when it is told to."""

    def __init__(self, **config: float) -> None:
        self.clock = Clock()
        self.breaker = Breaker(
            "it",
            BreakerConfig(**config),
            clock=self.clock,
            monotonic=self.clock,  # type: ignore[arg-type]
        )
        self.seen: list[str] = []
        self.breaker.on_change.append(lambda previous: self.seen.append(self.breaker.state))
        self.calls = 0

    def call(self, *, fail: bool = False) -> None:
        with self.breaker.guard(OSError):
            self.calls += 1
            if fail:
                raise OSError("no answer")

    def fail(self, times: int = 1) -> None:
        for _ in range(times):
            with pytest.raises(OSError, match="no answer"):
                self.call(fail=True)


def test_it_degrades_opens_and_refuses() -> None:
    it = Guarded()
    it.call()
    assert it.breaker.state == "closed"
    it.fail(4)
    assert it.seen == ["degraded"]
    it.fail()
    assert it.seen == ["degraded", "open"]
    with pytest.raises(BreakerOpen):
        it.call()
    assert it.calls == 6
    assert it.breaker.cause == "no answer"
    assert (it.breaker.total, it.breaker.successful, it.breaker.failed) == (6, 1, 5)


def test_failures_are_forgotten_after_the_window() -> None:
    it = Guarded()
    it.fail(4)
    it.clock.now += 301
    it.breaker.look()
    assert it.breaker.state == "closed"
    it.fail(4)
    assert it.breaker.state == "degraded"


def test_one_call_is_let_through_and_decides() -> None:
    it = Guarded()
    it.fail(5)
    it.clock.now += 59
    assert it.breaker.refuses
    it.clock.now += 1
    with it.breaker.guard(OSError):
        assert it.breaker.state == "half_open"
        with pytest.raises(BreakerOpen):
            it.call()
    assert it.seen == ["degraded", "open", "half_open", "closed"]
    assert it.breaker.recovery_attempts == 0
    assert it.breaker.failures == 0


def test_attempts_wait_twice_as_long_and_end() -> None:
    it = Guarded()
    it.fail(5)
    for wait in (60, 120, 240):
        it.clock.now += wait - 1
        assert it.breaker.refuses
        it.clock.now += 1
        it.fail()
        assert it.breaker.state == "open"
    it.clock.now += 1e9
    assert it.breaker.refuses, "until somebody resets it"
    it.breaker.reset()
    it.call()
    assert it.breaker.state == "closed"
    assert it.breaker.last_reset == it.clock.now


def test_a_sign_of_life_is_tried_at_once() -> None:
    it = Guarded()
    it.fail(5)
    it.breaker.hint()
    assert it.breaker.state == "half_open"
    it.call()
    assert it.breaker.state == "closed"


def test_what_is_not_its_fault_is_no_judgement() -> None:
    it = Guarded()
    it.fail(5)
    it.breaker.hint()
    with pytest.raises(KeyError), it.breaker.guard(OSError):
        raise KeyError
    assert it.breaker.state == "half_open"
    it.call()
    assert it.breaker.state == "closed"


@given(st.lists(st.sampled_from(["ok", "fail", "wait", "long", "reset", "hint", "other"])))
def test_whatever_happens_it_lets_through_only_what_it_may(steps: list[str]) -> None:
    it = Guarded()
    for step in steps:
        if step in ("ok", "fail", "other"):
            refuses, before = it.breaker.refuses, it.calls
            try:
                with it.breaker.guard(OSError):
                    it.calls += 1
                    if step != "ok":
                        raise OSError if step == "fail" else KeyError
            except (OSError, KeyError, BreakerOpen):
                assert step != "ok" or refuses
            assert it.calls - before == (not refuses)
        elif step in ("wait", "long"):
            it.clock.now += 61 if step == "wait" else 400
        else:
            (it.breaker.reset if step == "reset" else it.breaker.hint)()
        assert it.breaker.failures <= it.breaker.failed
        if it.breaker.state == "closed":
            assert not it.breaker.refuses
