"""The whole algorithm in a small world: whatever happens, clients end with what the server has.

`tests.core.world` has the events. Compiled rooms and readable twins play side by side, and every
frame is compared. Then each trap of the design is planted in the twin, to see that the world
would notice. The long run, a million events and more, is `python -m bench model`.
"""

from __future__ import annotations

import contextlib
import math
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.core.world import Compiled, Divergence, Twin, World, play, tuned

TRAPS = {
    "relative": "a relative frame to a client two ticks behind",
    "open": "a snapshot of open instead of sealed values",
    "quiet": "a base that advances silently while nothing is owed",
    "new": "a resume with rows that were not held then",
    "reuse": "a row number used again before its tombstone is gone",
    "values": "a replica repaired by comparing values",
    "ahead": "a replica that is behind the client who resumes there",
    "floor": "a tombstone dropped without raising the floor",
    "exponent": "another exponent sent as a difference",
    "filter": "a checksum over the rows before a filter change",
}
SEEDS = range(5)
MOST = 80_000
"""Events in which a trap must have been noticed; most need some hundreds."""

NAMES = [name for name, weight in World.EVENTS for _ in range(max(1, round(weight / 4)))]


class Model(RuleBasedStateMachine):
    """Events in an order that hypothesis chooses, and shortens when it finds a fault."""

    def __init__(self) -> None:
        super().__init__()
        self.limits = contextlib.ExitStack()

    @initialize(one=st.booleans())
    def begin(self, one: bool) -> None:
        """``one``: a page has room for one row."""
        self.limits.enter_context(tuned(2, 0 if one else 1 << 30))
        sides = [Compiled(1), Twin(1, 2, 1 if one else math.inf)]
        self.world = World(Random(0), sides)

    @rule(name=st.sampled_from(NAMES), rng=st.randoms(use_true_random=False))
    def event(self, name: str, rng: Random) -> None:
        self.world.rng = rng
        self.world.run(name)

    @rule(rng=st.randoms(use_true_random=False))
    def peace(self, rng: Random) -> None:
        self.world.rng = rng
        self.world.quiesce()

    def teardown(self) -> None:
        try:
            if hasattr(self, "world"):
                self.world.rng = Random(1)
                self.world.quiesce()
        finally:
            self.limits.close()


Model.TestCase.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
TestModel = Model.TestCase


@pytest.mark.parametrize("seed", range(6))
def test_compiled_and_twin_send_the_same_frames(seed: int) -> None:
    one = bool(seed % 2)
    with tuned(2, 0 if one else 1 << 30):
        world = World(Random(seed), [Compiled(1), Twin(1, 2, 1 if one else math.inf)])
        play(world, 2500)
    assert world.frames > 400


@pytest.mark.parametrize("seed", SEEDS)
def test_pages_of_bytes_and_shared_bases_lose_nothing(seed: int) -> None:
    """What the twin does not do: pages measured in bytes, laggards brought to one older base."""
    with tuned(3, 400, laggards=1):
        world = World(Random(seed), [Compiled(1)])
        play(world, 20_000)
    assert world.frames > 4000


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("trap", TRAPS)
def test_the_trap_is_noticed(trap: str, seed: int) -> None:
    page = 1 if seed % 2 else math.inf
    world = World(Random(seed), [Twin(1, 2, page, frozenset([trap]))])
    # A planted mistake may also make the twin itself stumble over a row that is not there.
    with pytest.raises((Divergence, KeyError)):
        play(world, MOST)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_twin_without_traps_is_not_accused(seed: int) -> None:
    world = World(Random(seed), [Twin(1, 2, 1 if seed % 2 else math.inf)])
    play(world, 10_000)
    assert world.operations == 10_000
