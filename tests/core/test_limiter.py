"""Token buckets against their twin, and what a flood of keys costs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastws._core.limiter import Bucket, Buckets
from tests.core import oracle

positive = st.floats(1e-3, 1e6)
steps = st.lists(
    st.tuples(
        st.floats(0, 1e4), st.floats(0, 1e4), st.sampled_from(["take", "remaining", "reset"])
    ),
    max_size=50,
)


@given(rate=positive, burst=positive, steps=steps)
def test_the_compiled_bucket_is_its_twin(
    rate: float, burst: float, steps: list[tuple[float, float, str]]
) -> None:
    ours, twin = Bucket(rate, burst), oracle.Bucket(rate, burst)
    now = 0.0
    for later, cost, what in steps:
        now += later
        if what == "take":
            assert ours.take(now, cost) == twin.take(now, cost)
        elif what == "remaining":
            assert ours.remaining(now) == twin.remaining(now)
        else:
            assert ours.reset_ms(now) == twin.reset_ms(now)


def test_a_refusal_names_the_moment_it_would_be_granted() -> None:
    bucket = Bucket(10, 5)
    assert [bucket.take(0.0) for _ in range(5)] == [0] * 5
    wait = bucket.take(0.0)
    assert wait == 100
    assert bucket.take(0.099) > 0
    assert bucket.take(0.1) == 0


def test_a_clock_that_goes_back_grants_nothing() -> None:
    bucket = Bucket(1, 1)
    assert bucket.take(100.0) == 0
    assert bucket.take(0.0) > 0
    assert bucket.take(100.5) > 0


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (1, 0), (-1, 1), (float("nan"), 1)])
def test_a_bucket_needs_positive_numbers(rate: float, burst: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        Bucket(rate, burst)
    with pytest.raises(ValueError, match="positive"):
        Buckets(rate, burst)


def test_keys_do_not_share() -> None:
    buckets = Buckets(1, 2)
    assert [buckets.take("a", 0.0) for _ in range(3)] == [0, 0, 1000]
    assert buckets.take("b", 0.0) == 0
    assert buckets.remaining("a", 0.0) == 0
    assert buckets.remaining("never seen", 0.0) == 2
    assert buckets.reset_ms("a", 0.0) == 2000


def test_a_flood_of_keys_holds_bounded_memory_and_keeps_offenders() -> None:
    buckets = Buckets(1, 2, capacity=100)
    for _ in range(3):
        buckets.take("offender", 0.0)
    for number in range(10_000):
        buckets.take(number, 5000.0 + number)
        assert len(buckets) <= 100
    for _ in range(3):
        buckets.take("offender", 20_000.0)
    for number in range(40):
        buckets.take(-number, 20_000.0)
    assert buckets.take("offender", 20_000.0) > 0
