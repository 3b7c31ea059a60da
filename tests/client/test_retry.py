"""What a close code asks for, and waits that grow."""

from __future__ import annotations

import random

import pytest

from fastws.client import Backoff, advice
from fastws.errors import CLOSE_CODES, Action


@pytest.mark.parametrize("close", CLOSE_CODES, ids=lambda close: f"{close.code} {close.reason}")
def test_the_table_is_the_advice(close: object) -> None:
    code, reason, action, _ = close  # type: ignore[misc]
    assert advice(code, reason) == action


@pytest.mark.parametrize(
    ("code", "action"),
    [
        (1005, "reconnect"),
        (1006, "reconnect"),
        (4001, "new_token"),
        (4499, "stop"),
        (4450, "stop"),
        (4500, "reconnect_later"),
        (4599, "reconnect_later"),
        (3000, "reconnect_later"),
    ],
)
def test_other_codes_are_judged_by_their_range(code: int, action: Action) -> None:
    assert advice(code, "never heard of") == action


def test_waits_grow_and_differ() -> None:
    one, two = Backoff(random.Random(1)), Backoff(random.Random(2))
    first = [one.next() for _ in range(20)]
    second = [two.next() for _ in range(20)]
    assert all(0.5 * min(30, 0.25 * 2**n) <= wait <= 30 for n, wait in enumerate(first))
    assert first != second
    assert first[-1] >= 15
    one.reset()
    assert one.next() <= 0.25
    one.reset()
    assert 2.5 <= one.next("reconnect_later") <= 5
