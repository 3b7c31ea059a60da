"""Tokens made by hand, so that the tests owe nothing to the library under them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

SECRET = "a secret of the tests, long enough for HS256"
NOW = 1_800_000_000.0
WALLET = "9xQeWvG816bUx9EPjHmaT23yvVM2ZWbrrpZb9PusVFin"
SESSION = "0123456789abcdef0123456789abcdef"

HASHES = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}


def segment(value: Any) -> str:
    """A segment: JSON of a value, or a string's own bytes."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(signed: str, secret: str = SECRET, algorithm: str = "HS256") -> str:
    digest = hmac.new(secret.encode(), signed.encode(), HASHES[algorithm]).digest()
    return f"{signed}.{segment(digest)}"


def claims(audience: str = "ws", **changes: Any) -> dict[str, Any]:
    """Good claims; a change to ``...`` leaves one out."""
    life = 86_400 if audience == "session" else 3600
    made = {
        "aud": audience,
        "wallet_address": WALLET,
        "role": "user",
        "session_id": SESSION,
        "iat": NOW,
        "exp": NOW + life,
    } | changes
    return {name: value for name, value in made.items() if value is not ...}


def token(
    payload: Any = None,
    header: Any = None,
    *,
    secret: str = SECRET,
    algorithm: str = "HS256",
    **changes: Any,
) -> str:
    """A token signed with ``secret``, whatever it says."""
    head = {"alg": algorithm, "typ": "JWT"} if header is None else header
    body = claims(**changes) if payload is None else payload
    return sign(f"{segment(head)}.{segment(body)}", secret, algorithm)
