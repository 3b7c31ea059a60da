"""Log lines: no secret in any shape, a budget per event, colour by role."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from fastws.config import LogConfig
from fastws.logs import Budget, ConsoleRenderer, configure, redact

CANARY = "eyJhbGciOiJIUzI1NiJ9.eyJjYW5hcnkiOjF9.c2lnbmF0dXJlLWNhbmFyeQ"
SIGNATURE = "c2lnbmF0dXJlLWNhbmFyeQ"


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    handlers, level = logging.root.handlers[:], logging.root.level
    stream = io.StringIO()
    configure(LogConfig(format="json", level="debug"), stream)
    yield stream
    structlog.reset_defaults()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


SHAPES: list[dict[str, Any]] = [
    {"token": CANARY},
    {"authorization": f"Bearer {CANARY}"},
    {"header": f"Bearer {CANARY}"},
    {"url": f"/api/v69/ws/monitor?token={CANARY}&channel=x"},
    {"path": f"/x&token={CANARY}"},
    {"cookies": {"session": CANARY}},
    {"nested": {"a": [{"b": {"token": CANARY}}]}},
    {"text": f"prefix {CANARY} suffix"},
    {"raw": CANARY.encode()},
    {"view": memoryview(CANARY.encode())},
    {"many": [CANARY, CANARY]},
    {"pair": (CANARY,)},
    {"a_set": {CANARY}},
    {"error": ValueError(CANARY)},
    {"protocols": f"{CANARY}, v69"},
    {"json": json.dumps({"token": CANARY})},
    {"dev_secret": SIGNATURE},
    {"service_key": SIGNATURE},
    {"signature": SIGNATURE},
    {"query": f"secret={SIGNATURE}"},
    {"deep": {"a": {"b": {"c": {"d": {"e": {"f": {"g": CANARY}}}}}}}},
]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: next(iter(shape)))
def test_a_canary_never_appears(out: io.StringIO, shape: dict[str, Any]) -> None:
    structlog.get_logger().info("canary.test", **shape)
    logging.getLogger("library").warning("shape %s", shape)
    assert len(lines(out)) == 2
    assert SIGNATURE not in out.getvalue()


def test_a_canary_in_a_traceback_is_hidden(out: io.StringIO) -> None:
    try:
        raise RuntimeError(f"bad token={CANARY}")
    except RuntimeError:
        structlog.get_logger().exception("canary.failed")
    assert SIGNATURE not in out.getvalue()
    assert "RuntimeError" in lines(out)[0]["exception"]


def test_what_is_no_secret_stays() -> None:
    assert redact({"tokens": 3, "price": 1.5, "wallet": "W"}) == {
        "tokens": 3,
        "price": 1.5,
        "wallet": "W",
    }
    assert redact("postgresql://me:pass@host/db") == "postgresql://me:[redacted]@host/db"


def test_an_event_has_a_budget_and_says_what_it_held() -> None:
    now = [0.0]
    budget = Budget(3, lambda: now[0])

    def passes(method: str = "info") -> dict[str, Any] | None:
        try:
            return dict(budget(None, method, {"event": "flood"}))
        except structlog.DropEvent:
            return None

    assert [passes() is not None for _ in range(5)] == [True, True, True, False, False]
    assert passes("error") is not None, "errors have no budget"
    now[0] = 61
    line = passes()
    assert line is not None
    assert line["suppressed_before"] == 2
    assert "suppressed_before" not in (passes() or {})


def test_libraries_speak_through_the_same_pipe(out: io.StringIO) -> None:
    logging.getLogger("aiohttp.server").error("boom")
    (line,) = lines(out)
    assert line["event"] == "library.aiohttp.server"
    assert line["level"] == "error"


@pytest.mark.parametrize(
    ("role", "colour"), [("admin", "\x1b[31m"), ("user", "\x1b[35m"), (None, "\x1b[37m")]
)
def test_people_are_coloured_by_role(role: str | None, colour: str) -> None:
    event = {"event": "ws.connected", "wallet": "W", "role": role, "level": "info"}
    line = ConsoleRenderer(colour=True)(None, "info", event)
    assert f"{colour}W" in line
    assert "\x1b[44mws.connected" in line


def test_control_characters_cannot_forge_a_line() -> None:
    event = {"event": "x", "text": "a\nFORGED\x1b[2J", "level": "info"}
    line = ConsoleRenderer(colour=False)(None, "info", event)
    assert "\n" not in line
