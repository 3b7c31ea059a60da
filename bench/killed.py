"""``fastws serve`` that kills itself around a chat message: run by `bench.kills`.

python -m bench.killed committed|told COUNT serve …

``committed``: when the COUNT-th message is stored and nobody has heard of it. ``told``: when it has
left for everybody and its sender has no answer yet.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any

from fastws.cli import main
from fastws.domain.contests.chat import ChatLog


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def arm(where: str, count: int) -> None:
    tell, told = ChatLog.tell, 0

    def dying(self: ChatLog, contest: int, events: list[Any]) -> None:
        nonlocal told
        told += len(events)
        if where == "committed" and told >= count:
            die()
        tell(self, contest, events)
        if told >= count:  # after the writes of this turn, before the sender's task runs again
            asyncio.get_running_loop().call_soon(die)

    ChatLog.tell = dying  # type: ignore[method-assign]


if __name__ == "__main__":
    arm(sys.argv[1], int(sys.argv[2]))
    sys.exit(main(sys.argv[3:]))
