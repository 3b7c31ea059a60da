"""Offers of permessage-deflate, taken or declined (RFC 7692 section 7.1)."""

from __future__ import annotations

import pytest

from fastws.gateway.extensions import ANSWER, negotiate
from fastws.gateway.head import entries, parse
from tests.gateway.edge import handshake

BITS_15 = ANSWER + "; server_max_window_bits=15"


def answered(*lines: str) -> str | None:
    made = [f"Sec-WebSocket-Extensions: {line}" for line in lines]
    return negotiate(entries(parse(handshake("/x", *made)[:-4]), "Sec-WebSocket-Extensions"))


@pytest.mark.parametrize(
    "offer",
    [
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits",  # Chromium, websockets
        "permessage-deflate; client_max_window_bits=8",
        'permessage-deflate ;\tclient_max_window_bits = "12"',
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        "x-unknown; a=b, permessage-deflate",
        ", permessage-deflate,",
    ],
)
def test_an_offer_is_taken(offer: str) -> None:
    assert answered(offer) == ANSWER


def test_a_full_window_is_said_back_where_it_was_asked_for() -> None:
    assert answered("permessage-deflate; server_max_window_bits=15") == BITS_15
    assert answered('permessage-deflate; server_max_window_bits="15"') == BITS_15


@pytest.mark.parametrize(
    "offer",
    [
        "",
        "permessage-bzip2",
        "Permessage-Deflate",
        "permessage-deflate; mode=fast",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_no_context_takeover=",
        "permessage-deflate; client_max_window_bits; client_max_window_bits",
        "permessage-deflate; client_max_window_bits=16",
        "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; client_max_window_bits=09",
        "permessage-deflate; client_max_window_bits=+9",
        "permessage-deflate; client_max_window_bits=",
        'permessage-deflate; client_max_window_bits="9',
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=14",
        "permessage-deflate; server_max_window_bits=8",
        "permessage-deflate;",
        "permessage-deflate; a b",
        "permessage-deflate client_max_window_bits",
    ],
)
def test_an_offer_is_declined(offer: str) -> None:
    assert answered(offer) is None


def test_the_first_offer_that_can_be_taken_counts_over_all_lines() -> None:
    small = "permessage-deflate; server_max_window_bits=10"
    assert answered(f"{small}, permessage-deflate") == ANSWER
    assert answered(small, "permessage-deflate; server_max_window_bits=15") == BITS_15
    assert answered(small, small) is None
