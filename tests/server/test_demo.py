"""The seed of the demo: there once, never over what somebody wrote."""

from __future__ import annotations

from fastws.identity import Credential
from fastws.server import demo
from fastws.store.pool import Database
from fastws.store.settings import Settings
from fastws.store.users import Users
from tests.identity.desk import Desk


async def test_there_is_a_user_an_admin_and_settings(database: Database) -> None:
    await demo.seed(database)
    users = Users(database)
    user, admin = await users.get(demo.USER), await users.get(demo.ADMIN)
    assert user is not None
    assert admin is not None
    assert (user.role, admin.role) == ("user", "admin")
    assert set(await Settings(database).some(demo.SETTINGS)) == set(demo.SETTINGS)


async def test_a_second_seed_changes_nothing(database: Database) -> None:
    await demo.seed(database)
    settings = Settings(database)
    await settings.set("public.announcement", "mine", "", by=demo.ADMIN)
    await demo.seed(database)
    found = await settings.some(["public.announcement"])
    assert found["public.announcement"].value == "mine"


async def test_its_tokens_are_accepted(database: Database) -> None:
    await demo.seed(database)
    desk = Desk(database)
    token = await demo.token_for(demo.ADMIN, desk.authority, desk.tokens)
    identity = await desk.authority.identify(Credential("header", token))
    assert (identity.wallet, identity.role) == (demo.ADMIN, "admin")
    assert identity.session_id, "so that it can be revoked"
