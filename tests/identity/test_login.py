"""The wallet login: every check in its order, one challenge one login, one key one user."""

from __future__ import annotations

import asyncio
from typing import Any

import base58
import pytest
from nacl.signing import SigningKey
from solders.keypair import Keypair

from fastws.errors import AuthError
from fastws.store.pool import Database
from tests.identity.desk import Desk, Lines, signed

Request = dict[str, Any]

KEY = Keypair.from_seed(bytes(range(32)))
WALLET = str(KEY.pubkey())


async def refused(desk: Desk, request: Request) -> tuple[int, str]:
    with pytest.raises(AuthError) as caught:
        await desk.authority.verify_wallet(request)
    return caught.value.status, caught.value.text


async def test_a_signed_challenge_logs_in(desk: Desk, database: Database) -> None:
    login = await desk.authority.verify_wallet(await desk.request(KEY, device_name="phone"))
    assert (login.user.wallet, login.user.role) == (WALLET, "user")
    assert login.user.nickname == f"degen_{WALLET[:6]}"
    claims = desk.tokens.verify_session(login.session)
    assert claims.session_id == login.session_id
    assert len(login.session_id) == 32
    assert claims.expires_at - claims.issued_at == 86_400
    row = await database.fetchrow("SELECT * FROM users WHERE wallet_address = $1", WALLET)
    assert row is not None
    assert row["last_login"] is not None


async def test_a_second_login_keeps_the_user_and_sets_last_login(
    desk: Desk, database: Database
) -> None:
    first = await desk.authority.verify_wallet(await desk.request(KEY))
    await database.execute("UPDATE users SET nickname = 'kept', last_login = NULL, role = 'admin'")
    second = await desk.authority.verify_wallet(await desk.request(KEY))
    assert (second.user.nickname, second.user.role) == ("kept", "admin")
    assert first.session_id != second.session_id
    assert await database.fetchval("SELECT count(*) FROM users WHERE last_login IS NOT NULL") == 1


async def test_another_library_signs_as_well(desk: Desk) -> None:
    key = SigningKey(bytes(KEY.secret()))
    request = await desk.request(KEY)
    request["signature"] = list(key.sign(request["message"].encode()).signature)
    assert (await desk.authority.verify_wallet(request)).user.wallet == WALLET


# ── the order of the checks ─────────────────────────────────────────────────────────────────

MISSING = (400, "Missing required fields")
SHAPE = (400, "Signature must be a 64-byte array")
NO_NONCE = (401, "Nonce not found or expired")
EXPIRED = (401, "Nonce expired")
NO_LINE = (400, "Message missing nonce line")
MISMATCH = (401, "Nonce mismatch in message")
BAD_WALLET = (400, "Invalid wallet address")
BAD_SIGNATURE = (401, "Invalid signature")


@pytest.mark.parametrize("field", ["wallet", "signature", "message"])
@pytest.mark.parametrize("value", [..., None, ""])
async def test_a_missing_field_comes_first(desk: Desk, field: str, value: object) -> None:
    request = {"wallet": WALLET, "signature": [0], "message": "hello"} | {field: value}
    if value is ...:
        del request[field]
    expected = SHAPE if (field, value) == ("signature", "") else MISSING
    assert await refused(desk, request) == expected


@pytest.mark.parametrize(
    "signature",
    [
        [],
        [0] * 63,
        [0] * 65,
        "5" * 64,
        b"5" * 64,
        {str(at): 0 for at in range(64)},
        [0] * 63 + [256],
        [0] * 63 + [-1],
        [0] * 63 + [1.0],
        [0] * 63 + [True],
        [0] * 63 + ["1"],
        [0] * 63 + [None],
        [[0]] * 64,
        0,
        False,
    ],
)
async def test_then_the_shape_of_the_signature(desk: Desk, signature: object) -> None:
    # The wallet never asked for a challenge: that is looked at later.
    request = {"wallet": WALLET, "signature": signature, "message": "no nonce line"}
    assert await refused(desk, request) == SHAPE


@pytest.mark.parametrize("field", ["wallet", "message"])
@pytest.mark.parametrize("value", [5, ["x"], {"a": 1}, True])
async def test_fields_are_texts(desk: Desk, field: str, value: object) -> None:
    request = {"wallet": WALLET, "signature": [0] * 64, "message": "Nonce: x"} | {field: value}
    assert await refused(desk, request) == MISSING


@pytest.mark.parametrize("wallet", [WALLET, "not a key", "a\0b", "x" * 65, "\ud800", "0OIl"])
async def test_then_the_challenge(desk: Desk, wallet: str) -> None:
    request = {"wallet": wallet, "signature": [0] * 64, "message": "no nonce line"}
    assert await refused(desk, request) == NO_NONCE


async def test_then_its_age(desk: Desk) -> None:
    request = await desk.request(KEY, message="no nonce line", signature=[0] * 64)
    desk.clock.now += 900
    assert await refused(desk, request) == EXPIRED


async def test_a_challenge_is_good_for_fifteen_minutes(desk: Desk) -> None:
    request = await desk.request(KEY)
    desk.clock.now += 899
    assert (await desk.authority.verify_wallet(request)).user.wallet == WALLET


@pytest.mark.parametrize(
    "message", ["hello", "nonce: {}", "Nonce:", "Nonce: \n{}", "x Nonce: {}", "Nonce: {} and more"]
)
async def test_then_the_nonce_line(desk: Desk, message: str) -> None:
    nonce = await desk.authority.challenge(WALLET)
    request = signed(KEY, nonce, message) | {"signature": [0] * 64}
    assert await refused(desk, request) == NO_LINE


@pytest.mark.parametrize("other", ["0" * 32, "x", "\ud800", "é", "{}0"])
async def test_then_the_nonce(desk: Desk, other: str) -> None:
    nonce = await desk.authority.challenge(WALLET)
    message = f"Nonce: {other.format(nonce)}"
    request = {"wallet": WALLET, "signature": [0] * 64, "message": message}
    assert await refused(desk, request) == MISMATCH


@pytest.mark.parametrize("wallet", ["0OIl", "abc", f"1{WALLET}", WALLET[:-1], "z" * 64])
async def test_then_whether_the_wallet_is_a_key(desk: Desk, wallet: str) -> None:
    nonce = await desk.authority.challenge(wallet)
    request = {"wallet": wallet, "signature": [0] * 64, "message": f"Nonce: {nonce}"}
    assert await refused(desk, request) == BAD_WALLET


async def test_last_of_all_the_signature(desk: Desk) -> None:
    nonce = await desk.authority.challenge(WALLET)
    good = signed(KEY, nonce)
    assert await refused(desk, good | {"message": good["message"] + "!"}) == BAD_SIGNATURE
    assert await refused(desk, good | {"signature": [0] * 64}) == BAD_SIGNATURE
    other = signed(Keypair.from_seed(bytes(32)), nonce)["signature"]
    assert await refused(desk, good | {"signature": other}) == BAD_SIGNATURE
    lone = f"\ud800\nNonce: {nonce}"
    assert await refused(desk, good | {"message": lone}) == BAD_SIGNATURE
    assert (await desk.authority.verify_wallet(good)).user.wallet == WALLET, "none used it up"


@pytest.mark.parametrize(
    "message", ["Nonce: {}", "a\r\nNonce: {}\r\nb", "Nonce:\t{} ", "ü\nNonce:{}"]
)
async def test_ways_to_write_the_line(desk: Desk, message: str) -> None:
    nonce = await desk.authority.challenge(WALLET)
    assert (await desk.authority.verify_wallet(signed(KEY, nonce, message))).user.wallet == WALLET


# ── what a forger tries ─────────────────────────────────────────────────────────────────────

SMALL_ORDER = [  # as base58 of 32 bytes: points of order 1, 2, 4 and 8
    bytes([1] + [0] * 31),
    bytes([0xEC] + [0xFF] * 30 + [0x7F]),
    bytes(32),
    bytes([0] * 31 + [0x80]),
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
]


@pytest.mark.parametrize("key", SMALL_ORDER, ids=lambda key: key.hex()[:8])
async def test_no_signature_of_a_small_order_key_is_believed(desk: Desk, key: bytes) -> None:
    wallet = base58.b58encode(key).decode()
    nonce = await desk.authority.challenge(wallet)
    for first in SMALL_ORDER:
        for attempt in range(16):  # some libraries verify these for one message in eight
            message = f"{attempt}\nNonce: {nonce}"
            signature = list(first + bytes(32))
            request = {"wallet": wallet, "signature": signature, "message": message}
            assert await refused(desk, request) == BAD_SIGNATURE


async def test_a_signature_with_the_group_order_added_is_refused(desk: Desk) -> None:
    request = await desk.request(KEY)
    order = 2**252 + 27742317777372353535851937790883648493
    raw = bytes(request["signature"])
    more = int.from_bytes(raw[32:], "little") + order
    request["signature"] = list(raw[:32] + more.to_bytes(32, "little"))
    assert await refused(desk, request) == BAD_SIGNATURE


async def test_a_challenge_is_used_once(desk: Desk) -> None:
    request = await desk.request(KEY)
    await desk.authority.verify_wallet(request)
    assert await refused(desk, request) == NO_NONCE


async def test_of_two_logins_at_once_one_succeeds(desk: Desk) -> None:
    request = await desk.request(KEY)
    results = await asyncio.gather(
        *(desk.authority.verify_wallet(request) for _ in range(5)), return_exceptions=True
    )
    assert sum(not isinstance(result, BaseException) for result in results) == 1


async def test_a_new_challenge_replaces_the_old_one(desk: Desk) -> None:
    old = await desk.request(KEY)
    new = await desk.request(KEY)
    assert await refused(desk, old) == MISMATCH
    await desk.authority.verify_wallet(new)


async def test_a_challenge_of_one_wallet_is_none_of_another(desk: Desk) -> None:
    other = Keypair.from_seed(bytes(32))
    mine = await desk.request(KEY)
    await desk.authority.challenge(str(other.pubkey()))
    nonce = mine["message"].split("Nonce: ")[1].split("\n")[0]
    assert await refused(desk, signed(other, nonce)) == MISMATCH


@pytest.mark.parametrize("spelling", ["{} ", "{}\n", " {}", "{}\t"])
async def test_a_wallet_has_one_spelling(desk: Desk, spelling: str) -> None:
    """Else a banned user came back as himself and a space."""
    with pytest.raises(AuthError) as caught:
        await desk.authority.challenge(spelling.format(WALLET))
    assert (caught.value.status, caught.value.text) == BAD_WALLET


async def test_a_banned_user_does_not_get_in(desk: Desk) -> None:
    await desk.authority.verify_wallet(await desk.request(KEY))
    await desk.users.set_banned(WALLET, True, "cheating")
    assert await refused(desk, await desk.request(KEY)) == (401, "User not found")


# ── the challenge ───────────────────────────────────────────────────────────────────────────


async def test_nonces_are_32_hex_characters_and_never_the_same(desk: Desk) -> None:
    nonces = {await desk.authority.challenge(WALLET) for _ in range(20)}
    assert len(nonces) == 20
    assert all(len(nonce) == 32 and set(nonce) <= set("0123456789abcdef") for nonce in nonces)


@pytest.mark.parametrize("wallet", ["a\0b", "x" * 65, "ü", "a b", "\ud800"])
async def test_what_cannot_be_a_wallet_gets_no_challenge(desk: Desk, wallet: str) -> None:
    with pytest.raises(AuthError) as caught:
        await desk.authority.challenge(wallet)
    assert (caught.value.status, caught.value.text) == BAD_WALLET


async def test_no_wallet_no_challenge(desk: Desk) -> None:
    with pytest.raises(AuthError) as caught:
        await desk.authority.challenge("")
    assert (caught.value.status, caught.value.text) == (400, "Missing wallet address")


async def test_logins_are_logged_and_counted_without_secrets(desk: Desk, lines: Lines) -> None:
    request = await desk.request(KEY)
    login = await desk.authority.verify_wallet(request)
    await refused(desk, request)
    assert desk.authority.results == {("wallet", "ok"): 1, ("wallet", "no_nonce"): 1}
    assert [line["wallet"] for line in lines.of("auth.login")] == [WALLET]
    assert [line["reason"] for line in lines.of("auth.failed")] == ["no_nonce"]
    nonce = request["message"].split("Nonce: ")[1].split("\n")[0]
    for secret in (login.session, login.session.rpartition(".")[2], nonce):
        assert secret not in str(lines)
