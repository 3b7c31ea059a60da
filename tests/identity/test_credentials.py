"""Where a credential is found, what is echoed, and that its token is shown to nobody."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastws.identity import (
    ANONYMOUS,
    Credential,
    Identity,
    Role,
    choose_subprotocol,
    find_credential,
)

PLACES = ("header", "subprotocol", "cookie", "query")


def find(
    authorization: str | None = None,
    subprotocols: tuple[str, ...] = (),
    cookie: str | None = None,
    query: str | None = None,
) -> Credential | None:
    return find_credential(
        authorization=authorization,
        subprotocols=subprotocols,
        cookies={} if cookie is None else {"session": cookie, "other": "x"},
        query_token=query,
    )


@pytest.mark.parametrize("present", list(product([False, True], repeat=4)))
def test_the_first_source_wins(present: tuple[bool, ...]) -> None:
    header, subprotocol, cookie, query = present
    found = find(
        "Bearer h.h.h" if header else None,
        ("v69", "s.s.s") if subprotocol else ("v69",),
        "c.c.c" if cookie else None,
        "q.q.q" if query else None,
    )
    expected = next((place for place, there in zip(PLACES, present, strict=True) if there), None)
    assert (found.source if found else None) == expected
    if found:
        assert found.token == f"{expected[0]}.{expected[0]}.{expected[0]}"


@pytest.mark.parametrize("bad", ["Bearer", "Bearer ", "bearer  \t", "Bearer rubbish"])
def test_a_bad_bearer_does_not_fall_through(bad: str) -> None:
    found = find(bad, ("a.b.c",), "c.c.c", "q.q.q")
    assert found is not None
    assert found == ("header", bad[6:].strip())


@pytest.mark.parametrize("other", ["", "Basic dXNlcjpwYXNz", "Negotiate x", "Bearerx y", "token"])
def test_another_scheme_is_not_our_credential(other: str) -> None:
    assert find(other, query="q.q.q") == ("query", "q.q.q")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_is_read_in_any_case(scheme: str) -> None:
    assert find(f"{scheme}  a.b.c ") == ("header", "a.b.c")


def test_empty_values_are_absent() -> None:
    assert find("", (), "", "") is None
    assert find(None, ("",), None, None) is None


def test_of_several_tokens_the_first_is_taken() -> None:
    assert find(subprotocols=("v69", "a.a.a", "b.b.b")) == ("subprotocol", "a.a.a")


@pytest.mark.parametrize(
    ("offered", "echoed"),
    [
        ((), None),
        (("v69",), "v69"),
        (("a.b.c",), "a.b.c"),
        (("a.b.c", "v69"), "v69"),
        (("v69", "a.b.c"), "v69"),
        (("a.b.c", "v69", "json"), "v69"),
        (("a.b.c", "d.e.f"), "a.b.c"),
        (("v1.2", "a.b.c"), "v1.2"),
        (("json", "v69"), "json"),
    ],
)
def test_what_is_echoed(offered: tuple[str, ...], echoed: str | None) -> None:
    assert choose_subprotocol(offered) == echoed


@given(st.lists(st.sampled_from(["v69", "json", "a.b.c", "d.e.f", "x.y"]), max_size=5))
def test_a_browser_always_gets_one_of_its_offers_and_no_token_needlessly(
    offered: list[str],
) -> None:
    echoed = choose_subprotocol(offered)
    assert (echoed is None) == (not offered)
    assert echoed is None or echoed in offered
    if any(entry.count(".") != 2 for entry in offered):
        assert echoed is not None
        assert echoed.count(".") != 2


def test_a_credential_does_not_show_its_token() -> None:
    credential = Credential("query", "canary.canary.canary")
    assert "canary" not in repr(credential) + str(credential) + f"{credential}"


def test_roles_are_ranked() -> None:
    assert Role.USER.level < Role.ADMIN.level < Role.SUPERADMIN.level
    assert [role.is_admin for role in Role] == [False, True, True]
    assert not ANONYMOUS.authenticated
    assert Identity(wallet="w", role=Role.USER).authenticated
