"""What clients say of themselves is counted, and cannot fill the memory."""

from __future__ import annotations

from fastws.domain.rollout import OTHERS, Rollout


def test_versions_are_kept_apart_and_only_so_many() -> None:
    rollout = Rollout()
    for number in range(1000):
        said = rollout.of(f"v{number}" + "x" * 1000, "monitor")
        said.connected += 1
        for code in range(100):
            rollout.error(said, f"c{code}")
    assert len(rollout.items()) == 201
    others = dict(rollout.items())[OTHERS, OTHERS]
    assert others.connected == 800
    assert len(others.errors) <= 51
    assert max(len(version) for (version, _), _ in rollout.items()) == 32


def test_what_is_shown_has_rates_and_times() -> None:
    rollout = Rollout()
    said = rollout.of("2.0", "monitor")
    assert rollout.shown()[0]["successRate"] is None
    said.connected, said.failed = 9, 1
    said.first_data.observe(0.02)
    (shown,) = rollout.shown()
    assert shown["successRate"] == 0.9
    assert shown["firstDataMs"]["count"] == 1
    assert 20 <= shown["firstDataMs"]["p50"] <= 50
