"""Run the measurements, all or by name."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PROGRAMS = (
    "model", "rows", "signals", "decode", "idle_memory", "attacks", "peers", "latency",
    "slow", "storm", "kills", "room", "duels",
)  # fmt: skip
ELSEWHERE = {"peers": "bench.peers.compare"}


def main() -> int:
    names = [name for name in sys.argv[1:] if not name.startswith("-")] or ["compiled", *PROGRAMS]
    for name in names:
        print(f"── {name}", flush=True)
        if name == "compiled":
            command = [sys.executable, "-m", "pytest", str(HERE), "-q", "--benchmark-only"]
            status = subprocess.call(command)
            if status:
                return status
        else:
            importlib.import_module(ELSEWHERE.get(name, f"bench.{name}")).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
