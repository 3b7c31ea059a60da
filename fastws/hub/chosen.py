"""A table channel whose rows the server chooses: a client follows what is his, not what he says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from zlib import crc32

from fastws.hub.channel import Subscriber
from fastws.hub.table import TableChannel
from fastws.wire import Subscribe

__all__ = ["ChosenTable"]


class ChosenTable(TableChannel):
    """Rows by key; `choose` changes them for everybody who follows."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.chosen: tuple[str, ...] = ()

    @property
    def filter(self) -> int:
        """Made of the keys, so that the same set has one number in every process."""
        return crc32("\n".join(self.chosen).encode()) & 0x7FFFFFFF or 1

    def wanted(self, asked: Subscribe, subscriber: Subscriber) -> dict[str, str]:
        """The chosen ones, whatever was asked."""
        return {key: key for key in self.chosen}

    def keys(self, names: list[str]) -> dict[str, str]:
        """The keys are the names: a symbol that moves changes nobody's holdings."""
        return {name: name for name in names}

    def choose(self, keys: Iterable[str]) -> bool:
        """Other rows from the next flush on; False if they are the same."""
        chosen = tuple(sorted(set(keys)))
        if chosen == self.chosen:
            return False
        self.chosen = chosen
        for subscription in tuple(self.deltas):
            subscription.choose({key: key for key in chosen})
        return True
