"""The page of SkyDuel in a browser, at moments a real server cannot be asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from tests.browser import opened, reads
from tests.web.sky_site import FINISHED, Pilot, SkySite, sky_served

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = pytest.mark.browser

ROW = "#matches tbody tr[data-match='7']"
EVERY = ("match.7", "match.7.own", "match.7.events")


@pytest.fixture
async def site() -> AsyncIterator[SkySite]:
    async with sky_served() as made:
        yield made


async def listed(pilot: Pilot, **fields: str) -> None:
    """The list of matches, with one."""
    await pilot.confirm("public.matches")
    row = {"mode": "dogfight", "status": "live", "leader": "Ada", **fields}
    cells = [row["mode"], row["status"], 2, 8, 0, row["leader"]]
    await pilot.table("public.matches", ["7", *cells])


async def signed_in(page: Page, site: SkySite) -> Pilot:
    """Leave the guest's connection for that of a user."""
    guest = await site.accept()
    await guest.open()
    await page.click("#whose")
    await page.fill("#token", "aaa.bbb.ccc")
    await page.click("#login [type=submit]")
    pilot = await site.accept()
    assert pilot.user
    await pilot.open()
    await listed(pilot)
    return pilot


async def seated(page: Page, site: SkySite) -> Pilot:
    """A user who asked for a quick match and has the first seat."""
    pilot = await signed_in(page, site)
    await page.click("#quick")
    asked = await pilot.next("quick_match")
    await pilot.send(type="match_joined", id=asked["id"], match=pilot.match(), player=0)
    for channel in EVERY:
        await pilot.confirm(channel)
    await pilot.table("match.7.own", ["p0", 24, 0, 0])
    return pilot


async def test_names_are_text_and_a_guest_may_watch_only(site: SkySite) -> None:
    nasty = "<img src=x onerror=alert(1)>"
    async with opened(site.url) as (page, problems):
        pilot = await site.accept()
        await pilot.open()
        await listed(pilot, leader=nasty)
        await reads(page, f"{ROW} .leader", nasty)
        assert await page.locator("#quick:disabled, #create:disabled").count() == 2
        assert await page.locator(f"{ROW} button:visible").all_text_contents() == ["Watch"]
        await page.click(f"{ROW} button:visible")
        await pilot.confirm("match.7")
        await pilot.confirm("match.7.events")
        pilot.names = [nasty, "Blaze"]
        await pilot.fly(5)
        await reads(page, "#scores tbody tr[data-player='0'] th", nasty)
        assert await page.evaluate("skyduel.seat") is None
        assert await page.locator("#ready:visible, #rematch:visible").count() == 0
        assert pilot.inputs == []
        assert problems == []


async def test_controls_fly_ones_own_plane_before_the_server_says_so(site: SkySite) -> None:
    async with opened(site.url) as (page, problems):
        pilot = await seated(page, site)
        await pilot.fly(10)
        await page.keyboard.down("KeyD")
        await page.keyboard.down("Space")
        await pilot.fly(40)
        assert await page.evaluate("skyduel.frames") >= 40
        assert await page.evaluate("skyduel.status") == "live"
        assert await page.evaluate("skyduel.correction") < 12, "two steps of a plane, at most"
        planes = await page.evaluate("skyduel.scene.planes.map((one) => [one.player, one.own])")
        assert sorted(planes) == [[0, True], [1, False]]
        await page.keyboard.up("KeyD")
        plane = pilot.arena.planes_now()[0]
        assert plane[9] > 20, "inputs came, and were named"
        assert plane[6] < 24, "it shot"
        assert problems == []


async def test_a_seat_is_taken_again_after_a_lost_connection(site: SkySite) -> None:
    async with opened(site.url) as (page, _):
        pilot = await seated(page, site)
        await pilot.fly(5)
        await pilot.socket.close(code=1012)
        again = await site.accept()
        await again.open(match=pilot.match(status="live"))
        asked = await again.next("join_match", match_id=7)
        await again.send(type="match_joined", id=asked["id"], match=again.match(), player=0)
        again.arena, again.state = pilot.arena, pilot.state
        await listed(again)
        for channel in EVERY:
            await again.confirm(channel)
        before = pilot.arena.planes_now()[0][9]
        await again.fly(30)
        assert again.arena.planes_now()[0][9] > before, "its numbers go on from those of the row"
        assert await page.evaluate("skyduel.seat") == 0


async def test_who_has_the_seat_elsewhere_watches_here(site: SkySite) -> None:
    async with opened(site.url) as (page, problems):
        pilot = await seated(page, site)
        await pilot.fly(5)
        await pilot.send(type="seat_taken", match_id=7)
        await pilot.confirm("match.7")
        await pilot.confirm("match.7.events")
        await pilot.fly(5)
        await reads(page, "#title", "Match 7 · live · watching")
        pilot.inputs.clear()
        await pilot.fly(10)
        assert pilot.inputs == []
        assert await page.evaluate("skyduel.seat") is None
        assert problems == []


async def test_the_countdown_who_is_down_and_the_result(site: SkySite) -> None:
    async with opened(site.url) as (page, problems):
        pilot = await seated(page, site)
        await pilot.show()
        await page.click("#ready")
        asked = await pilot.next("ready", ready=False)
        await pilot.send(type="ready_set", id=asked["id"], match_id=7, ready=False)
        await reads(page, "#ready", "Ready")
        await pilot.event(type="countdown", starts_at=1767225603.0)
        await reads(page, "#call", "3")
        await pilot.fly(3)
        await reads(page, "#gun", "24 / 24")
        result = {"winner": "Ada", "rated": True, "status": "finished", "steps": 3, "digest": "0"}
        ratings = {"rating_before": 1200, "rating_after": 1216}
        row = {"player": 0, "wallet": "Ada", "name": "Ada", "place": 1, "score": 10, "deaths": 2}
        pilot.state = FINISHED
        await pilot.show()
        await pilot.event(type="result", results=[{**row, **ratings}], **result)
        await reads(page, "#winner", "You won")
        await reads(page, "#places tbody tr", "1Ada1021200 → 1216")
        await pilot.send(type="unsubscribed", channel="match.7", code="CLOSED", message="Over")
        await page.click("#rematch")
        asked = await pilot.next("rematch")
        await pilot.send(type="error", id=asked["id"], code="ALREADY_IN_MATCH", message="You are")
        await reads(page, "#notice", "You are")
        await page.click("#leave")
        await page.wait_for_selector("#lobby:not([hidden])")
        assert problems == []
