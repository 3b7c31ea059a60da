"""Planted events among 2,000 tokens of noise: how many are found, and how much else is told.

Twenty jumps of volume, twenty trends and twenty tokens that go silent, in each of five seeds of
the market that the tests play (`tests/domain/test_market_signals.py`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from fastws.domain.market.signals import QUIET_SECONDS, MarketAlert
from tests.domain.test_market_signals import LEARNING, World

TOKENS, EACH = 2000, 20


def judge(alerts: Iterable[MarketAlert], kind: str, planted: dict[str, float]) -> str:
    """Recall, precision and the longest delay, seconds; ``planted``: when, by token."""
    told = [one for one in alerts if one.kind == kind and one.state != "down"]
    delays = {
        one.address: one.time - planted[one.address]
        for one in reversed(told)
        if one.address in planted and one.time >= planted[one.address]
    }
    true = sum(one.address in planted for one in told)
    recall, precision = len(delays) / len(planted), true / max(1, len(told))
    return f"{recall:.2f} / {precision:.2f} / {max(delays.values(), default=0.0):.0f} s"


def play(seed: int) -> tuple[str, ...]:
    world = World(tokens=TOKENS, seed=seed)
    world.sigma = {key: min(sigma, 1e-4) for key, sigma in world.sigma.items()}
    for _ in world.seconds(LEARNING + 300):
        pass
    chosen = world.rng.sample(world.keys, 3 * EACH)
    bursts, trends, silent = (chosen[at * EACH : (at + 1) * EACH] for at in range(3))
    alerts, begun = [], world.clock.now
    everybody, world.keys = world.keys, [key for key in world.keys if key not in set(silent)]
    burst_at: dict[str, float] = {}
    for second in range(int(QUIET_SECONDS) + 60):
        for key in trends:
            world.prices[key] *= 1.0005
        key = bursts[second // 6] if second % 6 == 0 and second // 6 < EACH else ""
        if key:
            burst_at[key] = world.clock.now + 1
        alerts += world.second(bursts={key: 100_000.0} if key else None)
    world.keys = everybody
    return (
        judge(alerts, "volume_spike", burst_at),
        judge(alerts, "trend_change", dict.fromkeys(trends, begun)),
        judge(alerts, "status_change", dict.fromkeys(silent, begun + QUIET_SECONDS)),
    )


def run() -> None:
    """A row a seed; ``--quick`` plays one."""
    print("| seed | volume: recall / precision / latest | trend | silence |\n|---|---|---|---|")
    for seed in range(1 if "--quick" in sys.argv else 5):
        print(f"| {seed} | {' | '.join(play(seed))} |", flush=True)
