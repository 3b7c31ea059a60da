"""The vocabulary of failure: one tree, codes that say what to do, sentences for the reader."""

from __future__ import annotations

import inspect
import typing

import pytest

from fastws import errors
from fastws.errors import (
    CLOSE_CODES,
    Action,
    AuthError,
    Close,
    CloseCode,
    Code,
    ConfigError,
    Denied,
    FastwsError,
    StartError,
    StoreUnavailable,
    Unavailable,
    WireError,
)


def test_everything_raised_on_purpose_has_one_root() -> None:
    raised = [
        value
        for value in vars(errors).values()
        if inspect.isclass(value) and issubclass(value, Exception)
    ]
    assert all(issubclass(kind, FastwsError) for kind in raised)
    documented = errors.__doc__ or ""
    assert all(kind.__name__ in documented for kind in raised), "the tree in the docstring is whole"


def test_what_is_exported_is_what_there_is() -> None:
    made = {
        name
        for name, value in vars(errors).items()
        if getattr(value, "__module__", "") == errors.__name__ and not name.startswith("_")
    }
    assert made | {"CLOSE_CODES"} == set(errors.__all__)


# ── close codes ─────────────────────────────────────────────────────────────────────────


def test_the_table_of_close_codes_is_whole_and_unambiguous() -> None:
    declared = {name for name in vars(Close) if not name.startswith("_")}
    assert len(CLOSE_CODES) == len(declared)
    assert len({(close.code, close.reason) for close in CLOSE_CODES}) == len(CLOSE_CODES)


@pytest.mark.parametrize("close", CLOSE_CODES, ids=lambda close: f"{close.code} {close.reason}")
def test_a_close_code_can_be_sent_and_says_what_to_do(close: CloseCode) -> None:
    assert close.code in {1000, 1001, 1002, 1003, *range(1007, 1015)} or 4000 <= close.code < 5000
    assert len(close.reason.encode()) <= 123, "RFC 6455 section 5.5"
    assert close.action in typing.get_args(Action)
    assert close.meaning.endswith(".")


@pytest.mark.parametrize("close", CLOSE_CODES, ids=lambda close: f"{close.code} {close.reason}")
def test_the_range_of_a_new_code_says_what_to_do(close: CloseCode) -> None:
    if 4400 <= close.code < 4500 and close != Close.TOO_MANY:
        assert close.action in ("new_token", "stop"), "4400-4499 ends the session"
    if 4500 <= close.code < 4600:
        assert close.action in ("reconnect", "reconnect_later", "fall_back")


@pytest.mark.parametrize(
    ("close", "code", "reason"),
    [
        (Close.GOING_AWAY, 1001, "Server shutting down"),
        (Close.RATE_LIMIT, 1008, "Message rate limit exceeded"),
        (Close.HEARTBEAT, 1008, "Heartbeat timeout"),
        (Close.UNAUTHORIZED, 4001, "Authentication required"),
        (Close.FORBIDDEN, 4003, "Forbidden"),
        (Close.TOKEN_EXPIRED, 4401, "Token expired"),
        (Close.SESSION_REVOKED, 4401, "Session revoked"),
    ],
)
def test_older_clients_read_these(close: CloseCode, code: int, reason: str) -> None:
    assert (close.code, close.reason) == (code, reason)


# ── errors of the wire ──────────────────────────────────────────────────────────────────


def test_a_code_is_its_own_name_on_the_wire() -> None:
    assert all(code == code.name == str(code) for code in Code)


def test_a_wire_error_carries_what_the_frame_needs() -> None:
    error = WireError("X", "Do this instead", close=Close.RATE_LIMIT, retry_after_ms=7)
    assert (error.code, error.message, error.fields) == (
        "X",
        "Do this instead",
        {"retry_after_ms": 7},
    )
    assert error.close is Close.RATE_LIMIT
    assert str(error) == "Do this instead"
    assert WireError("X", "y").close is None, "an error leaves the connection open by default"


def test_a_denial_has_the_text_older_clients_know() -> None:
    denied = Denied()
    assert (denied.code, denied.message) == (
        "SUBSCRIPTION_DENIED",
        "You do not have access to this channel",
    )
    own = Denied("Only admins can update settings", "PERMISSION_DENIED")
    assert (own.code, own.message) == ("PERMISSION_DENIED", "Only admins can update settings")


# ── errors of the operator and of dependencies ──────────────────────────────────────────


def test_a_process_that_cannot_start_says_why_and_how_it_ended() -> None:
    assert (str(StartError("Port 3004 is taken.")), StartError("x").exit_code) == (
        "Port 3004 is taken.",
        1,
    )
    assert ConfigError("x").exit_code == 2
    assert StartError("x", 75).exit_code == 75
    assert StartError.exit_code == 1, "one error's code is not another's"


def test_a_refused_credential_tells_the_client_less_than_the_log() -> None:
    error = AuthError("Invalid session", "signature", status=400)
    assert (str(error), error.text, error.reason, error.status) == (
        "Invalid session",
        "Invalid session",
        "signature",
        400,
    )
    assert AuthError("x", "y").status == 401


def test_a_database_that_is_away_is_a_dependency_that_is_away() -> None:
    assert issubclass(StoreUnavailable, Unavailable)
    assert not issubclass(StoreUnavailable, WireError), "its text is not for clients"
