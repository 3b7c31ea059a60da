"""The login routes as clients meet them: answers, cookie, limits and the way out."""

from __future__ import annotations

from http.cookies import SimpleCookie
from typing import Any

import jwt
import pytest
from solders.keypair import Keypair

from fastws.errors import AuthError
from fastws.identity import Credential
from fastws.store.pool import Database
from tests.identity.desk import Desk, signed
from tests.identity.forge import SECRET
from tests.pages.site import DEV_SECRET, LISTED, Site, served, stranger

KEY = Keypair.from_seed(bytes(range(32)))
WALLET = str(KEY.pubkey())
USER = {"wallet_address": WALLET, "role": "user", "nickname": f"degen_{WALLET[:6]}"}


async def log_in(site: Site, **options: Any) -> SimpleCookie:
    _, challenge = await site.get(f"/api/auth/challenge?wallet={WALLET}")
    url = f"{site.url}/api/auth/verify-wallet"
    async with site.client.post(url, json=signed(KEY, challenge["nonce"]), **options) as answer:
        assert answer.status == 200
        assert await answer.json() == {"verified": True, "user": USER, "device": None}
        return SimpleCookie(answer.headers["Set-Cookie"])


# ── the whole way ───────────────────────────────────────────────────────────────────────────


async def test_from_challenge_to_token_and_out(site: Site) -> None:
    assert await site.get("/api/auth/status") == (200, {"authenticated": False, "user": None})
    await log_in(site)
    assert await site.get("/api/auth/session") == (200, {"authenticated": True, "user": USER})
    assert await site.get("/api/auth/status") == (200, {"authenticated": True, "user": USER})
    status, body = await site.get("/api/auth/token")
    assert (status, body["expiresIn"]) == (200, 3600)
    claims = jwt.decode(body["token"], SECRET, algorithms=["HS256"], audience="ws")
    assert set(claims) == {"aud", "wallet_address", "role", "session_id", "iat", "exp", "jti"}
    assert claims["exp"] - claims["iat"] == 3600
    who = await site.desk.authority.identify(Credential("header", body["token"]))
    assert who.wallet == WALLET

    assert await site.post("/api/auth/logout") == (200, {"success": True})
    assert site.desk.announced == [claims["session_id"]]
    with pytest.raises(AuthError):
        await site.desk.authority.identify(Credential("header", body["token"]))
    assert await site.get("/api/auth/token") == (401, {"error": "No session token provided"})


async def test_a_kept_cookie_is_worth_nothing_after_logout(site: Site, database: Database) -> None:
    cookie = await log_in(site)
    kept = {"Cookie": f"session={cookie['session'].value}"}
    await site.post("/api/auth/logout")
    async with stranger() as other:
        for path in ("token", "session"):
            async with other.get(f"{site.url}/api/auth/{path}", headers=kept) as answer:
                assert (answer.status, await answer.json()) == (401, {"error": "Invalid session"})
    async with served(Site(database)) as restarted:
        assert await restarted.get("/api/auth/token", headers=kept) == (
            401,
            {"error": "Invalid session"},
        )


async def test_logging_out_twice_or_without_a_session_succeeds(site: Site) -> None:
    await log_in(site)
    for _ in range(3):
        assert await site.post("/api/auth/logout") == (200, {"success": True})
    assert len(site.desk.announced) == 1


# ── the cookie ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("domain", ["", ".degenduel.me"])
async def test_the_attributes_of_the_cookie(database: Database, secure: bool, domain: str) -> None:
    async with served(Site(database, auth={"cookie_domain": domain})) as site:
        site.secure = secure
        cookie = (await log_in(site))["session"]
        assert cookie["httponly"] is True
        assert cookie["secure"] == (True if secure else "")
        assert cookie["samesite"] == ("None" if secure else "Lax")
        assert (cookie["path"], cookie["max-age"], cookie["domain"]) == ("/", "86400", domain)
        async with site.client.post(f"{site.url}/api/auth/logout") as answer:
            cleared = SimpleCookie(answer.headers["Set-Cookie"])["session"]
        assert (cleared.value, cleared["max-age"]) == ("", "0")
        for name in ("path", "domain", "samesite", "secure", "httponly"):
            assert cleared[name] == cookie[name], "else a browser keeps the old one"


# ── the answers of A1 ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("query", ["", "?wallet=", "?Wallet=x"])
async def test_a_challenge_needs_a_wallet(site: Site, query: str) -> None:
    answer = await site.get(f"/api/auth/challenge{query}")
    assert answer == (400, {"error": "Missing wallet address"})


async def test_a_strange_wallet_is_no_error_of_the_server(site: Site) -> None:
    for wallet in ("a%00b", "%ff", "x" * 65, "%20"):
        answer = await site.get(f"/api/auth/challenge?wallet={wallet}")
        assert answer == (400, {"error": "Invalid wallet address"})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"wallet": None}, (400, "Missing required fields")),
        ({"signature": [1, 2]}, (400, "Signature must be a 64-byte array")),
        ({"wallet": "Nobody"}, (401, "Nonce not found or expired")),
        ({"message": "no line"}, (400, "Message missing nonce line")),
        ({"message": "Nonce: other"}, (401, "Nonce mismatch in message")),
        ({"signature": [0] * 64}, (401, "Invalid signature")),
    ],
)
async def test_what_verify_wallet_answers(
    site: Site, changes: dict[str, Any], expected: tuple[int, str]
) -> None:
    body = await site.desk.request(KEY) | changes
    status, text = expected
    assert await site.post("/api/auth/verify-wallet", body) == (status, {"error": text})


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        (b"", 400, "The body is not JSON"),
        (b"{", 400, "The body is not JSON"),
        (b"\xff", 400, "The body is not JSON"),
        (b"[]", 400, "The body is not a JSON object"),
        (b"null", 400, "The body is not a JSON object"),
        (b"{}", 400, "Missing required fields"),
        (b'{"wallet": "\\ud800"}', 400, "The body is not JSON"),
        (b"[" * 10_000, 400, "The body is not JSON"),
        (b" " * 16_385, 413, "Request too large"),
    ],
)
async def test_bodies_that_are_none(site: Site, body: bytes, status: int, text: str) -> None:
    url = f"{site.url}/api/auth/verify-wallet"
    async with site.client.post(url, data=body) as answer:
        assert (answer.status, await answer.json()) == (status, {"error": text})


@pytest.mark.parametrize("cookie", ["rubbish", "a.b.c", "x" * 3000])
async def test_a_bad_session(site: Site, cookie: str) -> None:
    for path in ("token", "session"):
        answer = await site.get(f"/api/auth/{path}", headers={"Cookie": f"session={cookie}"})
        assert answer == (401, {"error": "Invalid session"})
    assert (await site.get("/api/auth/status"))[1]["authenticated"] is False


async def test_a_socket_token_is_no_session(site: Site) -> None:
    await log_in(site)
    _, body = await site.get("/api/auth/token")
    async with stranger() as other:
        headers = {"Cookie": f"session={body['token']}", "Authorization": f"Bearer {body['token']}"}
        async with other.get(f"{site.url}/api/auth/token", headers=headers) as answer:
            assert (answer.status, await answer.json()) == (401, {"error": "Invalid session"})


async def test_a_session_lasts_a_day(site: Site) -> None:
    await log_in(site)
    site.desk.clock.now += 86_399
    assert (await site.get("/api/auth/session"))[0] == 200
    site.desk.clock.now += 1
    assert await site.get("/api/auth/session") == (401, {"error": "Invalid session"})


async def test_a_banned_user_is_not_found(site: Site) -> None:
    await log_in(site)
    await site.desk.users.set_banned(WALLET, True)
    for path in ("token", "session"):
        assert await site.get(f"/api/auth/{path}") == (401, {"error": "User not found"})


async def test_the_role_of_a_token_is_the_databases(site: Site) -> None:
    await log_in(site)
    await site.desk.users.set_role(WALLET, "admin")
    _, body = await site.get("/api/auth/token")
    claims = jwt.decode(body["token"], SECRET, algorithms=["HS256"], audience="ws")
    assert claims["role"] == "admin"


async def test_a_database_that_is_away_is_503(site: Site) -> None:
    await log_in(site)
    await site.database.stop()
    for method, path in [
        ("GET", f"challenge?wallet={WALLET}"),
        ("GET", "token"),
        ("GET", "session"),
        ("GET", "status"),
        ("POST", "logout"),
    ]:
        async with site.client.request(method, f"{site.url}/api/auth/{path}") as answer:
            assert answer.status == 503
            assert int(answer.headers["Retry-After"]) > 0
            assert await answer.json() == {"error": "Service temporarily unavailable"}


# ── limits ──────────────────────────────────────────────────────────────────────────────────


async def test_login_routes_are_limited_by_address(database: Database) -> None:
    async with served(Site(database, auth={"requests_per_minute": 3})) as site:
        for path in ("session", "token", "challenge"):
            assert (await site.get(f"/api/auth/{path}"))[0] != 429
        for method, path in [("GET", "status"), ("POST", "verify-wallet"), ("POST", "logout")]:
            async with site.client.request(method, f"{site.url}/api/auth/{path}") as answer:
                assert answer.status == 429
                assert answer.headers["Retry-After"] == "20"
                assert await answer.json() == {"error": "Too many requests"}
        assert (await site.get("/api/status"))[0] == 200, "only login routes are"
        site.address = "192.0.2.9"
        assert (await site.get("/api/auth/status"))[0] == 200, "another address has its own"
        site.address = "127.0.0.1"
        site.now += 20
        assert (await site.get("/api/auth/status"))[0] == 200
        assert (await site.get("/api/auth/status"))[0] == 429


# ── the door for development ────────────────────────────────────────────────────────────────

DEV = "/api/auth/dev-login"


async def test_dev_login_gives_a_session(site: Site) -> None:
    body = {"secret": DEV_SECRET, "wallet_address": WALLET}
    assert await site.post(DEV, body) == (200, {"verified": True, "user": USER, "device": None})
    assert (await site.get("/api/auth/token"))[0] == 200


@pytest.mark.parametrize("secret", ["", "wrong", DEV_SECRET + " ", None, 5, [DEV_SECRET], "\ud7ff"])
async def test_dev_login_wants_the_secret(site: Site, secret: object) -> None:
    body = {"secret": secret, "wallet_address": WALLET}
    assert await site.post(DEV, body) == (401, {"error": "Invalid secret"})


@pytest.mark.parametrize(
    ("wallet", "text"),
    [
        (None, "Missing wallet address"),
        ("", "Missing wallet address"),
        (7, "Missing wallet address"),
        ("a b", "Invalid wallet address"),
        ("a.b", "Invalid wallet address"),
        ("a\0", "Invalid wallet address"),
        ("x" * 65, "Invalid wallet address"),
    ],
)
async def test_dev_login_wants_a_wallet(site: Site, wallet: object, text: str) -> None:
    body = {"secret": DEV_SECRET, "wallet_address": wallet}
    assert await site.post(DEV, body) == (400, {"error": text})


@pytest.mark.parametrize("options", [{"development": False}, {"auth": {"dev_login_secret": ""}}])
async def test_dev_login_does_not_exist_elsewhere(
    database: Database, options: dict[str, Any]
) -> None:
    async with served(Site(database, **options)) as site:
        body = {"secret": "", "wallet_address": WALLET}
        assert await site.post(DEV, body) == (404, {"error": "Not found"})
        body = {"secret": DEV_SECRET, "wallet_address": WALLET}
        assert await site.post(DEV, body) == (404, {"error": "Not found"})


@pytest.mark.parametrize("address", ["192.0.2.1", "10.0.0.1", "2001:db8::1", "", "unix", "0.0.0.0"])
async def test_dev_login_is_for_this_machine(site: Site, address: str) -> None:
    site.address = address
    body = {"secret": DEV_SECRET, "wallet_address": WALLET}
    assert await site.post(DEV, body) == (404, {"error": "Not found"})


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
async def test_ways_to_be_this_machine(site: Site, address: str) -> None:
    site.address = address
    assert (await site.post(DEV, {"secret": DEV_SECRET, "wallet_address": WALLET}))[0] == 200


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
async def test_dev_login_is_not_for_those_behind_a_proxy(site: Site, header: str) -> None:
    body = {"secret": DEV_SECRET, "wallet_address": WALLET}
    assert (await site.post(DEV, body, headers={header: "127.0.0.1"}))[0] == 404


async def test_another_process_hears_of_a_logout(site: Site, database: Database) -> None:
    """The table is what processes without a common broker poll each second."""
    cookie = await log_in(site)
    elsewhere = Desk(database)
    assert await elsewhere.revoked.news() == []
    claims = site.desk.tokens.verify_session(cookie["session"].value)
    await site.post("/api/auth/logout", headers={"Origin": LISTED})
    assert await elsewhere.revoked.news() == [claims.session_id]
