"""Channel and command access against a table written by hand from the protocol."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastws.errors import Denied, WireError
from fastws.identity import ANONYMOUS, Identity, Role
from fastws.policy import check_name, has_role, may_run, may_subscribe

MINE, OTHERS = "MineWa11et", "OtherWa11et"

WHO = {
    "anonymous": ANONYMOUS,
    "user": Identity(wallet=MINE, role=Role.USER),
    "admin": Identity(wallet=MINE, role=Role.ADMIN),
    "superadmin": Identity(wallet=MINE, role=Role.SUPERADMIN),
}

NOBODY: tuple[str, ...] = ()
USERS = ("user", "admin", "superadmin")
ADMINS = ("admin", "superadmin")
SUPERADMINS = ("superadmin",)

WRITTEN: dict[str, tuple[str, ...]] = {
    f"user.{MINE}": USERS,
    f"user.{MINE}.trades": USERS,
    f"user.{MINE}.a.b": USERS,
    f"user.{OTHERS}": NOBODY,
    f"user.{OTHERS}.trades": NOBODY,
    f"user.{OTHERS}.{MINE}": NOBODY,
    "user.": NOBODY,
    f"user..{MINE}": NOBODY,
    f"user.notifications.{MINE}": USERS,
    f"user.notifications.{OTHERS}": NOBODY,
    f"user.notifications.{MINE}.x": NOBODY,
    "user.notifications": NOBODY,
    "admin.": ADMINS,
    "admin.contests": ADMINS,
    "admin.circuit_breakers": ADMINS,
    f"admin.{MINE}": ADMINS,
    "admin.a\nb": ADMINS,
    "superadmin.": SUPERADMINS,
    "superadmin.keys": SUPERADMINS,
    f"superadmin.{MINE}": SUPERADMINS,
    f"participant.{MINE}.7": USERS,
    f"participant.{OTHERS}.7": ADMINS,
    f"participant.{MINE}": NOBODY,
    f"participant.{MINE}.": NOBODY,
    f"participant.{OTHERS}.{MINE}": ADMINS,
    f"participant..{MINE}": NOBODY,
    "system.settings": ADMINS,
    "system.errors": ADMINS,
    "system.status": USERS,
    "system.maintenance": USERS,
    "contest.7": USERS,
    "leaderboard.7": USERS,
    "chat.7": USERS,
    "users": USERS,
    "administration": USERS,
} | {
    f"{kind}.{label}": who
    for kind in ("wallet", "transactions", "portfolio", "trades")
    for label, who in ((MINE, USERS), (OTHERS, ADMINS), ("", NOBODY), (f"{MINE}.x", NOBODY))
}


@pytest.mark.parametrize("label", WRITTEN)
@pytest.mark.parametrize("who", WHO)
def test_the_table_says_what_was_written(who: str, label: str) -> None:
    assert may_subscribe(WHO[who], "test", label) is (who in WRITTEN[label])


@pytest.mark.parametrize(("endpoint", "allowed"), [("monitor", ADMINS), ("circuit-breaker", USERS)])
def test_services_are_for_admins_on_the_monitor_only(
    endpoint: str, allowed: tuple[str, ...]
) -> None:
    for who, identity in WHO.items():
        assert may_subscribe(identity, endpoint, "services") is (who in allowed)


WALLETS = st.text("123456789ABCDEFabcdef", min_size=1, max_size=12)
PARTS = WALLETS | st.sampled_from(
    ["", "notifications", "user", "admin", "superadmin", "wallet", "7", "é", "a b", "\n"]
)
OWNED = ("wallet", "transactions", "portfolio", "trades")
KINDS = st.sampled_from(
    (
        *("user", "user.notifications", "admin", "superadmin", "participant", *OWNED),
        *("system", "services", "contest", "chat", "public", ""),
    )
)


def expected(identity: Identity, label: str) -> bool:
    """The paragraph "Channel access", read word by word."""
    if identity.wallet is None:
        return False
    admin = identity.role in (Role.ADMIN, Role.SUPERADMIN)
    first, *rest = label.split(".")
    if not rest:
        return True
    if first == "user" and rest[0] == "notifications" and len(rest) == 2:
        return rest[1] == identity.wallet
    if first == "user":
        return rest[0] == identity.wallet
    if first == "admin":
        return admin
    if first == "superadmin":
        return identity.role is Role.SUPERADMIN
    if first == "participant":
        whole = len(rest) == 2 and all(rest)
        return whole and (admin or rest[0] == identity.wallet)
    if first in OWNED:
        return len(rest) == 1 and rest[0] != "" and (admin or rest[0] == identity.wallet)
    if label in ("system.settings", "system.errors"):
        return admin
    return True


@given(
    role=st.sampled_from([None, *Role]),
    wallet=WALLETS,
    kind=KINDS,
    parts=st.lists(PARTS, max_size=3),
    own=st.booleans(),
)
def test_any_role_on_any_channel(
    role: Role | None, wallet: str, kind: str, parts: list[str], own: bool
) -> None:
    identity = ANONYMOUS if role is None else Identity(wallet=wallet, role=role)
    label = ".".join([kind, *([wallet] if own else []), *parts])
    if label == f"user.{identity.wallet}.":
        return  # its own, but for the dot at the end: nothing of anybody else's
    assert may_subscribe(identity, "test", label) is expected(identity, label)


@given(role=st.sampled_from(list(Role)), wallet=WALLETS, other=WALLETS, tail=PARTS)
def test_a_user_never_reads_another_wallets_channel(
    role: Role, wallet: str, other: str, tail: str
) -> None:
    if wallet == other:
        return
    identity = Identity(wallet=wallet, role=role)
    for label in (f"user.{other}", f"user.{other}.{tail}", f"user.notifications.{other}"):
        assert not may_subscribe(identity, "test", label)
    for kind in OWNED:
        assert may_subscribe(identity, "test", f"{kind}.{other}") is role.is_admin


def test_a_command_asks_for_a_role() -> None:
    for who, identity in WHO.items():
        may_run(identity, None)
        for role in Role:
            allowed = identity.role is not None and identity.role.level >= role.level
            assert has_role(identity, role) is allowed
            if allowed:
                may_run(identity, role)
                continue
            with pytest.raises(Denied) as caught:
                may_run(identity, role)
            text = (
                "Authentication required" if who == "anonymous" else f"This needs the role {role}"
            )
            assert (caught.value.code, caught.value.message) == ("UNAUTHORIZED", text)


def test_a_guest_runs_nothing_that_needs_a_login() -> None:
    for identity in WHO.values():
        if identity.authenticated:
            may_run(identity, None, requires_auth=True)
    with pytest.raises(Denied) as caught:
        may_run(ANONYMOUS, None, requires_auth=True)
    assert (caught.value.code, caught.value.message) == ("UNAUTHORIZED", "Authentication required")


def test_a_command_may_name_the_refusal_older_clients_know() -> None:
    refusal = ("PERMISSION_DENIED", "Only admins can update settings")
    for who in ("anonymous", "user"):
        with pytest.raises(Denied) as caught:
            may_run(WHO[who], Role.ADMIN, refusal)
        assert (caught.value.code, caught.value.message) == refusal


@pytest.mark.parametrize("label", ["a", "token.$WIF", "token.A/B", "user.x.y", "é" * 64, "a" * 128])
def test_names_that_a_channel_may_have(label: str) -> None:
    check_name(label)


@pytest.mark.parametrize(
    "label", ["", " ", "a b", "a\n", "a\0", "\u00a0", "\u202e", "\ud800", "a" * 129, "é" * 65]
)
def test_names_that_no_channel_has(label: str) -> None:
    with pytest.raises(WireError) as caught:
        check_name(label)
    assert caught.value.code == "INVALID_SUBSCRIPTION"
