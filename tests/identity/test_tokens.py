"""Bad tokens are refused, each for its own reason; good ones are read."""

from __future__ import annotations

import base64
import dataclasses
import json
import string
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastws.config import AuthConfig
from fastws.errors import AuthError
from fastws.identity import Tokens
from tests.identity.forge import NOW, SECRET, SESSION, WALLET, claims, segment, sign, token

AUTH = AuthConfig(jwt_secret=SECRET)


def tokens(**auth: object) -> Tokens:
    return Tokens(msgspec.structs.replace(AUTH, **auth), lambda: NOW)


@dataclasses.dataclass
class Bad:
    made: Callable[[], str]
    reason: str


def header(**more: object) -> dict[str, object]:
    return {"alg": "HS256", "typ": "JWT", **more}


GOOD = token()
HEAD, BODY, SIGNATURE = GOOD.split(".")
DUPLICATE = json.dumps(claims())[:-1] + f', "aud": "session", "exp": {NOW + 10}}}'


def spare(last: str) -> str:
    """The character that differs from the last one in the two bits that say nothing."""
    alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    return alphabet[alphabet.index(last) ^ 1]


BAD: dict[str, Bad] = {
    # the algorithm
    "none": Bad(lambda: f"{segment({'alg': 'none'})}.{BODY}.", "malformed"),
    "none with a signature": Bad(lambda: token(header={"alg": "none"}), "wrong_algorithm"),
    "None in capitals": Bad(lambda: token(header={"alg": "NONE"}), "wrong_algorithm"),
    "HS384": Bad(lambda: token(algorithm="HS384"), "wrong_algorithm"),
    "HS512": Bad(lambda: token(algorithm="HS512"), "wrong_algorithm"),
    "RS256 signed with the secret": Bad(lambda: token(header={"alg": "RS256"}), "wrong_algorithm"),
    "EdDSA": Bad(lambda: token(header={"alg": "EdDSA"}), "wrong_algorithm"),
    "hs256 in lower case": Bad(lambda: token(header={"alg": "hs256"}), "wrong_algorithm"),
    "a list of algorithms": Bad(lambda: token(header={"alg": ["HS256"]}), "wrong_algorithm"),
    "no algorithm": Bad(lambda: token(header={"typ": "JWT"}), "wrong_algorithm"),
    # the key
    "another secret": Bad(lambda: token(secret="x" * 40), "bad_signature"),
    "the empty secret": Bad(lambda: token(secret=""), "bad_signature"),
    "a signature of another token": Bad(
        lambda: f"{HEAD}.{segment(claims(role='admin'))}.{SIGNATURE}", "bad_signature"
    ),
    "half a signature": Bad(lambda: f"{HEAD}.{BODY}.{SIGNATURE[:20]}", "bad_signature"),
    "a claim changed": Bad(
        lambda: f"{HEAD}.{segment(claims(wallet_address='1' * 32))}.{SIGNATURE}", "bad_signature"
    ),
    # header tricks
    "kid": Bad(lambda: token(header=header(kid="../../../dev/null")), "strange_header"),
    "kid with SQL": Bad(lambda: token(header=header(kid="' UNION SELECT 'x")), "strange_header"),
    "jku": Bad(lambda: token(header=header(jku="https://evil.example/k")), "strange_header"),
    "x5u": Bad(lambda: token(header=header(x5u="https://evil.example/k")), "strange_header"),
    "jwk": Bad(lambda: token(header=header(jwk={"kty": "oct", "k": ""})), "strange_header"),
    "crit": Bad(lambda: token(header=header(crit=["exp"])), "malformed"),
    "b64 false": Bad(lambda: token(header=header(b64=False, crit=["b64"])), "malformed"),
    "zip": Bad(lambda: token(header=header(zip="DEF")), "strange_header"),
    "a header that is a list": Bad(lambda: token(header=["HS256"]), "malformed"),
    "a header that is no JSON": Bad(lambda: token(header=b"{alg:HS256}"), "malformed"),
    # times
    "no exp": Bad(lambda: token(exp=...), "bad_times"),
    "no iat": Bad(lambda: token(iat=...), "bad_times"),
    "exp null": Bad(lambda: token(exp=None), "bad_times"),
    "exp a string of digits": Bad(lambda: token(exp=str(NOW + 60)), "bad_times"),
    "exp a whole string": Bad(lambda: token(exp="1800003600"), "bad_times"),
    "exp true": Bad(lambda: token(exp=True), "bad_times"),
    "exp a list": Bad(lambda: token(exp=[NOW + 60]), "bad_times"),
    "exp 10^30": Bad(lambda: token(exp=10**30), "bad_times"),
    "exp of 2,500 digits": Bad(
        lambda: token(b'{"aud":"ws","iat":1800000000,"exp":' + b"9" * 2500 + b"}"), "bad_times"
    ),
    "exp Infinity": Bad(lambda: token(exp=float("inf")), "bad_times"),
    "exp NaN": Bad(lambda: token(exp=float("nan")), "bad_times"),
    "exp negative": Bad(lambda: token(exp=-1), "bad_times"),
    "exp now": Bad(lambda: token(exp=NOW), "expired"),
    "expired long ago": Bad(lambda: token(iat=1, exp=3601), "expired"),
    "a life of two days": Bad(lambda: token(exp=NOW + 2 * 86_400), "bad_times"),
    "an old iat and a far exp": Bad(lambda: token(iat=0, exp=NOW + 60), "bad_times"),
    "iat after exp": Bad(lambda: token(iat=NOW + 4, exp=NOW + 2), "bad_times"),
    "iat in the future": Bad(lambda: token(iat=NOW + 60), "bad_times"),
    "iat a string": Bad(lambda: token(iat=str(NOW)), "bad_times"),
    "iat negative": Bad(lambda: token(iat=-10), "bad_times"),
    "nbf in the future": Bad(lambda: token(nbf=NOW + 60), "bad_times"),
    "nbf a string": Bad(lambda: token(nbf="0"), "bad_times"),
    # what it is for
    "a session cookie": Bad(lambda: token(audience="session"), "wrong_audience"),
    "no aud": Bad(lambda: token(aud=...), "no_audience"),
    "aud null": Bad(lambda: token(aud=None), "wrong_audience"),
    "aud a list": Bad(lambda: token(aud=["ws"]), "wrong_audience"),
    "both audiences": Bad(lambda: token(aud=["ws", "session"]), "wrong_audience"),
    "aud in capitals": Bad(lambda: token(aud="WS"), "wrong_audience"),
    "aud with a space": Bad(lambda: token(aud="ws "), "wrong_audience"),
    "aud of another service": Bad(lambda: token(aud="api"), "wrong_audience"),
    "two auds in one object": Bad(lambda: token(DUPLICATE.encode()), "wrong_audience"),
    # who it is
    "no wallet": Bad(lambda: token(wallet_address=...), "bad_claims"),
    "wallet null": Bad(lambda: token(wallet_address=None), "bad_claims"),
    "wallet a number": Bad(lambda: token(wallet_address=7), "bad_claims"),
    "wallet an object": Bad(lambda: token(wallet_address={"$ne": ""}), "bad_claims"),
    "wallet empty": Bad(lambda: token(wallet_address=""), "bad_claims"),
    "wallet too long": Bad(lambda: token(wallet_address="1" * 65), "bad_claims"),
    "wallet with a NUL": Bad(lambda: token(wallet_address="a\0b"), "bad_claims"),
    "wallet with a space": Bad(lambda: token(wallet_address=f"{WALLET} "), "bad_claims"),
    "session id a number": Bad(lambda: token(session_id=1), "bad_claims"),
    "session id empty": Bad(lambda: token(session_id=""), "bad_claims"),
    "claims that are a list": Bad(lambda: token([claims()]), "malformed"),
    "claims that are no JSON": Bad(lambda: token(b"\xff\xfe"), "malformed"),
    "claims nested too deep": Bad(lambda: token(b"[" * 1500 + b"]" * 1500), "malformed"),
    # its spelling
    "empty": Bad(lambda: "", "malformed"),
    "two dots": Bad(lambda: "..", "malformed"),
    "one segment": Bad(lambda: HEAD, "malformed"),
    "two segments": Bad(lambda: f"{HEAD}.{BODY}", "malformed"),
    "no signature": Bad(lambda: f"{HEAD}.{BODY}.", "malformed"),
    "four segments": Bad(lambda: f"{GOOD}.{SIGNATURE}", "malformed"),
    "the claims twice, signed": Bad(lambda: sign(f"{HEAD}.{BODY}.{BODY}"), "malformed"),
    "a space before": Bad(lambda: f" {GOOD}", "malformed"),
    "a newline after": Bad(lambda: f"{GOOD}\n", "malformed"),
    "a space inside": Bad(lambda: f"{HEAD}. {BODY}.{SIGNATURE}", "malformed"),
    "padding": Bad(lambda: f"{GOOD}=", "malformed"),
    "a character that base64 skips": Bad(lambda: f"{GOOD}!", "malformed"),
    "spare bits of the signature set": Bad(lambda: GOOD[:-1] + spare(GOOD[-1]), "malformed"),
    "Unicode digits": Bad(lambda: f"{GOOD}\u0661", "malformed"),
    "cut short": Bad(lambda: GOOD[:-5], "malformed"),
    "quoted": Bad(lambda: f'"{GOOD}"', "malformed"),
    "longer than any": Bad(lambda: token(more="x" * 4096), "malformed"),
}


def test_there_are_bad_tokens_enough() -> None:
    assert len(BAD) >= 40
    assert len({bad.made() for bad in BAD.values()}) == len(BAD)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_token_is_refused_on_sockets(name: str) -> None:
    bad = BAD[name]
    with pytest.raises(AuthError) as caught:
        tokens().verify_socket(bad.made())
    assert (caught.value.text, caught.value.reason) == ("Invalid token", bad.reason)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_token_is_no_session_either(name: str) -> None:
    made = BAD[name].made()
    if name in ("a session cookie", "two auds in one object"):
        assert tokens().verify_session(made).wallet == WALLET
        return
    with pytest.raises(AuthError) as caught:
        tokens().verify_session(made)
    assert caught.value.text == "Invalid session"


def test_a_socket_token_is_no_session() -> None:
    with pytest.raises(AuthError) as caught:
        tokens().verify_session(GOOD)
    assert caught.value.reason == "wrong_audience"


def test_a_session_names_its_session_id() -> None:
    with pytest.raises(AuthError) as caught:
        tokens().verify_session(token(audience="session", session_id=...))
    assert caught.value.reason == "bad_claims"


def test_a_good_token_is_read() -> None:
    read = tokens().verify_socket(GOOD)
    assert (read.wallet, read.session_id) == (WALLET, SESSION)
    assert (read.issued_at, read.expires_at) == (NOW, NOW + 3600)
    assert not read.legacy


def test_clocks_of_two_servers_may_differ_a_little() -> None:
    assert tokens().verify_socket(token(iat=NOW + 4, exp=NOW + 3604))


def test_what_is_minted_is_accepted_and_says_what_the_protocol_promises() -> None:
    ours = tokens()
    session = ours.mint_session(WALLET, "admin", SESSION)
    socket = ours.mint_socket(WALLET, "admin", SESSION)
    assert ours.verify_session(session).expires_at == NOW + 86_400
    assert ours.verify_socket(socket).expires_at == NOW + 3600
    said = [_payload(session), _payload(socket)]
    assert said[0] == claims("session", role="admin")
    assert len(said[1].pop("jti")) == 32
    assert said[1] == claims("ws", role="admin")
    assert ours.mint_socket(WALLET, "admin", SESSION) != socket, "each has a jti of its own"


def test_tokens_without_aud_are_accepted_during_a_migration_only() -> None:
    old = token(aud=...)
    migrating = tokens(accept_legacy_tokens=True)
    assert migrating.verify_socket(old).legacy
    assert not migrating.verify_socket(GOOD).legacy
    with pytest.raises(AuthError):
        migrating.verify_socket(token(aud=None))
    with pytest.raises(AuthError):
        migrating.verify_session(old)
    with pytest.raises(AuthError):
        tokens().verify_socket(old)


def test_a_weak_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="32"):
        Tokens(AuthConfig(jwt_secret="x" * 31), lambda: NOW)


@given(at=st.integers(0, len(GOOD) - 1), character=st.characters())
def test_any_changed_character_makes_a_token_bad(at: int, character: str) -> None:
    changed = GOOD[:at] + character + GOOD[at + 1 :]
    if changed != GOOD:
        with pytest.raises(AuthError):
            tokens().verify_socket(changed)


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: f"{HEAD}.{segment(raw)}.x"))
def test_no_text_at_all_breaks_the_verifier(text: str) -> None:
    with pytest.raises(AuthError):
        tokens().verify_socket(text)


@given(
    st.dictionaries(
        st.sampled_from(["aud", "iat", "exp", "nbf", "wallet_address", "session_id", "iss", "sub"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
            lambda inner: st.lists(inner, max_size=2),
            max_leaves=3,
        ),
        min_size=1,
    )
)
def test_signed_nonsense_is_refused_or_well_formed(changes: dict[str, object]) -> None:
    try:
        read = tokens().verify_socket(token(claims() | changes))
    except AuthError:
        return
    assert read.wallet
    assert NOW < read.expires_at <= NOW + 86_400 + 10
    assert changes.get("aud", "ws") == "ws"


def _payload(text: str) -> dict[str, object]:
    body = text.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
