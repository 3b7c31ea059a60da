"""Who may do what: a written table of roles, channels and commands, against what endpoints say.

Each answer of a real endpoint to a random role, channel and command is compared with the table.
"""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from fastws.domain.skyduel import Player
from fastws.endpoint import BUILT_IN
from fastws.endpoints.admin import Admin
from fastws.endpoints.circuit_breaker import CircuitBreaker
from fastws.endpoints.contest import Contest
from fastws.endpoints.skyduel import Skyduel
from fastws.identity import ANONYMOUS, Identity, Role
from fastws.store.pool import Database
from tests.endpoints.arena import Arena
from tests.endpoints.sky import Sky
from tests.endpoints.test_admin import World as AdminWorld
from tests.endpoints.test_circuit_breaker import World as BreakerWorld
from tests.fakes import ADMIN, USER, ask, opened

NOBODY, PLAYER, OTHER, ADMINISTRATOR, CHIEF = "nobody", "player", "other", "admin", "chief"

WHO: Final[dict[str, Identity]] = {
    NOBODY: ANONYMOUS,
    PLAYER: structs.replace(USER, wallet="PlayerWa11et"),
    OTHER: structs.replace(USER, wallet="OtherWa11et"),
    ADMINISTRATOR: ADMIN,
    CHIEF: structs.replace(ADMIN, wallet="ChiefWa11et", role=Role.SUPERADMIN),
}
ADMINS: Final = {ADMINISTRATOR, CHIEF}
USERS: Final = {PLAYER, OTHER, *ADMINS}
ALL: Final = {NOBODY, *USERS}

CONTEST_CHANNELS: Final[dict[str, set[str]]] = {
    "public.contests": ALL,
    "public.contest.1": ALL,
    "contest.1": USERS,
    "leaderboard.1": USERS,
    "chat.1": USERS,
    "participant.PlayerWa11et.1": {PLAYER, *ADMINS},
    "participant.OtherWa11et.1": {OTHER, *ADMINS},
    "user.PlayerWa11et": {PLAYER},
    "admin.contests": ADMINS,
    # 2 is private, PlayerWa11et takes part
    "public.contest.2": {PLAYER, *ADMINS},
    "contest.2": {PLAYER, *ADMINS},
    "leaderboard.2": {PLAYER, *ADMINS},
    "chat.2": {PLAYER, *ADMINS},
    "participant.PlayerWa11et.2": {PLAYER, *ADMINS},
    # 3 is public without spectators, PlayerWa11et takes part
    "contest.3": {PLAYER, *ADMINS},
    "chat.3": {PLAYER, *ADMINS},
    # 4 lets anybody read its chat
    "chat.4": ALL,
    "contest.4": USERS,
}
CONTEST_COMMANDS: Final[dict[str, set[str]]] = {
    "get_all_contests": USERS,
    "get_contest_state": USERS,
    "get_leaderboard": USERS,
    "join_contest_room": USERS,
    "leave_contest_room": USERS,
    "get_chat_history": USERS,
    "set_admin_presence": ADMINS,
    "delete_chat_message": ADMINS,
    "mute_user": ADMINS,
    "set_slow_mode": ADMINS,
    "set_contest_status": ADMINS,
}
BREAKER_CHANNELS: Final = {
    "services": USERS,
    "service.feed": USERS,
    "layer.data": USERS,
    "admin.circuit_breakers": ADMINS,
}
BREAKER_COMMANDS: Final = {
    "subscribe:services": USERS,
    "subscribe:service": USERS,
    "service:incidents": USERS,
    "service:health_check": ADMINS,
    "service:reset_circuit_breaker": ADMINS,
    "service:config": ADMINS,
    "service:update_config": ADMINS,
}
ADMIN_COMMANDS: Final = {
    "get_connections": ADMINS,
    "get_audit": ADMINS,
    "kick": ADMINS,
    "ban": ADMINS,
    "trace": ADMINS,
    "set_maintenance": ADMINS,
    "announce": ADMINS,
    "set_endpoint": ADMINS,
    "set_flag": ADMINS,
    "get_rollout": ADMINS,
    "set_role": {CHIEF},
    "list_admins": {CHIEF},
    "drain": {CHIEF},
}
SKYDUEL_CHANNELS: Final[dict[str, set[str]]] = {
    "public.matches": ALL,
    "match.1": ALL,
    "match.1.events": ALL,
    # 2 is private, PlayerWa11et plays in it
    "match.2": {PLAYER, *ADMINS},
    "match.2.events": {PLAYER, *ADMINS},
    "match.2.own": {PLAYER},
    "match.1.own": set(),
    "admin.matches": ADMINS,
}
SKYDUEL_COMMANDS: Final = {
    "list_matches": USERS,
    "spectate": USERS,
    "get_result": USERS,
    "join_match": USERS,
    "ready": USERS,
    "input": USERS,
    "rematch": USERS,
    "leave_match": USERS,
}
REFUSED: Final = {"UNAUTHORIZED", "SUBSCRIPTION_DENIED"}

FIELDS: Final[dict[str, Any]] = {
    "contestId": "1", "service": "feed", "layer": "data", "config": {}, "seconds": 1,
    "visibility": "invisible", "status": "x", "wallet": "X",
}  # fmt: skip


async def refused(endpoint: Any, who: str, **message: Any) -> bool:
    """Whether that is refused to him, whatever else is wrong with it."""
    query = {"automatic": "false", "endpoint": (*endpoint.public_channels, "")[0]}
    conn, outlet, frames = await opened(endpoint, WHO[who], query=query)
    if conn.close_code is not None:
        assert frames[-1]["code"] in REFUSED
        return True
    frames = await ask(conn, outlet, **message)
    conn.closed(1006, "")
    codes = {frame.get("code") for frame in frames if frame["type"] == "error"}
    return bool(codes & REFUSED)


async def every(
    endpoint: Any, channels: dict[str, set[str]], commands: dict[str, set[str]]
) -> None:
    """Every role with every channel and every command."""
    for who in WHO:
        for channel, may in channels.items():
            answer = await refused(endpoint, who, type="subscribe", channel=channel)
            assert answer == (who not in may), (who, channel)
        for type_, may in commands.items():
            answer = await refused(endpoint, who, type=type_, **FIELDS)
            assert answer == (who not in may), (who, type_)


@pytest.fixture
async def arena(database: Database) -> Arena:
    made = Arena(database)
    await made.begin()
    player = "PlayerWa11et"
    await made.contest(player)
    await made.contest(player, settings={"visibility": "private"})
    await made.contest(player, settings={"spectators": False})
    await made.contest(settings={"spectator_chat": True})
    return made


async def test_contests(arena: Arena) -> None:
    await every(arena.endpoint, CONTEST_CHANNELS, CONTEST_COMMANDS)


async def test_skyduel(database: Database) -> None:
    sky = Sky(database)
    await sky.lobby.create(None)
    await sky.lobby.create(Player("PlayerWa11et", "player"), private=True)
    await every(sky.endpoint, SKYDUEL_CHANNELS, SKYDUEL_COMMANDS)


async def test_circuit_breakers(database: Database) -> None:
    await every(BreakerWorld(database).endpoint, BREAKER_CHANNELS, BREAKER_COMMANDS)


async def test_administration(database: Database) -> None:
    await every(AdminWorld(database).endpoint, {"admin.audit": ADMINS}, ADMIN_COMMANDS)


WRITTEN: Final = {
    Admin: {*ADMIN_COMMANDS, "unban", "revoke_session", "stop_trace", "update_setting", "publish",
            "get_flags"},
    CircuitBreaker: {*BREAKER_COMMANDS, "subscribe_all", "subscribe:layer"},
    Contest: {*CONTEST_COMMANDS, "JOIN_ROOM", "LEAVE_ROOM", "SEND_CHAT_MESSAGE",
              "send_chat_message", "get_participant_status"},
    Skyduel: {*SKYDUEL_COMMANDS, "create_match", "quick_match"},
}  # fmt: skip
"""Commands that are aliases of one in the tables, or are refused by what is asked, as well."""


def test_every_command_is_written_down() -> None:
    """A command that nobody wrote down may be anybody's."""
    for endpoint, commands in WRITTEN.items():
        assert set(endpoint.commands) - BUILT_IN == commands


@given(st.sampled_from(sorted(WHO)), st.text(min_size=1, max_size=30))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_a_channel_that_nobody_wrote_down_is_nobodys(
    arena: Arena, who: str, name: str
) -> None:
    if name in CONTEST_CHANNELS:
        return
    conn, outlet, _ = await opened(arena.endpoint, WHO[who], query={"endpoint": "public.contests"})
    frames = await ask(conn, outlet, type="subscribe", channel=name)
    assert frames[0]["type"] == "error"
