"""Tables by channel: confirmations, frames of both forms, damage, resume."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from fastws._core.follower import Follower
from fastws._core.table import Column, Table
from fastws._core.view import View
from fastws.client.followed import Followed
from fastws.client.frames import BadFrame


class Server:
    """A table of two columns, and what a subscription to it would say."""

    def __init__(self) -> None:
        self.table = Table("t", [Column("price", "decimal"), Column("label", "text")], 7)
        for key in ("a", "b", "c"):
            self.table.add(key, price=(1, 0))
        self.table.seal(0.0)
        self.view = View(self.table)

    def confirmation(self, **more: Any) -> dict[str, Any]:
        return {"channel": "tokens", "channel_id": 4, "epoch": 7, **self.view.describe(), **more}

    def change(self, key: str, price: int) -> None:
        self.table.set_row(key, {"price": (price, 0)})
        self.table.seal(0.0)


def sent(follower: Follower) -> bytes:
    frame = follower.flush(0.0)
    assert frame is not None
    return frame


@pytest.mark.parametrize("json", [False, True])
def test_frames_find_their_table(json: bool) -> None:
    server, followed = Server(), Followed()
    followed.confirmed(server.confirmation())
    follower = Follower(server.view, 4, "tokens", json=json)
    for price in (5, 6):
        frame = sent(follower)
        told = followed.json(orjson.loads(frame)) if json else next(followed.binary(frame))
        assert told is not None
        assert told.channel == "tokens"
        assert told.changed == ({0, 1, 2} if price == 5 else {0})
        server.change("a", price)
    assert "tokens" in followed
    assert followed["tokens"].by_key()["a"]["price"] == (5, 0)


def test_frames_of_other_channels_are_passed_over() -> None:
    server, followed = Server(), Followed()
    followed.confirmed(server.confirmation())
    assert list(followed.binary(sent(Follower(server.view, 5, "other")))) == []
    frame = orjson.loads(sent(Follower(server.view, 5, "other", json=True)))
    assert followed.json(frame) is None
    with pytest.raises(BadFrame):
        list(followed.binary(b"\x09\x01"))


def test_a_damaged_frame_asks_for_a_snapshot_of_its_channel_alone() -> None:
    server, followed = Server(), Followed()
    followed.confirmed(server.confirmation())
    follower = Follower(server.view, 4, "tokens")
    list(followed.binary(sent(follower)))
    server.change("a", 9)
    damaged = bytearray(sent(follower))
    damaged[-2:] = b"\xff\xff"
    assert [told.changed for told in followed.binary(bytes(damaged))] == [set()]
    assert followed.resync == {"tokens"}
    assert followed.since("tokens") == {}, "not from here"
    follower.restart()
    list(followed.binary(sent(follower)))
    assert not followed["tokens"].lost
    assert followed["tokens"].by_key()["a"]["price"] == (9, 0)


def test_a_resume_names_its_place_and_what_is_not_held() -> None:
    server, followed = Server(), Followed()
    followed.confirmed(server.confirmation(), ["a", "b"])
    list(followed.binary(sent(Follower(server.view, 4, "tokens", keys=["a", "b"]))))
    followed.disconnected()
    fields = followed.since("tokens", ["b", "c"])
    assert fields == {"rows": ["b", "c"], "since": {"epoch": 7, "tick": 1}, "new": ["c"]}
    assert set(followed["tokens"].by_key()) == {"b"}
    again = Follower(server.view, 8, "tokens", keys=fields["rows"])
    assert again.resume(7, 1, fields["new"])
    followed.confirmed(server.confirmation(channel_id=8), ["b", "c"])
    list(followed.binary(sent(again)))
    assert set(followed["tokens"].by_key()) == {"b", "c"}
    assert followed.since("tokens") == {}, "all rows are another subscription"
    assert followed.since("unknown", ["x"]) == {"rows": ["x"]}


def test_other_columns_begin_anew() -> None:
    server, followed = Server(), Followed()
    followed.confirmed(server.confirmation())
    list(followed.binary(sent(Follower(server.view, 4, "tokens"))))
    followed.confirmed(server.confirmation())
    assert followed["tokens"].tick == 1, "the same again changes nothing"
    followed.confirmed(server.confirmation(**View(server.table, ["label"]).describe()))
    assert followed["tokens"].tick == 0
