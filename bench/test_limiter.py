"""Why the limiter is compiled: it runs once per frame and once per message."""

from __future__ import annotations

from typing import Any

from fastws._core.limiter import Bucket, Buckets
from tests.core import oracle


def test_take(benchmark: Any) -> None:
    bucket = Bucket(1e9, 1e9)
    benchmark(bucket.take, 1.0)


def test_take_by_key(benchmark: Any) -> None:
    buckets = Buckets(1e9, 1e9)
    for number in range(10_000):
        buckets.take(number, 0.0)
    benchmark(buckets.take, 5000, 1.0)


def test_take_in_the_twin(benchmark: Any) -> None:
    bucket = oracle.Bucket(1e9, 1e9)
    benchmark(bucket.take, 1.0)
