"""What ``serve --demo`` puts into the database so that there is something to see."""

from __future__ import annotations

from typing import Final

from fastws.identity import Authority, Tokens
from fastws.store.pool import Database
from fastws.store.settings import Settings
from fastws.store.users import Users

__all__ = ["ADMIN", "USER", "seed", "token_for"]

USER: Final = "DemoUserDemoUserDemoUserDemoUserDemoUserDem"
ADMIN: Final = "DemoAdminDemoAdminDemoAdminDemoAdminDemoAdm"

SETTINGS: Final = {
    "background_scene": ({"name": "sky", "intensity": 0.6}, "what the pages show behind all else"),
    "maintenance_mode": ({"enabled": False, "message": None}, "closes the platform to users"),
    "public.announcement": ("Welcome to the demo market", "a line for everybody"),
    "limits.trades_per_minute": (30, "what one user may trade"),
}


async def seed(database: Database) -> None:
    """A user, an administrator and a few settings; what is there already stays as it is."""
    users, settings = Users(database), Settings(database)
    await users.create_or_touch(USER)
    await users.set_role(ADMIN, "admin")
    present = await settings.some(SETTINGS)
    for key, (value, description) in SETTINGS.items():
        if key not in present:
            await settings.set(key, value, description, by=ADMIN)


async def token_for(wallet: str, authority: Authority, tokens: Tokens) -> str:
    """A WebSocket token of a fresh session of ``wallet``."""
    login = await authority.log_in(wallet)
    claims = tokens.verify_session(login.session)
    return authority.socket_token(login.user, claims)
