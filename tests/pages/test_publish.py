"""The publish route: who may, what a batch is, and one result for each message."""

from __future__ import annotations

import io
from typing import Any

import pytest

from fastws.pages.publish import MESSAGES
from fastws.store.pool import Database
from tests.identity.forge import WALLET, token
from tests.pages.site import SERVICE_KEY, Site, served

PATH = "/api/v69/publish"
BY_KEY = {"X-Service-Key": SERVICE_KEY}
GOOD = {"channel": "notifications/system.announcements", "type": "notice", "data": {"text": "hi"}}


def batch(*messages: Any) -> dict[str, Any]:
    return {"messages": list(messages)}


async def bearer(site: Site, role: str, **changes: Any) -> dict[str, str]:
    await site.desk.users.set_role(WALLET, role)
    now = site.desk.clock.now
    made = token(**{"iat": now, "exp": now + 3600, "role": "superadmin"} | changes)
    return {"Authorization": f"Bearer {made}"}


# ── who may ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "headers", [BY_KEY, {"Authorization": f"Bearer {SERVICE_KEY}"}, {"x-service-key": SERVICE_KEY}]
)
async def test_a_service_publishes_with_its_key(site: Site, headers: dict[str, str]) -> None:
    answer = await site.post(PATH, batch(GOOD), headers=headers)
    assert answer == (200, {"published": 1, "results": [{"ok": True, "epoch": 1, "offset": 1}]})
    assert site.published == [(GOOD["channel"], "notice", {"text": "hi"})]


@pytest.mark.parametrize("role", ["admin", "superadmin"])
async def test_an_admin_publishes_with_his_token(site: Site, role: str) -> None:
    assert (await site.post(PATH, batch(GOOD), headers=await bearer(site, role)))[0] == 200


async def test_the_role_of_a_publisher_is_the_databases(site: Site) -> None:
    headers = await bearer(site, "user")
    assert await site.post(PATH, batch(GOOD), headers=headers) == (403, {"error": "Forbidden"})
    assert site.published == []


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({}, "Authentication required"),
        ({"X-Service-Key": ""}, "Authentication required"),
        ({"Authorization": "Basic abc"}, "Authentication required"),
        ({"X-Service-Key": "wrong"}, "Invalid service key"),
        ({"X-Service-Key": SERVICE_KEY[:-1]}, "Invalid service key"),
        ({"X-Service-Key": SERVICE_KEY + "x"}, "Invalid service key"),
        (
            {"X-Service-Key": "wrong", "Authorization": f"Bearer {SERVICE_KEY}"},
            "Invalid service key",
        ),
        ({"Authorization": "Bearer wrong"}, "Invalid token"),
        ({"Authorization": "Bearer a.b.c"}, "Invalid token"),
    ],
)
async def test_others_are_refused(site: Site, headers: dict[str, str], text: str) -> None:
    assert await site.post(PATH, batch(GOOD), headers=headers) == (401, {"error": text})
    assert site.published == []


async def test_a_session_is_no_token_and_no_key(site: Site) -> None:
    headers = await bearer(site, "admin", aud="session", exp=site.desk.clock.now + 86_400)
    assert await site.post(PATH, batch(GOOD), headers=headers) == (401, {"error": "Invalid token"})
    cookie = {"Cookie": f"session={headers['Authorization'].removeprefix('Bearer ')}"}
    status, body = await site.post(PATH, batch(GOOD), headers=cookie)
    assert (status, body) == (401, {"error": "Authentication required"})


async def test_without_keys_no_key_fits(database: Database) -> None:
    async with served(Site(database, auth={"service_keys": []})) as site:
        for key in ("", "x", SERVICE_KEY):
            assert (await site.post(PATH, batch(GOOD), headers={"X-Service-Key": key}))[0] == 401


async def test_guessing_is_limited_and_publishing_is_not(database: Database) -> None:
    async with served(Site(database, auth={"requests_per_minute": 3})) as site:
        for _ in range(5):
            assert (await site.post(PATH, batch(GOOD), headers=BY_KEY))[0] == 200
        wrong = {"X-Service-Key": "wrong"}
        statuses = [(await site.post(PATH, batch(GOOD), headers=wrong))[0] for _ in range(5)]
        assert statuses == [401, 401, 401, 429, 429]
        assert (await site.post(PATH, batch(GOOD), headers=BY_KEY))[0] == 200


# ── what a batch is ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "body", [{}, {"messages": []}, {"messages": {}}, {"messages": None}, {"messages": "x"}, GOOD]
)
async def test_what_is_no_batch(site: Site, body: object) -> None:
    answer = await site.post(PATH, body, headers=BY_KEY)
    assert answer == (400, {"error": "messages must be a list of {channel, type, data}"})


async def test_each_message_has_its_result(site: Site) -> None:
    bad: list[Any] = [
        None,
        [],
        "text",
        {},
        GOOD | {"channel": 5},
        GOOD | {"channel": "announcements"},
        GOOD | {"channel": "/x"},
        GOOD | {"channel": "notifications/"},
        GOOD | {"channel": "notifications/a b"},
        GOOD | {"channel": "notifications/" + "x" * 129},
        GOOD | {"type": None},
        GOOD | {"type": ""},
        GOOD | {"type": "x" * 65},
        GOOD | {"type": "a\nb"},
        {"channel": GOOD["channel"], "type": "notice"},
        GOOD | {"channel": "notifications/unknown"},
        GOOD | {"channel": "notifications/away"},
        GOOD | {"channel": "notifications/broken"},
    ]
    status, body = await site.post(PATH, batch(GOOD, *bad, GOOD), headers=BY_KEY)
    first, *refused, last = body["results"]
    assert (status, body["published"]) == (200, 2)
    assert (first["offset"], last["offset"]) == (1, 2)
    assert [result["ok"] for result in refused] == [False] * len(bad)
    codes = [result["code"] for result in refused[-3:]]
    assert codes == ["UNKNOWN_CHANNEL", "SERVICE_UNAVAILABLE", "MESSAGE_PROCESSING_ERROR"]
    assert "inner" not in str(body)


async def test_null_is_data(site: Site) -> None:
    assert (await site.post(PATH, batch(GOOD | {"data": None}), headers=BY_KEY))[1]["published"]


async def test_a_batch_has_a_limit(site: Site) -> None:
    status, body = await site.post(PATH, batch(*[GOOD] * MESSAGES), headers=BY_KEY)
    assert (status, body["published"]) == (200, MESSAGES)
    answer = await site.post(PATH, batch(*[GOOD] * (MESSAGES + 1)), headers=BY_KEY)
    assert answer == (413, {"error": "At most 1000 messages at once"})


async def test_a_body_has_a_limit(site: Site) -> None:
    large = io.BytesIO(b" " * (2**20 + 1))
    async with site.client.post(site.url + PATH, data=large, headers=BY_KEY) as answer:
        assert (answer.status, await answer.json()) == (413, {"error": "Request too large"})

    async def chunks() -> Any:
        for _ in range(40):
            yield b" " * 65_536

    async with site.client.post(site.url + PATH, data=chunks(), headers=BY_KEY) as answer:
        assert (answer.status, await answer.json()) == (413, {"error": "Request too large"})


async def test_a_body_that_unpacks_itself_is_not_unpacked(site: Site) -> None:
    headers = BY_KEY | {"Content-Encoding": "gzip"}
    async with site.client.post(site.url + PATH, data=b"\x1f\x8b\x08", headers=headers) as answer:
        assert answer.status == 415
        assert await answer.json() == {"error": "Encoded bodies are not accepted"}
