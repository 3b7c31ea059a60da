"""Flags and telemetry over HTTP."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from fastws.store.flags import Flag
from tests.pages.site import Site


async def test_flags_are_those_of_who_asks(site: Site) -> None:
    site.flags._known = {"f": Flag("f", True, Decimal(0), ("visitor",)), "g": Flag("g", True)}
    assert await site.get("/api/v69/flags") == (200, {"flags": {"f": False, "g": True}})
    assert await site.get("/api/v69/flags?key=visitor") == (200, {"flags": {"f": True, "g": True}})


async def test_what_pages_count_is_counted(site: Site) -> None:
    body = {
        "version": "2.1", "endpoint": "monitor", "connected": 2, "failed": 1, "fell_back": 1,
        "first_data_ms": [12.5, 80], "errors": {"4503": 1},
    }  # fmt: skip
    assert await site.post("/api/v69/telemetry", body) == (200, {"success": True})
    said = site.rollout.of("2.1", "monitor")
    assert (said.connected, said.failed, said.fell_back) == (2, 1, 1)
    assert said.first_data.count == 2
    assert said.errors == {"4503": 1}
    error = {"message": "it broke", "code": "render", "version": "2.1", "endpoint": "monitor"}
    assert await site.post("/api/v69/log-error", error) == (200, {"success": True})
    assert said.errors["render"] == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"version": "2", "endpoint": "x", "connected": -1},
        {"version": "2", "endpoint": "x", "connected": 10_001},
        {"version": "2" * 65, "endpoint": "x"},
        {"version": "2", "endpoint": "x", "first_data_ms": [1] * 101},
        {"version": "2", "endpoint": "x", "errors": {"a": "many"}},
    ],
)
async def test_what_makes_no_sense_is_refused(site: Site, body: dict[str, Any]) -> None:
    assert (await site.post("/api/v69/telemetry", body))[0] == 400
    assert site.rollout.items() == []


async def test_an_address_may_not_say_too_much(site: Site) -> None:
    for _ in range(60):
        assert (await site.get("/api/v69/flags"))[0] == 200
    assert await site.get("/api/v69/flags") == (429, {"error": "Too many requests"})
