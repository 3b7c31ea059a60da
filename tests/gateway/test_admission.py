"""Counts and rates of sockets."""

from __future__ import annotations

import resource
from typing import Any

import pytest

from fastws.config import GatewayConfig
from fastws.gateway.admission import Admission, most_connections
from fastws.gateway.answers import Refused
from tests.fakes import Clock


def made(**settings: Any) -> tuple[Admission, Clock]:
    clock = Clock(100.0)
    return Admission(GatewayConfig(**settings), clock), clock


def refusal(admission: Admission, key: str | None) -> tuple[str, str]:
    with pytest.raises(Refused) as raised:
        admission.enter(key)
    assert raised.value.status == 503
    return raised.value.reason, raised.value.headers["Retry-After"]


def test_an_address_has_so_many_sockets_at_a_time() -> None:
    admission, _ = made(address_connections=2)
    leases = [admission.enter("a") for _ in range(2)]
    assert refusal(admission, "a") == ("address_count", "5")
    admission.enter("b")
    leases[0].release()
    leases[0].release()
    admission.enter("a")
    assert refusal(admission, "a")[0] == "address_count"
    assert admission.refused == {"address_count": 2}
    assert admission.accepted == 4
    assert len(admission.leases) == 3


def test_an_address_opens_so_many_a_second() -> None:
    admission, clock = made(address_rate=2, address_burst=3)
    for _ in range(3):
        admission.enter("a").release()
    assert refusal(admission, "a") == ("address_rate", "1")
    admission.enter("b")
    clock.now += 0.5
    admission.enter("a")
    assert refusal(admission, "a")[0] == "address_rate"


def test_a_storm_from_one_address_leaves_room_for_others() -> None:
    admission, _ = made(address_burst=1, worker_burst=2, worker_rate=0.1)
    admission.enter("a")
    for _ in range(100):
        assert refusal(admission, "a")[0] == "address_rate"
    admission.enter("b")
    assert refusal(admission, "c") == ("worker_rate", "10")
    assert "c" not in admission.by_address, "a refused socket counts nowhere"


def test_nobody_is_let_in_over_the_cap() -> None:
    admission, _ = made(max_connections=1)
    lease = admission.enter(None)
    assert refusal(admission, "a") == ("full", "5")
    lease.release()
    admission.enter("a")


def test_a_proxys_sockets_count_as_their_clients() -> None:
    admission, _ = made(address_connections=1)
    one, two = admission.enter(None), admission.enter(None)
    one.claim("a")
    with pytest.raises(Refused):
        two.claim("a")
    one.release()
    two.claim("a")
    two.release()
    assert admission.by_address == {}
    assert not admission.leases


def test_the_cap_follows_the_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = [(1024, 4096), (resource.RLIM_INFINITY, resource.RLIM_INFINITY), (32, 32)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits.pop(0))
    assert most_connections(GatewayConfig()) == 960
    assert most_connections(GatewayConfig()) == 1 << 20
    assert most_connections(GatewayConfig()) == 1
    assert most_connections(GatewayConfig(max_connections=7)) == 7


async def test_empty_waits_for_the_last() -> None:
    admission, _ = made()
    await admission.empty()
    lease = admission.enter("a")
    waiting = admission.empty()
    lease.release()
    await waiting
