"""Who a token is: the database's word on role and ban, revocation, renewal, and the log."""

from __future__ import annotations

from typing import Any

import pytest

from fastws.errors import AuthError, StoreUnavailable, WireError
from fastws.identity import Credential, Identity, Role
from fastws.store.pool import Database
from tests.identity.desk import Desk, Lines
from tests.identity.forge import SESSION, WALLET, token

SOURCES = ("header", "subprotocol", "cookie", "query")


@pytest.fixture
async def desk(desk: Desk) -> Desk:
    await desk.users.create_or_touch(WALLET)
    return desk


def socket_token(desk: Desk, **changes: Any) -> str:
    return token(**{"iat": desk.clock.now, "exp": desk.clock.now + 3600} | changes)


def session_token(desk: Desk, session_id: str = SESSION) -> str:
    return desk.tokens.mint_session(WALLET, "user", session_id)


def credential(desk: Desk, source: Any) -> Credential:
    return Credential(source, session_token(desk) if source == "cookie" else socket_token(desk))


async def reason(desk: Desk, source: Any, text: str) -> str:
    with pytest.raises(AuthError) as caught:
        await desk.authority.identify(Credential(source, text))
    assert caught.value.status == 401
    return caught.value.reason


# ── sockets ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("source", SOURCES)
async def test_each_source_has_its_kind_of_token(desk: Desk, source: str) -> None:
    who = await desk.authority.identify(credential(desk, source))
    assert who == Identity(
        wallet=WALLET,
        role=Role.USER,
        nickname=f"degen_{WALLET[:6]}",
        session_id=SESSION,
        expires_at=desk.clock.now + (86_400 if source == "cookie" else 3600),
        source=source,
    )
    assert desk.authority.results == {(source, "ok"): 1}


@pytest.mark.parametrize("source", SOURCES)
async def test_mixed_up_kinds_are_refused(desk: Desk, source: str) -> None:
    other = socket_token(desk) if source == "cookie" else session_token(desk)
    assert await reason(desk, source, other) == "wrong_audience"
    assert desk.authority.results == {(source, "wrong_audience"): 1}


@pytest.mark.parametrize("role", list(Role))
async def test_the_role_is_the_databases_not_the_tokens(desk: Desk, role: Role) -> None:
    await desk.users.set_role(WALLET, role)
    who = await desk.authority.identify(Credential("header", socket_token(desk, role="superadmin")))
    assert who.role is role


async def test_unknown_and_banned_users_are_not_found(desk: Desk) -> None:
    stranger = socket_token(desk, wallet_address="Nobody")
    assert await reason(desk, "header", stranger) == "no_user"
    await desk.users.set_banned(WALLET, True)
    assert await reason(desk, "header", socket_token(desk)) == "no_user"
    await desk.users.set_banned(WALLET, False)
    assert await desk.authority.identify(Credential("header", socket_token(desk)))


async def test_a_token_ends_when_it_says(desk: Desk) -> None:
    text = socket_token(desk)
    desk.clock.now += 3599
    assert await desk.authority.identify(Credential("header", text))
    desk.clock.now += 1
    assert await reason(desk, "header", text) == "expired"


async def test_old_tokens_are_counted_while_they_are_accepted(database: Database) -> None:
    desk = Desk(database, accept_legacy_tokens=True)
    await desk.users.create_or_touch(WALLET)
    old = socket_token(desk, aud=..., session_id=...)
    for source in ("header", "subprotocol", "query"):
        who = await desk.authority.identify(Credential(source, old))
        assert (who.wallet, who.session_id) == (WALLET, None)
        assert desk.authority.results[source, "legacy"] == 1
    assert await reason(desk, "cookie", old) == "no_audience"


async def test_a_store_that_is_away_is_nobodys_fault(desk: Desk, database: Database) -> None:
    await database.stop()
    with pytest.raises(StoreUnavailable):
        await desk.authority.identify(credential(desk, "header"))
    assert desk.authority.results == {("header", "unavailable"): 1}


# ── revocation ──────────────────────────────────────────────────────────────────────────────


async def test_logging_out_ends_the_session_everywhere(desk: Desk, database: Database) -> None:
    cookie = session_token(desk)
    await desk.authority.log_out(cookie)
    assert desk.announced == [SESSION]
    assert await reason(desk, "cookie", cookie) == "revoked"
    assert await reason(desk, "header", socket_token(desk)) == "revoked"
    with pytest.raises(AuthError) as caught:
        await desk.authority.session(cookie)
    assert (caught.value.status, caught.value.text) == (401, "Invalid session")
    other = Desk(database)  # another process
    assert await reason(other, "header", socket_token(desk)) == "revoked"
    assert await other.revoked.news() == [SESSION]
    assert await other.revoked.news() == []


async def test_another_session_of_the_wallet_lives_on(desk: Desk) -> None:
    await desk.authority.log_out(session_token(desk))
    assert await desk.authority.identify(Credential("cookie", session_token(desk, "f" * 32)))


@pytest.mark.parametrize("cookie", [None, "", "rubbish", "a.b.c"])
async def test_logging_out_of_nothing_does_nothing(desk: Desk, cookie: str | None) -> None:
    await desk.authority.log_out(cookie)
    assert desk.announced == []


async def test_a_socket_token_does_not_log_out(desk: Desk) -> None:
    await desk.authority.log_out(socket_token(desk))
    assert desk.announced == []


async def test_a_revocation_outlives_every_token_of_its_session(
    desk: Desk, database: Database
) -> None:
    """A token fetched in the session's last second lives an hour longer than the session."""
    cookie = session_token(desk)
    desk.clock.now += 86_399
    late = socket_token(desk)
    await desk.authority.log_out(cookie)
    other = Desk(database)
    other.clock.now = desk.clock.now + 3599
    await other.revoked.prune(other.clock.now)
    assert await reason(other, "header", late) == "revoked"


# ── renewal on the open socket ──────────────────────────────────────────────────────────────


async def test_a_newer_token_renews(desk: Desk) -> None:
    before = await desk.authority.identify(credential(desk, "query"))
    await desk.users.set_role(WALLET, "admin")
    desk.clock.now += 3000
    after = await desk.authority.refresh(before, socket_token(desk, session_id="e" * 32))
    assert after.expires_at == desk.clock.now + 3600
    assert (after.role, after.session_id, after.source) == (Role.ADMIN, "e" * 32, "query")
    assert desk.authority.results["refresh", "ok"] == 1


async def test_nobody_becomes_somebody_else(desk: Desk) -> None:
    await desk.users.create_or_touch("Another")
    mine = await desk.authority.identify(credential(desk, "header"))
    for identity, text in (
        (mine, socket_token(desk, wallet_address="Another")),
        (Identity(), socket_token(desk)),
        (mine, session_token(desk)),
        (mine, ""),
        (mine, socket_token(desk, exp=desk.clock.now)),
    ):
        with pytest.raises(WireError) as caught:
            await desk.authority.refresh(identity, text)
        assert caught.value.code == "INVALID_TOKEN"
        assert caught.value.close is None, "the old identity lasts until it expires"


async def test_a_revoked_session_does_not_renew(desk: Desk) -> None:
    mine = await desk.authority.identify(credential(desk, "header"))
    await desk.authority.revoke(SESSION, desk.clock.now)
    with pytest.raises(WireError) as caught:
        await desk.authority.refresh(mine, socket_token(desk))
    assert caught.value.message == "Session revoked"


# ── the session cookie ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("cookie", [None, ""])
async def test_no_session(desk: Desk, cookie: str | None) -> None:
    with pytest.raises(AuthError) as caught:
        await desk.authority.session(cookie)
    assert (caught.value.status, caught.value.text) == (401, "No session token provided")


async def test_a_socket_token_of_a_session_names_it(desk: Desk) -> None:
    user, claims = await desk.authority.session(session_token(desk))
    who = await desk.authority.identify(
        Credential("header", desk.authority.socket_token(user, claims))
    )
    assert (who.wallet, who.session_id) == (WALLET, SESSION)


async def test_a_session_of_nobody(desk: Desk) -> None:
    await desk.users.set_banned(WALLET, True)
    with pytest.raises(AuthError) as caught:
        await desk.authority.session(session_token(desk))
    assert (caught.value.status, caught.value.text) == (401, "User not found")


# ── what is written down ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("source", SOURCES)
async def test_the_log_tells_who_and_where_from_and_never_the_token(
    desk: Desk, lines: Lines, source: str
) -> None:
    good = credential(desk, source)
    await desk.authority.identify(good)
    await reason(desk, source, good.token[:-8] + "AAAAAAAA")
    (succeeded,), (failed,) = lines.of("auth.succeeded"), lines.of("auth.failed")
    assert succeeded["log_level"] == failed["log_level"] == "info"
    assert (succeeded["source"], succeeded["wallet"]) == (source, WALLET)
    assert (failed["source"], failed["reason"]) == (source, "bad_signature")
    warnings = lines.of("auth.query_token")
    assert len(warnings) == (2 if source == "query" else 0)
    assert all(line["log_level"] == "warning" for line in warnings)
    for part in good.token.split("."):
        assert part not in str(lines)


async def test_a_logout_ends_its_sockets_though_the_database_is_away(
    desk: Desk, database: Database
) -> None:
    cookie = session_token(desk)
    await database.stop()
    with pytest.raises(StoreUnavailable):
        await desk.authority.log_out(cookie)
    assert desk.announced == [SESSION]
