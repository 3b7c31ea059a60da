"""PostgreSQL goes away and comes back while somebody watches its breaker."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import websockets

from fastws.errors import StoreUnavailable
from fastws.server import demo
from fastws.server.rooms import Rooms
from fastws.store.embedded import EmbeddedPostgres
from tests.server.conftest import bearer, place, receive, serving, token_of, until

Socket = websockets.ClientConnection


async def state_of(ws: Socket, service: str, state: str) -> dict[str, Any]:
    """The push that says that a service is in that state now."""
    while True:
        told = await receive(ws, "service:update")
        if (told["service"], told["status"]) == (service, state):
            return told


async def test_an_opening_is_pushed_calls_stop_and_recovery_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres = EmbeddedPostgres(tmp_path)
    async with serving(postgres.start(), market={"source": "none"}) as server:
        rooms = server.rooms
        await demo.seed(rooms.database)
        token = await token_of(server, demo.ADMIN)
        async with (
            websockets.connect(place(server, "circuit-breaker"), **bearer(token)) as ws,
            websockets.connect(place(server, "monitor"), **bearer(token)) as monitor,
        ):
            await receive(ws, "connection_established")
            postgres.stop()
            for _ in range(6):
                with pytest.raises(StoreUnavailable):
                    await rooms.database.fetchval("SELECT 1")
            told = await state_of(ws, "postgresql", "open")
            assert told["alert"]["severity"] == "critical"
            with monkeypatch.context() as patch:
                patch.setattr(rooms.database, "_acquire", None)
                with pytest.raises(StoreUnavailable, match="failed too often"):
                    await rooms.database.fetchval("SELECT 1")
            while (await receive(monitor, "SERVER_STATUS_UPDATE"))["data"]["status"] != "degraded":
                pass
            reset = {"type": "service:reset_circuit_breaker", "service": "postgresql"}
            await ws.send(json.dumps(reset))
            assert (await receive(ws, "service:circuit_breaker_reset_result"))["success"]
            again = EmbeddedPostgres(tmp_path)
            again.start()
            await state_of(ws, "postgresql", "closed")
            await recovered(rooms)
            again.stop()


async def recovered(rooms: Rooms) -> None:
    """The reset is in the audit by now, and the incident has an end."""
    async with asyncio.timeout(20):
        while True:
            await until(lambda: rooms.database.available)
            try:  # one call at a time tries whether it is back; another is refused meanwhile
                await rooms.people.catch_up()
                lines = await rooms.people.audit(10, None, None)
                break
            except StoreUnavailable:
                await asyncio.sleep(0.05)
    assert "reset_circuit_breaker" in [line["action"] for line in lines]
    await rooms.breakers.step()
    found = await rooms.breakers.incidents("postgresql", 10)
    assert found
    assert all(one.ended_at for one in found)


async def test_slow_questions_do_not_close_a_database_that_is_well(fresh_url: str) -> None:
    async with serving(fresh_url, market={"source": "none"}) as server:
        rooms = server.rooms
        service = rooms.breakers.get("postgresql")
        assert service is not None
        for _ in range(5):
            service.breaker.fail("too slow")
        assert service.breaker.state == "open"
        with pytest.raises(StoreUnavailable):
            await rooms.database.fetchval("SELECT 1")
        rooms.database._look.set()  # the watch's next look, which comes by itself in 5 s
        await until(lambda: service.breaker.state != "open")
        assert await rooms.database.fetchval("SELECT 1") == 1
        assert service.breaker.state == "closed"
