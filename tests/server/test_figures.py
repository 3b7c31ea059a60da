"""/metrics of a whole server: every figure operators were promised, with what it counts."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import aiohttp
import pytest
import websockets
from prometheus_client.parser import text_string_to_metric_families

from fastws.server import Server
from tests.server.conftest import PATIENCE, until

PROMISED = [
    "fastws_connections", "fastws_subscriptions", "fastws_channels", "fastws_messages_received",
    "fastws_messages_sent", "fastws_received_bytes", "fastws_sent_bytes", "fastws_command_seconds",
    "fastws_limiter_rejections", "fastws_closes", "fastws_pending_bytes", "fastws_skipped",
    "fastws_postponed",
    "fastws_publish_to_write_seconds", "fastws_loop_lag_seconds", "fastws_auth_results",
    "fastws_gateway_refused", "fastws_log_lines_lost", "fastws_connection_rows_dropped",
    "fastws_feed_updates", "fastws_feed_status", "fastws_feed_problems", "fastws_task_failures",
    "fastws_http_answers", "fastws_database_available", "process_resident_memory_bytes",
    "fastws_deflate_compressions", "fastws_deflate_frames", "fastws_deflate_saved_bytes",
]  # fmt: skip

Samples = dict[str, dict[frozenset[tuple[str, str]], float]]


async def read(http: aiohttp.ClientSession, server: Server) -> tuple[set[str], Samples]:
    async with http.get(server.url + "/metrics") as answer:
        text = await answer.text()
    names, samples = set(), {}
    for family in text_string_to_metric_families(text):
        names.add(family.name)
        for sample in family.samples:
            labels = frozenset(sample.labels.items())
            samples.setdefault(sample.name, {})[labels] = sample.value
    return names, samples


def of(samples: Samples, name: str, **labels: str) -> float:
    """The sum of the samples that carry these labels."""
    found = samples.get(name, {})
    return sum(value for key, value in found.items() if set(labels.items()) <= key)


async def test_nothing_that_was_promised_is_missing(
    server: Server, http: aiohttp.ClientSession
) -> None:
    names, _ = await read(http, server)
    assert not set(PROMISED) - names


async def test_what_the_guide_tells_operators_to_watch_is_there(
    server: Server, http: aiohttp.ClientSession
) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    told = dict(re.findall(r"`(fastws_\w+)(?:\{([\w,]+)\})?`", guide))
    assert len(told) > 10
    async with websockets.connect(f"ws://127.0.0.1:{server.port}/api/v69/ws/token-data") as ws:
        async with asyncio.timeout(PATIENCE):
            await ws.recv()
        families, samples = await read(http, server)
    for name, labels in told.items():
        assert name.removesuffix("_total") in families, name
        wanted = set(labels.split(",")) - {""}
        for key in samples.get(name, {}):
            assert {label for label, _ in key} == wanted, name
    assert samples["fastws_connections"]
    assert samples["fastws_feed_status"]


async def test_they_count_what_happens(server: Server, http: aiohttp.ClientSession) -> None:
    place = f"ws://127.0.0.1:{server.port}/api/v69/ws"
    bad = {"Authorization": "Bearer a.b.c"}
    with pytest.raises(websockets.InvalidStatus):
        await websockets.connect(f"{place}/nowhere")
    async with websockets.connect(f"{place}/monitor", additional_headers=bad) as ws:
        await ws.wait_closed()
    async with websockets.connect(f"{place}/token-data") as ws:
        async with asyncio.timeout(PATIENCE):
            for type_ in ("connection_established", "token_data"):
                if type_ == "token_data":
                    await ws.send('{"type":"get_token","symbol":"SOL"}')
                while json.loads(await ws.recv())["type"] != type_:
                    pass
        await until(lambda: server.rooms.stats.publish_to_write.count)
        await until(lambda: server.rooms.stats.loop_lag.count)
        _, samples = await read(http, server)
    token_data = {"endpoint": "token-data"}
    assert of(samples, "fastws_connections", **token_data) == 1
    assert of(samples, "fastws_subscriptions") == 2
    assert of(samples, "fastws_channel_subscriptions", kind="table") == 2
    assert of(samples, "fastws_messages_received_total", **token_data) == 1
    assert of(samples, "fastws_messages_sent_total", **token_data) >= 5
    assert of(samples, "fastws_sent_bytes_total", **token_data) > 1000
    assert of(samples, "fastws_command_seconds_count", command="get_token") == 1
    assert of(samples, "fastws_closes_total", endpoint="monitor", code="4001") == 1
    assert of(samples, "fastws_auth_results_total", source="header") == 1
    assert of(samples, "fastws_auth_results_total", source="header", outcome="ok") == 0
    assert of(samples, "fastws_gateway_refused_total", reason="not_found") == 1
    assert of(samples, "fastws_publish_to_write_seconds_count") >= 1
    assert of(samples, "fastws_loop_lag_seconds_count") >= 1
    assert of(samples, "fastws_feed_status", source="simulated", status="live") == 1
    assert of(samples, "fastws_feed_updates_total") > 0
    assert of(samples, "fastws_database_available") == 1


async def test_a_failing_task_is_counted_by_name(
    server: Server, http: aiohttp.ClientSession
) -> None:
    server._tasks.failures["market"] += 2
    _, samples = await read(http, server)
    assert of(samples, "fastws_task_failures_total", task="market") == 2
