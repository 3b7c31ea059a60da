"""What ``serve --demo`` puts into the database so that there is something to see."""

from __future__ import annotations

from typing import Final

from fastws.identity import Authority, Tokens
from fastws.sources.simulated import load_tokens
from fastws.store.pool import Database
from fastws.store.settings import Settings
from fastws.store.users import Users

__all__ = ["ADMIN", "USER", "seed", "seed_contest", "token_for"]

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


async def seed_contest(database: Database) -> None:
    """A contest that is about to begin, if there is none: twenty portfolios of known tokens."""
    if await database.fetchval("SELECT count(*) FROM contests"):
        return
    listings = load_tokens()[:12]
    sql = "INSERT INTO tokens (address, symbol, name) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
    await database.executemany(sql, [(one.address, one.symbol, one.name) for one in listings])
    contest = await database.fetchval(_CONTEST)
    players = [USER, *(f"Demo{number:02}".ljust(43, "x") for number in range(1, 20))]
    sql = "INSERT INTO contest_participants (contest_id, wallet_address) VALUES ($1, $2)"
    await database.executemany(sql, [(contest, wallet) for wallet in players])
    weights = [
        (contest, wallet, listings[(place * 5 + step * 3) % 12].address, weight)
        for place, wallet in enumerate(players)
        for step, weight in enumerate((40, 30, 20))
    ]
    await database.executemany(_WEIGHT, weights)


_CONTEST: Final = """
    INSERT INTO contests (contest_code, name, description, start_time, end_time, prize_pool)
    VALUES ('DEMO', 'Moon race', 'Who picks best in an hour', now() + interval '5 seconds',
            now() + interval '1 hour', 10)
    RETURNING id
"""
_WEIGHT: Final = """
    INSERT INTO contest_portfolios (contest_id, wallet_address, token_id, weight)
    SELECT $1, $2, id, $4 FROM tokens WHERE address = $3
"""


async def token_for(wallet: str, authority: Authority, tokens: Tokens) -> str:
    """A WebSocket token of a fresh session of ``wallet``."""
    login = await authority.log_in(wallet)
    claims = tokens.verify_session(login.session)
    return authority.socket_token(login.user, claims)
