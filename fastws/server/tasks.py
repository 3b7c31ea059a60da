"""Background tasks that do not end: one that fails is logged, reported and started again."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

__all__ = ["Tasks"]

log = structlog.get_logger()

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 30.0

Job = Callable[[], Awaitable[None]]


class Tasks:
    """Runs jobs until `stop`. ``report(service, sentence)`` tells admins of one that failed."""

    def __init__(self, report: Callable[[str, str], None]) -> None:
        self._report = report
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.failures: Counter[str] = Counter()
        """Times a job has failed, by name."""
        self.down: set[str] = set()
        """Jobs that failed and wait to be started again."""

    def run(self, name: str, job: Job) -> None:
        """Run ``job`` for ever; when it fails, again after a pause that grows."""
        loop = asyncio.get_running_loop()
        self._tasks[name] = loop.create_task(self._supervise(name, job), name=name)

    def every(self, seconds: float, name: str, step: Callable[[], object]) -> None:
        """Call ``step`` every ``seconds``; an awaitable result is awaited."""

        async def job() -> None:
            while True:
                await asyncio.sleep(seconds)
                result = step()
                if asyncio.iscoroutine(result):
                    await result

        self.run(name, job)

    async def stop(self) -> None:
        """Cancel everything and wait for it, last started first."""
        tasks = list(reversed(self._tasks.values()))
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _supervise(self, name: str, job: Job) -> None:
        pause = FIRST_PAUSE
        loop = asyncio.get_running_loop()
        while True:
            begun = loop.time()
            self.down.discard(name)
            try:
                await job()
            except Exception:
                log.exception("server.task_failed", task=name)
                self.failures[name] += 1
                self.down.add(name)
                self._report(name, "a background task failed and is started again")
            else:
                log.info("server.task_ended", task=name)
                return
            if loop.time() - begun > LONGEST_PAUSE:
                pause = FIRST_PAUSE
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
