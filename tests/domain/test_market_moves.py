"""What moved of one token: windows, the past of another process, trend."""

from __future__ import annotations

import pytest

from fastws.domain.market.moves import STEP, Moves


def sampled(prices: list[float], moves: Moves | None = None) -> Moves:
    moves = moves or Moves()
    for price in prices:
        moves.sample(price)
    return moves


@pytest.mark.parametrize("seconds", [60, 300, 3600])
def test_a_change_is_told_as_soon_as_its_window_is_known(seconds: int) -> None:
    steps = seconds // STEP
    moves = sampled([100.0] * steps)
    assert moves.change(seconds, 110.0) is None
    moves.sample(105.0)
    change = moves.change(seconds, 110.0)
    assert change == pytest.approx(10.0)
    sampled([110.0] * steps, moves)
    assert moves.change(seconds, 110.0) == pytest.approx(100 * (110 / 105 - 1))
    sampled([110.0] * 2000, moves)
    assert moves.change(seconds, 55.0) == pytest.approx(-50.0)


def test_a_day_is_known_after_a_day() -> None:
    moves = sampled([100.0] * (86_400 // STEP))
    assert moves.change_24h(120.0) is None
    moves.sample(120.0)
    assert moves.change_24h(120.0) == pytest.approx(20.0)


def test_the_past_of_another_process_fills_the_windows() -> None:
    now = 1_000_000_000 // 900 * 900
    moves = Moves()
    moves.seed([(now - 3600 - 60, 50.0), (now - 360, 80.0), (now - 60, 100.0)], now, 60)
    moves.seed([(now - 86_400 - 900, 40.0), (now - 3600, 90.0)], now, 900)
    moves.sample(100.0)
    assert moves.change(60, 100.0) == pytest.approx(25.0)
    assert moves.change(300, 100.0) == pytest.approx(25.0)
    assert moves.change(3600, 100.0) == pytest.approx(100.0), "nothing changed in between"
    assert moves.change_24h(100.0) == pytest.approx(150.0)


def test_a_trend_begins_turns_and_ends() -> None:
    wobble = [100.0, 100.1] * 100
    moves = sampled(wobble)
    assert moves.trend == 0
    rising = [100.0 * 1.002**step for step in range(40)]
    assert sampled(rising, moves).trend == 1
    falling = [rising[-1] * 0.997**step for step in range(120)]
    assert sampled(falling, moves).trend == 2
    assert sampled([falling[-1], falling[-1] * 1.0001] * 500, moves).trend == 0
