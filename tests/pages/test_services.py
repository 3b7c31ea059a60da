"""Reports of other services: who may, what is read, and what is answered."""

from __future__ import annotations

from typing import Any

import pytest

from tests.pages.site import SERVICE_KEY, Site

KEY = {"X-Service-Key": SERVICE_KEY}
PATH = "/api/v69/services/wallets/report"


async def test_a_report_is_taken_and_answered(site: Site) -> None:
    body = {"ok": False, "duration_ms": 12.5, "error": "timeout", "layer": "wallet"}
    answer = await site.post(PATH, body, headers=KEY)
    assert answer == (200, {"service": "wallets", "state": "closed"})
    assert site.reports == [("wallets", False, 0.0125, "timeout", "wallet")]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"ok": "yes"},
        {"ok": True, "layer": "x"},
        {"ok": True, "duration_ms": -1},
        {"ok": False, "error": "x" * 201},
    ],
)
async def test_what_makes_no_sense_is_said(site: Site, body: dict[str, Any]) -> None:
    assert (await site.post(PATH, body, headers=KEY))[0] == 400
    assert site.reports == []


async def test_only_services_and_administrators_may(site: Site) -> None:
    assert (await site.post(PATH, {"ok": True}))[0] == 401
    bad = {"X-Service-Key": "x" * 32}
    assert (await site.post(PATH, {"ok": True}, headers=bad))[0] == 401
    assert site.reports == []
