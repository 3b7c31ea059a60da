"""Where a client stands in each channel: what to resume from, what is missing, what is twice.

A stream's place is the offset of the last message; a table's is the tick of its confirmation.
After a reconnect a stream is *held*: what the server sends of it before it has confirmed the
resume is dropped, because the resume brings it again in order.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from msgspec import Struct

__all__ = ["Gap", "Place", "Places"]


class Gap(NamedTuple):
    """Messages of a stream that did not come; ``last`` None: nobody knows how many."""

    channel: str
    first: int
    last: int | None


class Place(Struct):
    """The place in one channel."""

    kind: str
    epoch: int
    offset: int
    held: bool = False


class Places:
    """The places of one client, over all its connections."""

    def __init__(self) -> None:
        self._places: dict[str, Place] = {}
        self.gaps: list[Gap] = []
        self.duplicates = 0

    def __contains__(self, channel: object) -> bool:
        return channel in self._places

    def __iter__(self) -> Any:
        return iter(tuple(self._places.items()))

    def get(self, channel: str) -> Place | None:
        """The place in a channel that is followed."""
        return self._places.get(channel)

    def hold(self) -> None:
        """The connection is lost: streams have to be resumed, tables just begin anew."""
        self._places = {
            name: place for name, place in self._places.items() if place.kind == "stream"
        }
        for place in self._places.values():
            place.held = True

    def held(self) -> list[str]:
        """Channels that still have to be resumed."""
        return [name for name, place in self._places.items() if place.held]

    def since(self, channel: str) -> dict[str, int] | None:
        """What a ``subscribe`` says to resume; None where there is nothing to resume."""
        place = self._places.get(channel)
        if place is None or place.kind != "stream":
            return None
        return {"epoch": place.epoch, "offset": place.offset}

    def take(self, frame: dict[str, Any]) -> bool:
        """Note a frame; False if it must not be delivered (it came before or comes again)."""
        channel = frame.get("channel")
        if not isinstance(channel, str):
            return True
        match frame.get("type"):
            case "subscription_confirmed":
                self._confirmed(channel, frame)
            case "unsubscription_confirmed" | "unsubscribed":
                self._places.pop(channel, None)
            case "gap":
                self._told(channel, frame)
            case _:
                offset = frame.get("offset")
                place = self._places.get(channel)
                if place is not None and place.kind == "stream" and isinstance(offset, int):
                    return self._message(channel, place, offset)
        return True

    def _message(self, channel: str, place: Place, offset: int) -> bool:
        if place.held:
            return False
        if offset <= place.offset:
            self.duplicates += 1
            return False
        if offset > place.offset + 1:
            self.gaps.append(Gap(channel, place.offset + 1, offset - 1))
        place.offset = offset
        return True

    def _told(self, channel: str, frame: dict[str, Any]) -> None:
        """The server says what can no longer be had."""
        place, first, last = self._places.get(channel), frame.get("from"), frame.get("to")
        if place is None or place.held or not isinstance(first, int) or not isinstance(last, int):
            return
        epoch = frame.get("epoch")
        if isinstance(epoch, int) and epoch != place.epoch:  # it numbers from 1 again
            self.gaps.append(Gap(channel, place.offset + 1, None))
            place.epoch, place.offset = epoch, 0
        elif last > place.offset:
            self.gaps.append(Gap(channel, first, last))
            place.offset = last

    def _confirmed(self, channel: str, frame: dict[str, Any]) -> None:
        kind, epoch = frame.get("kind"), frame.get("epoch")
        here = frame.get("offset" if kind == "stream" else "tick")
        if not isinstance(kind, str) or not isinstance(epoch, int) or not isinstance(here, int):
            return  # an older server: nothing can be resumed
        place = self._places.get(channel)
        if place is None or place.kind != kind:
            self._places[channel] = Place(kind, epoch, here)
            return
        if place.epoch != epoch:
            if kind == "stream":
                self.gaps.append(Gap(channel, place.offset + 1, None))
            self._places[channel] = Place(kind, epoch, here)
        elif frame.get("recovered") is True:
            place.held = False  # what was missed follows
        elif place.held and ("recovered" in frame or here == place.offset):
            if here > place.offset:
                self.gaps.append(Gap(channel, place.offset + 1, here))
            place.offset, place.held = here, False
