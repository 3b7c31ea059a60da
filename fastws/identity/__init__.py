"""Who is it: tokens, cookies, wallet signatures and origins become an `Identity`.

This room decides who somebody is, never what he may (that is `fastws.policy`). It owns the
formats of wire.md A1 and A2; it knows no sockets and no HTTP library.
"""

from fastws.identity.authority import Authority, Login
from fastws.identity.credentials import (
    ANONYMOUS,
    Author,
    Credential,
    Identity,
    Role,
    choose_subprotocol,
    find_credential,
)
from fastws.identity.origins import OriginRule
from fastws.identity.revocations import Revocations
from fastws.identity.tokens import Claims, Tokens

__all__ = [
    "ANONYMOUS",
    "Author",
    "Authority",
    "Claims",
    "Credential",
    "Identity",
    "Login",
    "OriginRule",
    "Revocations",
    "Role",
    "Tokens",
    "choose_subprotocol",
    "find_credential",
]
