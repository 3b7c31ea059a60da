"""A gateway with 256 descriptors, in a process of its own: ``python -m tests.gateway.child``.

Prints its port, then its figures as a JSON line for each line it reads; ends with its stdin.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from pathlib import Path
from typing import Any

import structlog
import uvloop

from tests.gateway.edge import edge

MANY = 1_000_000


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def tell(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


async def main(most: int) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    settings = {
        "address_rate": MANY, "address_burst": MANY, "address_connections": MANY,
        "worker_rate": MANY, "worker_burst": MANY, "max_connections": most, "head_seconds": 600,
    }  # fmt: skip
    async with edge(**settings) as at:
        tell(at.gateway.port)
        while await reader.readline():
            figures = {
                "open": at.gateway.open_sockets,
                "most": at.gateway.most_sockets,
                "accepted": at.gateway.accepted,
                "refused": dict(at.gateway.refused),
                "descriptors": descriptors() if not most else 0,
            }
            tell(figures)


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
    uvloop.run(main(int(sys.argv[1])))
