"""The long run of the model test: a million events and more, compiled rooms, no divergence.

python -m bench model            1,200,000 events
EVENTS=5000000 python -m bench model
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from random import Random

EACH = 10_000
"""Events of one world; every 150 of them everybody reads everything and is compared."""


def run() -> None:
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from tests.core.world import Compiled, World, play, tuned

    events = int(os.environ.get("EVENTS", "1200000"))
    done = frames = checks = worlds = 0
    begun = time.perf_counter()
    while done < events:
        tombstones, page = 2 + worlds % 3, (0, 300, 16384)[worlds % 3]
        laggards = (1 << 30, 1)[worlds % 2]
        with tuned(tombstones, page, laggards):
            world = World(Random(worlds), [Compiled(1)])
            play(world, EACH)  # raises Divergence
        done += world.operations
        frames += world.frames
        checks += world.checks
        worlds += 1
    seconds = time.perf_counter() - begun
    print(
        f"{done:,} events in {worlds} worlds, {frames:,} frames, {checks:,} states compared, "
        f"0 divergent, {seconds:.0f} s"
    )


if __name__ == "__main__":
    run()
