"""A few of the deaths of `bench.kills`: between a commit and its telling, and before the answer."""

from __future__ import annotations

from bench.kills import play


async def test_nothing_acknowledged_is_lost_and_nothing_is_there_twice() -> None:
    found = await play(4)
    assert found.pop("killed") == 4
    assert found.pop("acknowledged") >= 4
    assert found.pop("heard") >= 4
    assert not any(found.values()), found
