"""Token buckets against their twin, and what a flood of keys costs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastws._core.limiter import Bucket, Buckets, take_all
from tests.core import oracle

positive = st.floats(1e-3, 1e6)
steps = st.lists(
    st.tuples(
        st.floats(0, 1e4),
        st.floats(0, 1e4),
        st.sampled_from(["take", "wait", "remaining", "reset"]),
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
        elif what == "wait":
            assert ours.wait(now, cost) == twin.wait(now, cost)
        elif what == "remaining":
            assert ours.remaining(now) == twin.remaining(now)
        else:
            assert ours.reset_ms(now) == twin.reset_ms(now)


@given(
    made=st.lists(st.tuples(positive, positive), max_size=4),
    steps=st.lists(st.tuples(st.floats(0, 1e3), st.floats(0, 1e3)), max_size=30),
)
def test_taking_of_all_is_what_its_twin_does(
    made: list[tuple[float, float]], steps: list[tuple[float, float]]
) -> None:
    ours = tuple(Bucket(*numbers) for numbers in made)
    twins = [oracle.Bucket(*numbers) for numbers in made]
    now = 0.0
    for later, cost in steps:
        now += later
        assert take_all(ours, now, cost) == oracle.take_all(twins, now, cost)
        assert [b.remaining(now) for b in ours] == [b.remaining(now) for b in twins]


def test_one_that_refuses_keeps_the_others_whole() -> None:
    wide, narrow, slow = Bucket(1, 100), Bucket(1, 10), Bucket(0.1, 10)
    together = (wide, narrow, slow)
    assert take_all(together, 0.0, 8) == -1
    assert take_all(together, 0.0, 5) == 2, "the one that takes longest is named"
    assert [b.remaining(0.0) for b in together] == [92, 2, 2]
    assert take_all(together, 3.0, 5) == 2, "the other two would have it by now"
    assert [b.remaining(3.0) for b in together] == [95, 5, pytest.approx(2.3)]
    assert take_all(together, 30.0, 5) == -1
    assert take_all((), 0.0) == -1
    with pytest.raises(TypeError):
        take_all((wide, "no bucket"), 30.0)  # type: ignore[arg-type]
    assert wide.remaining(30.0) == 95, "and nothing was taken"


def test_a_cost_above_the_burst_takes_a_full_bucket() -> None:
    bucket = Bucket(1, 5)
    assert bucket.take(0.0, 10) == 0
    assert bucket.remaining(0.0) == 0
    assert bucket.wait(1.0, 10) == 4000
    assert bucket.take(5.0, 10) == 0


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


def test_the_bucket_of_a_key_is_the_one_that_is_charged() -> None:
    buckets = Buckets(1, 2)
    assert buckets.bucket("a", 0.0).take(0.0, 2) == 0
    assert buckets.take("a", 0.0) == 1000
    assert buckets.bucket("a", 0.0) is buckets.bucket("a", 0.0)
    with pytest.raises(TypeError, match="unhashable"):
        buckets.take([], 0.0)  # type: ignore[arg-type]


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
