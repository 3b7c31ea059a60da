"""Bans and roles over a real PostgreSQL: the rules, and both or neither with the audit."""

from __future__ import annotations

import asyncio

import pytest

from fastws.domain.people import People
from fastws.errors import WireError
from fastws.identity import Author, Role
from fastws.store.audit import Audit
from fastws.store.pool import Database
from fastws.store.users import Users

ADMIN = Author("admin", Role.ADMIN, "203.0.113.7", "console")
CHIEF = Author("chief", Role.SUPERADMIN)


@pytest.fixture
async def people(database: Database) -> People:
    users = Users(database)
    for wallet, role in (("user", "user"), ("admin", "admin"), ("other", "admin"),
                         ("chief", "superadmin")):  # fmt: skip
        await users.set_role(wallet, role)
    return People(database, users, Audit(database))


async def test_a_ban_and_its_line_are_written_together(people: People, database: Database) -> None:
    await people.ban(ADMIN, "user", "spam")
    assert await Users(database).get("user") is None
    (line,) = await people.audit(10, None, None)
    assert (line["action"], line["ip_address"], line["user_agent"]) == (
        "ban",
        "203.0.113.7",
        "console",
    )


async def test_what_cannot_be_written_down_is_not_done(
    people: People, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*args: object, **more: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Audit, "write", full)
    with pytest.raises(Exception, match="disk full"):
        await people.ban(ADMIN, "user", "spam")
    assert await Users(database).get("user") is not None


@pytest.mark.parametrize(
    ("author", "wallet", "code"),
    [
        (ADMIN, "admin", "NOT_ALLOWED"),
        (ADMIN, "other", "NOT_ALLOWED"),
        (ADMIN, "chief", "NOT_ALLOWED"),
        (CHIEF, "chief", "NOT_ALLOWED"),
        (ADMIN, "nobody", "USER_NOT_FOUND"),
    ],
)
async def test_whom_an_author_may_not_touch(
    people: People, author: Author, wallet: str, code: str
) -> None:
    for change in (
        people.ban(author, wallet, "x"),
        people.unban(author, wallet),
        people.set_role(author, wallet, Role.USER),
    ):
        with pytest.raises(WireError) as caught:
            await change
        assert caught.value.code == code
    assert await people.audit(10, None, None) == []


async def test_changes_at_the_same_time_are_each_made_and_written(
    people: People, database: Database
) -> None:
    await Users(database).set_role("second", "superadmin")
    second = Author("second", Role.SUPERADMIN)
    await asyncio.gather(
        people.set_role(CHIEF, "second", Role.USER), people.set_role(second, "user", Role.ADMIN)
    )
    roles = {one.wallet: one.role for one in await people.admins()}
    assert roles == {"chief": "superadmin", "admin": "admin", "other": "admin", "user": "admin"}
    details = [line["details"] for line in await people.audit(10, None, "set_role")]
    assert {(one["wallet"], one["before"], one["role"]) for one in details} == {
        ("second", "superadmin", "user"),
        ("user", "user", "admin"),
    }
