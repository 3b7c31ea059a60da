"""Log lines: one event name each, JSON for machines, colour for people, secrets for nobody.

Everything that writes (our own loggers and the libraries' through `logging`) passes the same
processors: redaction first, then a budget per event name, then the renderer. Levels above
``warning`` have no budget. Knows no other room but the configuration.
"""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import Callable, MutableMapping
from typing import Any, Final, TextIO

import orjson
import structlog

from fastws.config import LogConfig

__all__ = ["Budget", "configure", "redact"]

Event = MutableMapping[str, Any]

HIDDEN: Final = "[redacted]"
LONGEST: Final = 4000
"""Characters of the longest string in a line."""

_SECRET_NAMES = re.compile(
    r"token|secret|password|authorization|cookie|signature|service.?key|api.?key|session$", re.I
)
_SECRETS: Final = (
    re.compile(r"eyJ[\w-]{5,}\.[\w-]*\.?[\w-]*"),
    re.compile(r"(?i)\b(bearer|basic)\s+[^\s\"',;]+"),
    re.compile(r"(?i)((?:token|secret|password|session|signature|key)=)[^&\s\"';]+"),
    re.compile(r"(?i)([\"'][\w-]*(?:token|secret|password|signature|key)[\"']\s*:\s*[\"'])[^\"']+"),
    re.compile(r"(?i)(://[^:/@\s]+:)[^@/\s]+(?=@)"),
)
_SAFE_NAMES: Final = frozenset({"tokens", "session_id", "token_count", "accept_legacy_tokens"})


def redact(value: Any, depth: int = 6) -> Any:
    """``value`` without anything that looks like a credential, at any depth."""
    if isinstance(value, str):
        return _clean(value[:LONGEST])
    if isinstance(value, bytes | bytearray | memoryview):
        return _clean(bytes(value[:LONGEST]).decode("utf-8", "replace"))
    if value is None or isinstance(value, int | float):
        return value
    if depth == 0:
        return _clean(str(value)[:LONGEST])
    if isinstance(value, dict):
        return {
            str(k): HIDDEN if _hides(str(k)) else redact(v, depth - 1) for k, v in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(item, depth - 1) for item in value]
    return _clean(str(value)[:LONGEST])


def _hides(name: str) -> bool:
    return name not in _SAFE_NAMES and _SECRET_NAMES.search(name) is not None


def _clean(text: str) -> str:
    for pattern in _SECRETS:
        text = pattern.sub(lambda m: (m[1] if m.lastindex else "") + HIDDEN, text)
    return text


def _redact_event(logger: object, method: str, event: Event) -> Event:
    for name, value in event.items():
        if name == "exc_info":
            continue
        event[name] = HIDDEN if _hides(name) else redact(value)
    return event


class Budget:
    """At most ``lines`` of one event name a minute; the next minute says how many were held."""

    def __init__(self, lines: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._lines = lines
        self._clock = clock
        self._minute = -1
        self._used: dict[str, int] = {}
        self._held: dict[str, int] = {}

    def __call__(self, logger: object, method: str, event: Event) -> Event:
        """A structlog processor; raises `structlog.DropEvent` when the budget is spent."""
        if method in ("error", "critical", "exception"):
            return event
        minute = int(self._clock() // 60)
        if minute != self._minute:
            self._minute = minute
            self._used.clear()
        name = str(event.get("event", ""))[:80]
        used = self._used[name] = self._used.get(name, 0) + 1
        if used > self._lines:
            if len(self._held) < 1000:
                self._held[name] = self._held.get(name, 0) + 1
            raise structlog.DropEvent
        held = self._held.pop(name, 0)
        if held:
            event["suppressed_before"] = held
        return event


_ROLE_COLOURS: Final = {"admin": "\x1b[31m", "superadmin": "\x1b[1;31m", "user": "\x1b[35m"}
_ANONYMOUS: Final = "\x1b[37m"
_GROUNDS: Final = {
    "ws": "\x1b[44m",
    "auth": "\x1b[45m",
    "server": "\x1b[42m",
    "database": "\x1b[46m",
    "market": "\x1b[43m",
}
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
            parts.append(f"[{prefix}]")
        parts.append(self._paint(_GROUNDS.get(name.partition(".")[0], ""), name))
        if "wallet" in event or "role" in event:
            wallet, role = event.pop("wallet", None), event.pop("role", None)
            who = f"{wallet or 'anonymous'}{f' ({role})' if role else ''}"
            parts.append(self._paint(_ROLE_COLOURS.get(str(role), _ANONYMOUS), who))
        parts += [f"{key}={value}" for key, value in event.items() if value is not None]
        line = " ".join(part for part in parts if part)
        line = "".join(c if c.isprintable() or c == "\x1b" else repr(c)[1:-1] for c in line)
        return f"{line}\n{trace}" if trace else line

    def _paint(self, colour: str, text: str) -> str:
        return f"{colour}{text}{_RESET}" if colour and self._colour else text


def _render_json(logger: object, method: str, event: Event) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def configure(config: LogConfig, stream: TextIO | None = None, *, force_json: bool = False) -> None:
    """Send everything to ``stream`` (stderr), as the configuration says."""
    out = sys.stderr if stream is None else stream
    terminal = out.isatty()
    as_json = config.format == "json" or (config.format == "auto" and (force_json or not terminal))
    renderer = _render_json if as_json else ConsoleRenderer(colour=terminal)
    level = getattr(logging, config.level.upper())
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        Budget(config.lines_per_minute),
        structlog.processors.format_exc_info,
        _redact_event,
    ]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("%(message)s"))
    handler.addFilter(_LibraryFilter(shared, renderer))
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(max(level, logging.WARNING))


class _LibraryFilter(logging.Filter):
    """Runs a library's record through our processors; drops it when its budget is spent."""

    def __init__(self, processors: list[Any], renderer: Any) -> None:
        super().__init__()
        self._processors = [*processors, renderer]

    def filter(self, record: logging.LogRecord) -> bool:
        event: Any = {"event": f"library.{record.name}", "message": record.getMessage()}
        if record.exc_info:
            event["exc_info"] = record.exc_info
        try:
            for processor in self._processors:
                event = processor(None, record.levelname.lower(), event)
        except structlog.DropEvent:
            return False
        record.msg, record.args, record.exc_info, record.exc_text = event, (), None, None
        return True
