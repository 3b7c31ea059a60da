"""Views that exist while somebody looks: their names are made up by clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fastws._core.table import Table
from fastws.hub import Hub, View
from fastws.hub.view import Encode

__all__ = ["Views"]

FEWEST: Final = 1024
"""Views below which nobody looks for idle ones."""


class Views:
    """Views of ``table`` on the endpoint ``path``, one delivery in ``seconds``."""

    def __init__(self, hub: Hub, path: str, table: Table, seconds: float) -> None:
        self._hub = hub
        self._path = path
        self._table = table
        self._seconds = seconds
        self._views: dict[str, View] = {}
        self._look_at = FEWEST  # number of views at which the idle ones are dropped

    def find(self, label: str, make: Callable[[], Encode | None]) -> View | None:
        """The view of a label; ``make`` says how it is encoded, or None if there is none."""
        view = self._views.get(label)
        if view is not None:
            return view
        encode = make()
        if encode is None:
            return None
        if len(self._views) >= self._look_at:
            self._drop_idle()
        view = self._hub.view(f"{self._path}/{label}", self._table, encode, self._seconds)
        self._views[label] = view
        return view

    def _drop_idle(self) -> None:
        for label in [label for label, view in self._views.items() if not view.subscriptions]:
            del self._views[label]
            self._hub.drop(f"{self._path}/{label}")
        self._look_at = max(FEWEST, 2 * len(self._views))
