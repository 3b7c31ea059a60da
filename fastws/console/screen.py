"""What the console shows: frames in and out, notes, and nothing that commands a terminal."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import orjson
from rich.console import Console
from rich.text import Text

from fastws.logs import printable

__all__ = ["Screen"]

WIDEST: Final = 200
"""Characters of a frame's summary."""

_STYLES: Final = {
    "error": "bold red",
    "welcome": "green",
    "connection_established": "green",
    "subscription_confirmed": "cyan",
    "unsubscription_confirmed": "cyan",
    "drain": "yellow",
    "gap": "yellow",
    "limit_warning": "yellow",
    "token_expiring": "yellow",
}


class Screen:
    """Prints to ``console``. ``verbose``, ``json`` and ``raw`` are switched while it runs."""

    def __init__(self, console: Console, verbose: bool = False) -> None:
        self.console = console
        self.verbose = verbose
        self.json = False
        self.raw = False

    def note(self, text: str, style: str = "dim") -> None:
        """A line of our own."""
        self._line(Text(printable(text), style))

    def problem(self, text: str) -> None:
        """A line about something that went wrong."""
        self.note(text, "bold red")

    def result(self, text: str) -> None:
        """A line of the test: green, or red where it did not work."""
        self.note(text, "red" if text.startswith("✗") else "green" if text[:1] == "✓" else "bold")

    def sent(self, text: str) -> None:
        """A message on its way out."""
        self._line(Text(f"{_moment()} → {printable(text)}", "blue"))

    def message(self, data: str | bytes) -> None:
        """What came, as it came; shown while ``raw`` is on."""
        if self.raw:
            text = data if isinstance(data, str) else data.hex(" ")
            self._line(Text(f"{_moment()} ← {printable(text)}"))

    def frame(self, frame: dict[str, Any]) -> None:
        """A frame: a summary, all of it (``verbose``), or as indented JSON (``json``)."""
        if self.raw:
            return
        type_ = str(frame.get("type"))
        line = Text(f"{_moment()} ← ")
        line.append(printable(type_), _STYLES.get(type_, "bold"))
        if self.json:
            self._line(line)
            for row in _dumps(frame, orjson.OPT_INDENT_2).splitlines():
                self._line(Text(f"  {printable(row)}"))
            return
        rest = {name: value for name, value in frame.items() if name not in ("type", "timestamp")}
        text = printable(_dumps(rest)) if rest else ""
        if not self.verbose and len(text) > WIDEST:
            text = f"{text[:WIDEST]}… ({len(text)} characters; 'verbose' shows all)"
        self._line(line.append(f" {text}", "dim"))

    def clear(self) -> None:
        """An empty screen."""
        self.console.clear()

    def _line(self, text: Text) -> None:
        self.console.print(text, soft_wrap=True, highlight=False)


def _moment() -> str:
    return f"{datetime.now().astimezone():%H:%M:%S.%f}"[:12]


def _dumps(value: object, option: int = 0) -> str:
    return orjson.dumps(value, option=option, default=repr).decode()
