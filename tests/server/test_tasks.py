"""Background tasks: one that fails is logged, reported and started again, later each time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from fastws.server import tasks as module
from fastws.server.tasks import Tasks
from tests.identity.desk import Lines
from tests.server.conftest import PATIENCE, until


class Reports:
    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def __call__(self, service: str, error: str) -> None:
        self.seen.append((service, error))


@pytest.fixture
def reports() -> Reports:
    return Reports()


@pytest.fixture
async def tasks(reports: Reports, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Tasks]:
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.001)
    made = Tasks(reports)
    yield made
    await made.stop()


async def test_a_job_that_fails_is_started_again(
    tasks: Tasks, reports: Reports, lines: Lines
) -> None:
    runs = []
    working = asyncio.Event()

    async def job() -> None:
        runs.append(1)
        if len(runs) < 4:
            raise RuntimeError("inner text")
        working.set()
        await asyncio.Event().wait()

    tasks.run("fragile", job)
    await working.wait()
    assert tasks.failures == {"fragile": 3}
    assert not tasks.down
    assert {service for service, _ in reports.seen} == {"fragile"}
    assert "inner text" not in reports.seen[0][1]
    assert [line["task"] for line in lines.of("server.task_failed")] == ["fragile"] * 3


async def test_the_pause_before_a_new_start_doubles_up_to_a_limit(
    tasks: Tasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    enough = asyncio.Event()
    sleep = asyncio.sleep

    async def slept(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 20:
            enough.set()
            await asyncio.Event().wait()
        await sleep(0)

    async def job() -> None:
        raise RuntimeError

    monkeypatch.setattr(module.asyncio, "sleep", slept)
    tasks.run("broken", job)
    await enough.wait()
    assert pauses[:4] == [0.001, 0.002, 0.004, 0.008]
    assert pauses[-1] == module.LONGEST_PAUSE


async def test_a_job_that_waits_for_its_new_start_is_down(
    tasks: Tasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE", 1e6)

    async def job() -> None:
        raise RuntimeError

    tasks.run("broken", job)
    await until(lambda: tasks.failures["broken"])
    assert tasks.down == {"broken"}


async def test_a_job_that_ends_has_ended(tasks: Tasks, reports: Reports) -> None:
    runs = []

    async def job() -> None:
        runs.append(1)

    tasks.run("short", job)
    await until(lambda: runs)
    for _ in range(5):
        await asyncio.sleep(0.002)
    assert runs == [1]
    assert not reports.seen


async def test_a_step_is_repeated_and_awaited_if_need_be(tasks: Tasks) -> None:
    plain: list[int] = []
    awaited: list[int] = []

    async def step() -> None:
        await asyncio.sleep(0)
        awaited.append(1)

    tasks.every(0.001, "plain", lambda: plain.append(1))
    tasks.every(0.001, "awaited", step)
    await until(lambda: len(plain) > 3 and len(awaited) > 3)


async def test_a_step_that_fails_is_reported_and_repeated_after_a_pause(
    tasks: Tasks, reports: Reports, lines: Lines
) -> None:
    steps: list[int] = []

    def step() -> None:
        steps.append(1)
        if len(steps) in (2, 4):
            raise RuntimeError

    tasks.every(0.001, "fragile", step)
    await until(lambda: len(steps) > 6)
    assert tasks.failures == {"fragile": 2}
    assert reports.seen == [("fragile", "a background task failed and is started again")] * 2
    assert len(lines.of("server.task_failed")) == 2
    assert not tasks.down


async def test_a_job_that_ran_for_long_begins_with_the_first_pause_again(
    tasks: Tasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONGEST_PAUSE", 0.0)  # so that any run is a long one
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def slept(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(0)

    async def job() -> None:
        await sleep(0.001)
        raise RuntimeError

    monkeypatch.setattr(module.asyncio, "sleep", slept)
    tasks.run("tired", job)
    async with asyncio.timeout(PATIENCE):
        while len(pauses) < 4:
            await sleep(0)
    assert pauses == [module.FIRST_PAUSE] * 4


async def test_one_that_fails_takes_no_other_along(tasks: Tasks) -> None:
    async def broken() -> None:
        raise RuntimeError

    steps: list[int] = []
    tasks.run("broken", broken)
    tasks.every(0.001, "sound", lambda: steps.append(1))
    await until(lambda: tasks.failures["broken"] > 2 and len(steps) > 2)
    assert "sound" not in tasks.failures


async def test_stop_ends_all_of_them_last_started_first(tasks: Tasks) -> None:
    ended = []
    begun = []

    def job(name: str) -> module.Job:
        async def wait() -> None:
            begun.append(name)
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(name)

        return wait

    for name in "abc":
        tasks.run(name, job(name))
    await until(lambda: len(begun) == 3)
    running = {task for task in asyncio.all_tasks() if task.get_name() in set("abc")}
    await tasks.stop()
    assert len(running) == 3
    assert all(task.cancelled() for task in running)
    assert ended == ["c", "b", "a"]
