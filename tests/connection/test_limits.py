"""What a client may ask for, asked of an endpoint made up for it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from fastws.config import EndpointConfig, LimitsConfig, load
from fastws.connection import Allowances, Connection, Peer
from fastws.endpoint import Endpoint, command
from fastws.errors import Close, ConfigError, WireError
from fastws.identity import ANONYMOUS, Identity, Role
from fastws.wire import Message, Reply
from tests.fakes import ADMIN, USER, Clock, RecordingOutlet, ask, make_base, make_hub, opened

OFFICE = Peer(address="192.0.2.7")


class Counter(Endpoint):
    """Operations of every cost."""

    path = "counter"
    requires_auth = False

    @command("look", "LOOK")
    async def look(self, conn: Connection, msg: Message) -> Reply:
        """Cheap."""
        return Reply("seen")

    @command("count", "COUNT", cost=10)
    async def count(self, conn: Connection, msg: Message) -> Reply:
        """Dear."""
        return Reply("counted")

    @command("input")
    async def input(self, conn: Connection, msg: Message) -> Reply:
        """Often."""
        return Reply("taken")

    @command("rule", role=Role.ADMIN, cost=10)
    async def rule(self, conn: Connection, msg: Message) -> Reply:
        """For few."""
        return Reply("ruled")


class Desk:
    """Opens connections that share their limits."""

    def __init__(self, *, operations: dict[str, str] | None = None, **limits: Any) -> None:
        self.clock = Clock(1000.0)
        self.limits = LimitsConfig(**limits)
        self.settings = EndpointConfig(messages_per_minute=60, operations=operations or {})
        self.allowances = Allowances(self.limits, self.clock)
        self.counter = Counter(make_base(make_hub(self.clock), self.clock))

    async def client(
        self, identity: Identity = USER, peer: Peer = OFFICE
    ) -> tuple[Connection, RecordingOutlet]:
        conn, outlet, _ = await opened(
            self.counter,
            identity,
            peer=peer,
            limits=self.limits,
            settings=self.settings,
            allowances=self.allowances,
        )
        return conn, outlet


async def said(client: tuple[Connection, RecordingOutlet], type: str) -> list[Any]:
    """The types of what comes back; of an error the bucket that refuses."""
    return [
        frame["bucket"] if frame["type"] == "error" else frame["type"]
        for frame in await ask(*client, type=type)
    ]


async def left(client: tuple[Connection, RecordingOutlet], bucket: str) -> int:
    (frame,) = await ask(*client, type="limits")
    return int(frame[bucket]["remaining"])


async def test_an_operation_costs_what_it_declares_under_every_name() -> None:
    desk = Desk()
    client = await desk.client()
    await said(client, "look")
    assert await left(client, "messages") == 60 - 1 - 1
    await said(client, "COUNT")
    assert await left(client, "messages") == 58 - 10 - 1
    assert await left(client, "user") == 6000 - 14, "all buckets are charged the same"


async def test_a_refusal_names_the_bucket_and_the_time_and_charges_nothing() -> None:
    client = await Desk(user_cost=25).client()
    await said(client, "count")
    await said(client, "count")
    (error,) = await ask(*client, type="count", id=4)
    assert error["code"] == "RATE_LIMIT_EXCEEDED"
    assert (error["bucket"], error["id"]) == ("user", 4)
    assert error["retry_after_ms"] == 5 * 60_000 / 25
    assert await left(client, "user") == 5 - 1
    assert await left(client, "messages") == 60 - 22, "the refused one was not charged here either"


async def test_the_time_of_a_refusal_is_kept() -> None:
    desk = Desk()
    client = await desk.client()
    for _ in range(6):
        await said(client, "count")
    (error,) = await ask(*client, type="count")
    desk.clock.now += error["retry_after_ms"] / 1000
    assert await said(client, "count") == ["counted"]


async def test_what_may_not_be_run_or_read_or_is_unknown_is_charged_too() -> None:
    client = await Desk().client()
    await ask(*client, type="rule")
    await ask(*client, type="nonsense")
    conn, _ = client
    conn.receive(b'{"type":1}', False)
    await conn.idle()
    assert await left(client, "messages") == 60 - 10 - 1 - 1 - 1


async def test_a_user_shares_a_limit_over_his_connections_and_with_nobody_else() -> None:
    desk = Desk(user_cost=50)
    first, second, other = await desk.client(), await desk.client(), await desk.client(ADMIN)
    assert await said(first, "count") == ["counted"]
    for _ in range(3):
        assert (await said(second, "count"))[-1] == "counted"
    assert await said(first, "count") == ["limit_warning", "counted"]
    assert await said(first, "look") == ["user"]
    assert await said(second, "look") == ["user"]
    assert await said(other, "look") == ["seen"]


async def test_those_not_logged_in_share_their_address_and_users_behind_it_do_not() -> None:
    desk = Desk(address_cost=20)
    first, second = await desk.client(ANONYMOUS), await desk.client(ANONYMOUS)
    elsewhere = await desk.client(ANONYMOUS, Peer(address="192.0.2.8"))
    user = await desk.client(USER)
    await said(first, "count")
    await said(second, "count")
    assert await said(first, "look") == ["address"]
    assert await said(elsewhere, "look") == ["seen"]
    assert await said(user, "count") == ["counted"]
    (frame,) = await ask(*user, type="limits")
    assert "address" not in frame
    assert "user" in frame


async def test_neighbours_of_a_network_are_one_address() -> None:
    desk = Desk(address_cost=20)
    first = await desk.client(ANONYMOUS, Peer(address="2001:db8::1"))
    second = await desk.client(ANONYMOUS, Peer(address="2001:db8::2:1"))
    await said(first, "count")
    await said(first, "count")
    assert await said(second, "look") == ["address"]


async def test_an_office_behind_one_address_is_not_cut_off() -> None:
    """As many clients as may connect, each at its own limit, fit into the default."""
    desk = Desk()
    per_client = desk.settings.messages_per_minute
    for _ in range(200):
        conn, outlet = await desk.client(ANONYMOUS)
        for _ in range(per_client):
            conn.charge("look")
        assert [frame["bucket"] for frame in outlet.take()] == ["messages"], "only its own warning"


async def test_an_operation_may_have_a_limit_of_its_own_for_each_user() -> None:
    desk = Desk(operations={"input": "60/s", "count": "2/min"})
    first, second = await desk.client(), await desk.client()
    for _ in range(60):
        first[0].charge("input")
    assert await said(second, "input") == ["input"], "the same user from another connection"
    assert await left(first, "messages") == 60 - 1, "it does not count among the others"
    desk.clock.now += 0.5
    assert await left(second, "input") == 30
    assert await said(second, "input") == ["taken"]
    assert await said(second, "count") == ["limit_warning", "counted"]
    assert await said(first, "COUNT") == ["count"], "whatever it is called"


async def test_without_a_login_an_operation_is_limited_by_connection() -> None:
    desk = Desk(operations={"input": "5/s"})
    first, second = await desk.client(ANONYMOUS), await desk.client(ANONYMOUS)
    for _ in range(5):
        await said(first, "input")
    assert await said(first, "input") == ["input"]
    assert await said(second, "input") == ["taken"]
    assert await left(second, "input") == 4


async def test_limits_lists_every_bucket() -> None:
    desk = Desk(operations={"input": "60/s"})
    client = await desk.client()
    await said(client, "count")
    (frame,) = await ask(*client, type="limits")
    assert frame["messages"] == {"limit": 60, "remaining": 49, "reset_ms": 11_000}
    assert frame["user"] == {"limit": 6000, "remaining": 5989, "reset_ms": 110}
    assert frame["input"] == {"limit": 60, "remaining": 60, "reset_ms": 0}
    assert set(frame) == {
        "type", "timestamp", "messages", "user", "input", "channels", "symbols",
    }  # fmt: skip


async def test_each_bucket_warns_once_at_four_fifths_until_it_recovers() -> None:
    desk = Desk(operations={"input": "10/s"})
    conn, outlet = await desk.client()
    for _ in range(10):
        conn.charge("input")
    (warning,) = outlet.take()
    assert (warning["type"], warning["bucket"]) == ("limit_warning", "input")
    assert (warning["limit"], warning["remaining"], warning["reset_ms"]) == (10, 2, 800)
    for _ in range(60):
        conn.charge("look")
    assert [frame["bucket"] for frame in outlet.take()] == ["messages"]
    desk.clock.now += 1.0
    for _ in range(10):
        conn.charge("input")
    assert [frame["bucket"] for frame in outlet.take()] == ["input"], "it had recovered"


async def test_who_goes_on_after_refusals_is_closed() -> None:
    desk = Desk(violations=3)
    conn, _ = await desk.client()
    for _ in range(60):
        conn.charge()
    ends = []
    for _ in range(4):
        with pytest.raises(WireError) as refusal:
            conn.charge()
        ends.append(refusal.value.close)
    assert ends == [None, None, None, Close.RATE_LIMIT]
    assert conn.stats.rejections == {("counter", "messages"): 4}
    assert conn.limiter_hits == 4


async def test_many_users_do_not_fill_the_memory() -> None:
    desk = Desk()
    for number in range(70_000):
        identity = msgspec.structs.replace(USER, wallet=f"w{number}")
        allowance = desk.allowances.of("counter", desk.settings, identity, "")
        allowance.charge()
        desk.clock.now += 0.001
    assert len(desk.allowances._users) <= 65_536


def test_limits_of_operations_are_read_and_checked() -> None:
    environ = {
        "FASTWS_ENVIRONMENT": "test",
        "FASTWS_ENDPOINTS_TOKEN_DATA_OPERATIONS": "get_token=5/s, get_all_tokens = 10/min",
    }
    found = load(environ=environ).endpoints.token_data.operations
    assert found == {"get_token": "5/s", "get_all_tokens": "10/min"}
    for wrong in ("5", "0/s", "5/day", "-1/s", "1.5/s"):
        environ["FASTWS_ENDPOINTS_TOKEN_DATA_OPERATIONS"] = f"get_token={wrong}"
        with pytest.raises(ConfigError, match=r"endpoints\.token_data\.operations"):
            load(environ=environ)
