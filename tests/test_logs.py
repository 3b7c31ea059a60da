"""Log lines: no secret in any shape, a budget per event, colour by role."""

from __future__ import annotations

import io
import json
import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from fastws.config import LogConfig
from fastws.identity import Credential
from fastws.logs import Budget, ConsoleRenderer, configure, redact

CONFIGURED = "a configured/secret & more "
CANARY = "eyJhbGciOiJIUzI1NiJ9.eyJjYW5hcnkiOjF9.c2lnbmF0dXJlLWNhbmFyeQ"
SIGNATURE = "c2lnbmF0dXJlLWNhbmFyeQ"


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    handlers, level = logging.root.handlers[:], logging.root.level
    stream = io.StringIO()
    secrets = ["short", CONFIGURED + SIGNATURE]
    configure(LogConfig(format="json", level="debug"), stream, secrets=secrets)
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
    {"a_key": {CANARY: 1}},
    {"struct": Credential("header", SIGNATURE)},
    {"encoded": f"/login?next=%2Fws%3Ftoken%3D{SIGNATURE}"},
    {"quoted": f"AuthConfig(jwt_secret='{SIGNATURE}', origins=[])"},
    {"escaped": json.dumps(json.dumps({"token": SIGNATURE}))},
    {"signed": json.dumps({"signature": [SIGNATURE, 1]})},
    {"cookie_header": f"Cookie: session={SIGNATURE}; theme=dark"},
    {"basic": f"Basic {SIGNATURE}"},
    {"dsn": f"postgresql://:{SIGNATURE}@host/db"},
    {"across_the_cut": "x" * 3990 + CANARY},
    {"configured": f"said {CONFIGURED}{SIGNATURE} aloud"},
    {"glued": f"\udcff{CANARY}"},
]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: next(iter(shape)))
def test_a_canary_never_appears(out: io.StringIO, shape: dict[str, Any]) -> None:
    structlog.get_logger().info(f"canary.test {CANARY}", **shape)
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


def test_an_event_has_a_budget_at_each_level_and_errors_have_one_too() -> None:
    now = [0.0]
    reports: list[dict[str, int]] = []
    budget = Budget(3, lambda: now[0], reports.append)

    def passes(name: str = "flood", method: str = "info") -> bool:
        try:
            budget(None, method, {"event": name})
        except structlog.DropEvent:
            return False
        return True

    assert [passes() for _ in range(5)] == [True, True, True, False, False]
    assert [passes(method="error") for _ in range(5)] == [True, True, True, False, False]
    assert passes("other")
    now[0] = 59.9
    assert not passes()
    assert reports == []
    now[0] = 60.1
    assert passes("other"), "any line of the next minute reports what the last one held back"
    assert reports == [{"flood": 5}]
    now[0] = 120
    assert passes()
    assert len(reports) == 1


def test_a_flood_of_errors_is_cut_short_and_summed_up(out: io.StringIO) -> None:
    now = [0.0]
    configure(LogConfig(format="json", lines_per_minute=2), out, clock=lambda: now[0])
    log = structlog.get_logger()
    for _ in range(50):
        try:
            raise RuntimeError("again")
        except RuntimeError:
            log.exception("hub.push_failed")
        logging.getLogger("asyncio").error("again")
    now[0] = 61
    log.info("next")
    written = lines(out)
    assert [line["event"] for line in written[:4]] == ["hub.push_failed", "library.asyncio"] * 2
    assert written[4]["event"] == "log.suppressed"
    assert written[4]["lines"] == {"hub.push_failed": 48, "library.asyncio": 48}
    assert written[5]["event"] == "next"


class Hostile:
    def __str__(self) -> str:
        raise RuntimeError("no text for you")


@pytest.mark.parametrize(
    "value",
    [2**70, float("nan"), "\udc80 lone", b"\xff\xfe", Hostile(), {1: {2: 3}}, {None: object()}],
    ids=lambda value: type(value).__name__,
)
def test_writing_a_line_never_raises(out: io.StringIO, value: object) -> None:
    structlog.get_logger().info("odd", value=value)
    record = logging.LogRecord("library", logging.ERROR, "", 1, "%d", ("no number",), None)
    logging.root.handlers[0].handle(record)
    assert [line["event"] for line in lines(out)] == ["odd", "library.library"]


def test_a_closed_pipe_does_not_stop_the_server(out: io.StringIO) -> None:
    out.close()
    structlog.get_logger().info("nobody.reads")
    logging.getLogger("library").error("nobody reads")


def test_lines_that_nobody_will_read_are_counted_by_reason(out: io.StringIO) -> None:
    lost = configure(LogConfig(format="json", lines_per_minute=2), out, clock=lambda: 0.0)
    for _ in range(5):
        structlog.get_logger().info("much")
    assert lost() == {("budget",): 3, ("unwritable",): 0}
    out.close()
    structlog.get_logger().info("else")
    assert lost() == {("budget",): 3, ("unwritable",): 1}


def test_a_hostile_text_is_cleaned_in_linear_time() -> None:
    begun = time.process_time()
    for text in (
        "eyJ" * 2700,
        "-eyJaaaaa" * 900,
        '"token' * 1300,
        "bearer " * 1100,
        "://a:" * 1600,
    ):
        redact(text)
    assert time.process_time() - begun < 0.5


def test_a_long_traceback_keeps_its_end(out: io.StringIO) -> None:
    def dig(depth: int) -> None:
        if depth == 0:
            raise RuntimeError(f"at the bottom {CANARY}")
        if depth % 2:  # two lines, lest Python folds equal frames itself
            dig(depth - 1)
        dig(depth - 1)

    try:
        dig(200)
    except RuntimeError:
        structlog.get_logger().exception("deep")
    text = lines(out)[0]["exception"]
    assert text.splitlines()[-1].startswith("RuntimeError: at the bottom")
    assert len(text.splitlines()) <= 61
    assert SIGNATURE not in text


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("format_", "terminal", "production", "no_colour", "starts"),
    [
        ("auto", True, False, "", "colour"),
        ("auto", True, False, "1", "plain"),
        ("auto", True, True, "", "json"),
        ("auto", False, False, "", "json"),
        ("console", False, True, "", "plain"),
        ("json", True, False, "", "json"),
    ],
)
def test_who_reads_decides_the_format(
    format_: Any,
    terminal: bool,
    production: bool,
    no_colour: str,
    starts: str,
    out: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_COLOR", no_colour)
    stream = Terminal() if terminal else io.StringIO()
    configure(LogConfig(format=format_), stream, production=production)
    structlog.get_logger().info("ws.connected", wallet="W", role="user", prefix="ws.monitor")
    text = stream.getvalue()
    assert text.startswith("{") == (starts == "json")
    assert ("\x1b[" in text) == (starts == "colour")
    assert "ws.monitor" in text


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
    assert "\x1b[42;30mws.connected" in line


def test_control_characters_cannot_forge_a_line() -> None:
    evil = "a\nFORGED\x1b[2J\x9b1m\u202e"
    event = {"event": evil, "text": evil, "wallet": evil, "prefix": evil, "exception": evil}
    line = ConsoleRenderer(colour=False)(None, "info", event)
    first, *trace = line.split("\n")
    assert first.isprintable()
    assert all(row.isprintable() for row in trace)


def test_an_event_may_name_its_colour() -> None:
    event = {"event": "breaker.changed", "level": "info", "colour": "red", "state": "open"}
    line = ConsoleRenderer(colour=True)(None, "info", dict(event))
    assert "\x1b[41mbreaker.changed\x1b[0m" in line
    assert "colour" not in line
    assert "\x1b" not in ConsoleRenderer(colour=False)(None, "info", dict(event))
