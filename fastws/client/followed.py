"""All tables that one client follows, by channel: from confirmation to resume.

Sans I/O. Whoever reads the socket hands in confirmations and frames of tables, and sends the
requests that `resync` and `since` say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from fastws.client.frames import TABLE, BadFrame, Columns, blocks, read_json
from fastws.client.tables import OutOfStep, TableCopy

__all__ = ["Followed", "Told"]


class Told(NamedTuple):
    """What a frame changed: ids of rows in ``copy``."""

    channel: str
    copy: TableCopy
    changed: set[int]


class _Place:
    __slots__ = ("channel", "copy", "wanted")

    def __init__(self, channel: str, copy: TableCopy, wanted: frozenset[str] | None) -> None:
        self.channel = channel
        self.copy = copy
        self.wanted = wanted


class Followed:
    """Copies of tables by the channel's name; ``resync`` are channels to ask a snapshot of."""

    def __init__(self) -> None:
        self.resync: set[str] = set()
        self._by_name: dict[str, _Place] = {}
        self._by_id: dict[int, _Place] = {}

    def __getitem__(self, channel: str) -> TableCopy:
        return self._by_name[channel].copy

    def __contains__(self, channel: object) -> bool:
        return channel in self._by_name

    def confirmed(self, said: Mapping[str, Any], rows: list[str] | None = None) -> None:
        """A ``subscription_confirmed`` of a table with ``columns``; ``rows`` as they were asked.

        What was held stays if the subscription goes on from it, and is begun anew when columns
        change or the client goes from all rows to some or back.
        """
        columns = Columns.told(said)
        wanted = None if rows is None else frozenset(rows)
        place = self._by_name.get(said["channel"])
        same = place is not None and place.copy.columns == columns
        if place is None or not same or (place.wanted is None) != (wanted is None):
            place = _Place(said["channel"], TableCopy(columns, said.get("epoch", 0)), wanted)
            self._by_name[said["channel"]] = place
        place.wanted = wanted
        self.resync.discard(said["channel"])
        self._by_id = {key: one for key, one in self._by_id.items() if one.channel != place.channel}
        self._by_id[said["channel_id"]] = place

    def disconnected(self) -> None:
        """The connection is gone: numbers of channels are of the process that ends with it."""
        self._by_id.clear()
        self.resync.clear()

    def binary(self, message: bytes) -> Iterator[Told]:
        """The table frames of a binary message; `BadFrame` if it is not made of blocks."""
        for block in blocks(message):
            place = self._by_id.get(block.channel)
            if block.type == TABLE and place is not None:
                yield self._take(place, block.body)

    def json(self, said: Mapping[str, Any]) -> Told | None:
        """A JSON frame of type ``table``; None for a channel that is not followed."""
        place = self._by_name.get(said["channel"])
        return None if place is None else self._take(place, said)

    def _take(self, place: _Place, frame: bytes | Mapping[str, Any]) -> Told:
        copy = place.copy
        try:
            if isinstance(frame, bytes):
                changed = copy.take(frame)
            else:
                changed = copy.apply(read_json(frame, copy.columns))
        except (BadFrame, OutOfStep):
            copy.lost = True
            self.resync.add(place.channel)
            return Told(place.channel, copy, set())
        return Told(place.channel, copy, changed)

    def since(self, channel: str, rows: list[str] | None = None) -> dict[str, Any]:
        """The fields of a ``subscribe`` that goes on from here; none if it has to begin anew.

        Rows that are not wanted any more are dropped.
        """
        fields: dict[str, Any] = {} if rows is None else {"rows": rows}
        place = self._by_name.get(channel)
        if place is None or (place.wanted is None) != (rows is None):
            return fields
        copy = place.copy
        if not copy.tick or copy.lost or (copy.partial and rows is None):
            return fields
        fields["since"] = {"epoch": copy.epoch, "tick": copy.tick}
        if rows is not None:
            held = set(copy.keys.values())
            copy.forget(held.difference(rows))
            fields["new"] = [key for key in rows if key not in held]
        return fields
