"""May he: one table of channel access and a function each for channels and commands.

Source: wire.md A3, "Channel access". The table is read top down, the first pattern that fits
decides; public channels are the endpoint's own list and come before it. This room knows
identities and names, nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from fastws.errors import Close, Code, Denied, WireError
from fastws.identity import Identity, Role

__all__ = [
    "LONGEST_NAME",
    "check_name",
    "has_role",
    "is_admin",
    "may_run",
    "may_subscribe",
    "refusal",
]

LONGEST_NAME: Final = 128
"""Bytes of the longest channel name."""

Rule = Callable[[Identity, re.Match[str]], bool]


def has_role(identity: Identity, role: Role) -> bool:
    """Whether the identity has ``role`` or a higher one."""
    return identity.role is not None and identity.role.level >= role.level


def is_admin(identity: Identity) -> bool:
    """Whether the identity has the role of an administrator, or a higher one."""
    return has_role(identity, Role.ADMIN)


def _own(identity: Identity, match: re.Match[str]) -> bool:
    return match["wallet"] == identity.wallet


def _own_or_admin(identity: Identity, match: re.Match[str]) -> bool:
    return _own(identity, match) or is_admin(identity)


def _admin(identity: Identity, match: re.Match[str]) -> bool:
    return is_admin(identity)


def _superadmin(identity: Identity, match: re.Match[str]) -> bool:
    return has_role(identity, Role.SUPERADMIN)


def _nobody(identity: Identity, match: re.Match[str]) -> bool:
    return False


CHANNELS: Final[tuple[tuple[str | None, re.Pattern[str], Rule], ...]] = tuple(
    (endpoint, re.compile(pattern, re.DOTALL), rule)
    for endpoint, pattern, rule in (
        (None, r"user\.notifications\.(?P<wallet>[^.]+)", _own),
        (None, r"user\.(?P<wallet>[^.]+)(\..+)?", _own),
        (None, r"superadmin\..*", _superadmin),
        (None, r"admin\..*", _admin),
        (None, r"participant\.(?P<wallet>[^.]+)\.[^.]+", _own_or_admin),
        (None, r"(wallet|transactions|portfolio|trades)\.(?P<wallet>[^.]+)", _own_or_admin),
        (None, r"(user|participant|wallet|transactions|portfolio|trades)\..*", _nobody),
        (None, r"system\.settings|system\.errors", _admin),
        ("monitor", r"services", _admin),
    )
)
"""Endpoint (None: any), pattern of the label, rule. ``services`` of other endpoints is open."""


def may_subscribe(identity: Identity, endpoint: str, label: str) -> bool:
    """Whether the table lets the identity follow a channel that is not public.

    ``endpoint`` is its path, ``label`` the name after the slash. What no row names is the
    endpoint's matter (`Endpoint.denied`), for users only.
    """
    if not identity.authenticated:
        return False
    for where, pattern, rule in CHANNELS:
        if where in (None, endpoint):
            match = pattern.fullmatch(label)
            if match is not None:
                return rule(identity, match)
    return True


def may_run(
    identity: Identity,
    role: Role | None,
    denied: tuple[str, str] | None = None,
    *,
    requires_auth: bool = False,
) -> None:
    """Raise unless the identity has the ``role`` a command asks for.

    ``requires_auth`` refuses the anonymous guest of an endpoint that needs a login, who came
    for its public channels only (wire.md A2). ``denied`` is the code and text older clients
    know; default ``UNAUTHORIZED``.
    """
    if role is None and (identity.authenticated or not requires_auth):
        return
    if role is not None and has_role(identity, role):
        return
    code, text = denied or (Code.UNAUTHORIZED, f"This needs the role {role}")
    if denied is None and not identity.authenticated:
        text = Close.UNAUTHORIZED.reason
    raise Denied(text, code)


def refusal() -> Denied:
    """What a client reads who may not follow a channel (whether it exists or not)."""
    return Denied()


def check_name(label: str) -> None:
    """Raise ``INVALID_SUBSCRIPTION`` unless a channel may be called that."""
    if not label:
        raise WireError(Code.INVALID_SUBSCRIPTION, "Channel name is required")
    if not label.isprintable() or " " in label or len(label.encode()) > LONGEST_NAME:
        text = f"A channel name is at most {LONGEST_NAME} printable bytes without spaces"
        raise WireError(Code.INVALID_SUBSCRIPTION, text)
