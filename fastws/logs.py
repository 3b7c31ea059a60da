"""Log lines: one event name each, JSON for machines, colour for people, secrets for nobody.

Everything that writes (our own loggers and the libraries' through `logging`) passes the same
processors: a budget per event name and level, redaction, the renderer. Writing a line never
raises. Knows no other room but the configuration.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, MutableMapping
from functools import lru_cache
from itertools import islice
from typing import Any, Final, TextIO

import orjson
import structlog

from fastws.config import LogConfig

__all__ = ["Budget", "ConsoleRenderer", "Redactor", "configure", "printable", "redact"]

Event = MutableMapping[str, Any]

HIDDEN: Final = "[redacted]"
LONGEST: Final = 4000
"""Characters of the longest string in a line."""

MOST_ITEMS: Final = 200
"""Items of the longest list in a line."""

_MARGIN: Final = 4096
"""Characters looked at beyond it, so that a secret across the cut is seen whole."""

SHORTEST_SECRET: Final = 8
"""Characters below which a configured secret is not looked for: it would hit words."""

_SECRET_NAMES = re.compile(
    r"token|secret|password|authorization|cookie|signature|service.?key|api.?key|jwt|session$",
    re.I,
)
_SAFE_NAMES: Final = frozenset({"tokens", "session_id", "token_count", "accept_legacy_tokens"})

_WORD: Final = re.compile(r"[\w.-]+")
"""A run in which a JWT would stand. Every match consumes its run: linear, whatever is logged."""

_ID: Final = re.compile(r"[\w.-]*", re.A)
"""What ids, names and numbers are made of: nothing below fits, which saves the looking."""

_NAMED = r"(?:token|secret|password|session|cookie|jwt|signature|key)"
_SECRETS: Final = tuple(
    (marks, re.compile(pattern, re.I))
    for marks, pattern in (
        ((" ", "\t"), r"\b(bearer\s+|basic\s+)[^\s\"',;]+"),
        (("=", "%3D", "%3d"), rf"({_NAMED}(?:=|%3D)[\"']?)[^&\s\"';,)]+"),
        (
            ('"', "'"),
            rf"(\\*[\"'][\w-]*{_NAMED}\\*[\"']\s*:\s*)(?:\\*[\"'][^\"']*|\[[^\]]*)",
        ),
        (("://",), r"(://[^:/@\s]*:)[^@/\s]+(?=@)"),
    )
)
"""What must be in a text for a pattern to fit (most texts are ids and have none), pattern."""


def _hide_jwt(match: re.Match[str]) -> str:
    run = match[0]
    at = run.find("eyJ")
    if at < 0 or "." not in run[at + 8 :]:
        return run
    return run[:at] + HIDDEN


class Redactor:
    """Takes out whatever looks like a credential, and the given ``secrets`` wherever they are."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = sorted({x for x in secrets if len(x) >= SHORTEST_SECRET}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, logger: object, method: str, event: Event) -> Event:
        """A structlog processor."""
        for name, value in event.items():
            if name == "exception":
                event[name] = self._trace(str(value))
            elif name != "exc_info":
                event[name] = HIDDEN if _hides(name) else self.redact(value)
        return event

    def redact(self, value: Any, depth: int = 6) -> Any:
        """``value`` without secrets at any depth, made of what JSON has."""
        if isinstance(value, str):
            return self._clean(value)
        if value is None or isinstance(value, bool | float):
            return value
        if isinstance(value, int):
            return value if abs(value) < 2**63 else str(value)[:LONGEST]
        if isinstance(value, bytes | bytearray | memoryview):
            return self._clean(bytes(value[: LONGEST + _MARGIN]).decode("utf-8", "replace"))
        if isinstance(value, tuple) and hasattr(value, "_asdict"):  # a NamedTuple has names
            value = value._asdict()
        if depth and isinstance(value, dict):
            return {
                self._clean(_text(k)): HIDDEN if _hides(_text(k)) else self.redact(v, depth - 1)
                for k, v in islice(value.items(), MOST_ITEMS)
            }
        if depth and isinstance(value, list | tuple | set | frozenset):
            return [self.redact(item, depth - 1) for item in islice(value, MOST_ITEMS)]
        return self._clean(_text(value))

    def _clean(self, text: str) -> str:
        text = text[: LONGEST + _MARGIN]
        if not text.isascii():  # a header may hold lone surrogates, which JSON has not
            text = text.encode("utf-8", "replace").decode()
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        if "eyJ" not in text:
            if _ID.fullmatch(text):
                return text[:LONGEST]
        else:
            text = _WORD.sub(_hide_jwt, text)
        for marks, pattern in _SECRETS:
            if any(mark in text for mark in marks):
                text = pattern.sub(rf"\g<1>{HIDDEN}", text)
        return text if len(text) <= LONGEST else text[:LONGEST] + "…"

    def _trace(self, text: str) -> str:
        """A traceback line by line; of a long one its head and its end, which says why."""
        lines = [self._clean(line) for line in text.splitlines()]
        if len(lines) > 60:
            lines[20:-40] = [f"  … {len(lines) - 60} lines …"]
        return "\n".join(lines)


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception as error:  # noqa: BLE001 - a line must be written whatever is in it
        return f"<{type(value).__name__}: {type(error).__name__}>"


@lru_cache(1024)
def _hides(name: str) -> bool:
    return name not in _SAFE_NAMES and _SECRET_NAMES.search(name) is not None


def redact(value: Any) -> Any:
    """``value`` without anything that looks like a credential, at any depth."""
    return Redactor().redact(value)


class Budget:
    """At most ``lines`` a minute of one event name at one level, errors included.

    When a minute is over, ``report`` gets what was held back in it: ``{event: lines}``.
    """

    def __init__(
        self,
        lines: int,
        clock: Callable[[], float] = time.monotonic,
        report: Callable[[dict[str, int]], None] | None = None,
    ) -> None:
        self._lines = lines
        self._clock = clock
        self._minute = -1
        self._used: dict[tuple[str, str], int] = {}
        self.report = report
        self.held = 0
        """Lines held back since the start."""

    def __call__(self, logger: object, method: str, event: Event) -> Event:
        """A structlog processor; raises `structlog.DropEvent` when the budget is spent."""
        minute = int(self._clock() // 60)
        if minute != self._minute:
            self._minute = minute
            self._turn()
        key = (str(event.get("event", ""))[:80], method)
        used = self._used[key] = self._used.get(key, 0) + 1
        if used > self._lines:
            self.held += 1
            raise structlog.DropEvent
        return event

    def _turn(self) -> None:
        held: dict[str, int] = {}
        for (name, _), used in self._used.items():
            if used > self._lines:
                held[name] = held.get(name, 0) + used - self._lines
        self._used.clear()
        if held and self.report is not None:
            self.report(held)


_ROLES: Final = {"admin": "\x1b[31m", "superadmin": "\x1b[1;31m", "user": "\x1b[35m"}
_ANONYMOUS: Final = "\x1b[37m"
_GROUNDS: Final = {
    "ws.connected": "\x1b[42;30m", "ws.disconnected": "\x1b[100m", "ws": "\x1b[44m",
    "auth.failed": "\x1b[41m", "auth": "\x1b[45m",
    "server": "\x1b[42;30m", "database": "\x1b[46;30m", "log": "\x1b[41m",
    "market": "\x1b[43;30m", "feed": "\x1b[43;30m", "platform": "\x1b[43;30m",
    "replay": "\x1b[43;30m", "publish": "\x1b[44m", "hub": "\x1b[44m", "stream": "\x1b[44m",
    "contest": "\x1b[45m", "chat": "\x1b[45m",
    "endpoint": "\x1b[44m", "http": "\x1b[104;30m", "library": "\x1b[100m",
}  # fmt: skip
"""Background by event, the whole name or else its first word."""
_COLOURS: Final = {"green": "\x1b[42;30m", "yellow": "\x1b[43;30m", "red": "\x1b[41m"}
"""Ground of an event that names its colour: the change of a circuit breaker."""
_LEVELS: Final = {"warning": "\x1b[33m", "error": "\x1b[1;31m", "critical": "\x1b[1;31m"}
_RESET: Final = "\x1b[0m"


class ConsoleRenderer:
    """A line for people: time, event on its ground, who in the colour of the role, the rest."""

    def __init__(self, colour: bool) -> None:
        self._colour = colour

    def __call__(self, logger: object, method: str, event: Event) -> str:
        """Render one event."""
        name = str(event.pop("event", ""))
        level = str(event.pop("level", method))
        moment = str(event.pop("timestamp", ""))[11:23]
        trace = event.pop("exception", None)
        parts = [moment, self._paint(_LEVELS.get(level, ""), f"{level:7}")]
        prefix = event.pop("prefix", None)
        if prefix:
            parts.append(f"[{printable(prefix)}]")
        ground = _GROUNDS.get(name) or _GROUNDS.get(name.partition(".")[0], "")
        ground = _COLOURS.get(str(event.pop("colour", "")), ground)
        parts.append(self._paint(ground, name))
        if "wallet" in event or "role" in event:
            wallet, role = event.pop("wallet", None), event.pop("role", None)
            who = f"{wallet or 'anonymous'}{f' ({role})' if role else ''}"
            parts.append(self._paint(_ROLES.get(str(role), _ANONYMOUS), who))
        parts += [f"{key}={printable(value)}" for key, value in event.items() if value is not None]
        line = " ".join(part for part in parts if part)
        return "\n".join([line, *map(printable, str(trace).splitlines())]) if trace else line

    def _paint(self, colour: str, text: str) -> str:
        text = printable(text)
        return f"{colour}{text}{_RESET}" if colour and self._colour else text


def printable(value: object) -> str:
    """Text without control characters, which could forge a line or command a terminal."""
    text = str(value)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _render_json(logger: object, method: str, event: Event) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


class _Writer:
    """Writes lines to a stream; one that cannot be written (a closed pipe) is counted."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.lost = 0

    def msg(self, line: str) -> None:
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            self.lost += 1

    debug = info = warning = error = critical = msg


def configure(
    config: LogConfig,
    stream: TextIO | None = None,
    *,
    production: bool = False,
    secrets: Iterable[str] = (),
    clock: Callable[[], float] = time.monotonic,
) -> Callable[[], dict[tuple[str], int]]:
    """Send everything to ``stream`` (stderr), as the configuration says.

    ``format = "auto"`` is JSON in ``production`` and wherever nobody looks. ``secrets`` are
    taken out wherever they appear, beside all that looks like one. Returns what counts the
    lines nobody will read, by reason: ``budget``, or ``unwritable`` (a closed pipe).
    """
    out = sys.stderr if stream is None else stream
    terminal = out.isatty()
    as_json = config.format == "json" or (config.format == "auto" and (production or not terminal))
    colour = terminal and not os.environ.get("NO_COLOR")
    renderer = _render_json if as_json else ConsoleRenderer(colour)
    level = getattr(logging, config.level.upper())
    writer = _Writer(out)
    budget = Budget(config.lines_per_minute, clock)
    shared: list[Any] = [
        budget,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        Redactor(secrets),
        renderer,
    ]

    def report(held: dict[str, int]) -> None:
        event: Any = {"event": "log.suppressed", "lines": held}
        for processor in shared[1:]:
            event = processor(None, "warning", event)
        writer.msg(event)

    budget.report = report
    structlog.configure(
        processors=shared,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: writer,
        cache_logger_on_first_use=False,
    )
    handler = _LibraryHandler(shared, writer)
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(max(level, logging.WARNING))
    return lambda: {("budget",): budget.held, ("unwritable",): writer.lost}


class _LibraryHandler(logging.Handler):
    """Sends a library's records through our processors."""

    def __init__(self, processors: list[Any], writer: _Writer) -> None:
        super().__init__()
        self._processors = processors
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # arguments that do not fit the format
            message = f"{record.msg} {record.args}"
        event: Any = {"event": f"library.{record.name}", "message": message}
        if record.exc_info:
            event["exc_info"] = record.exc_info
        try:
            for processor in self._processors:
                event = processor(None, record.levelname.lower(), event)
        except structlog.DropEvent:
            return
        self._writer.msg(event)
