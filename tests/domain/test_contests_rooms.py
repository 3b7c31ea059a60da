"""Presence: who is there once, who may be seen, and what the room is told of it."""

from __future__ import annotations

from collections import Counter

import orjson
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from fastws.domain.contests.rooms import GRACE_SECONDS, Guest, Notice, Room, Rooms

WALLETS = [f"wallet{n}" for n in range(6)]
ADMINS = [f"admin{n}" for n in range(3)]
TABS = st.integers(0, 2)


class Told(RuleBasedStateMachine):
    """A room, what is true of it, and what somebody believes who reads every notice."""

    def __init__(self) -> None:
        super().__init__()
        self.room = Room(1)
        self.now = 100.0
        self.here: dict[str, set[str]] = {}
        self.leaving: dict[str, float] = {}
        self.anonymous: set[str] = set()
        self.visible: set[str] = set()
        self.ever_visible: set[str] = set()
        self.believed: Counter[str] = Counter()
        self.spectators = 0
        self.admin = False

    def kind(self, wallet: str) -> str:
        return "participant" if wallet in WALLETS[:3] else "spectator"

    @rule(wallet=st.sampled_from(WALLETS), tab=TABS)
    def join(self, wallet: str, tab: int) -> None:
        self.room.join(f"{wallet}/{tab}", Guest(wallet, None, "user", self.kind(wallet)))  # type: ignore[arg-type]
        self.here.setdefault(wallet, set()).add(f"{wallet}/{tab}")
        self.leaving.pop(wallet, None)

    @rule(wallet=st.sampled_from(ADMINS), tab=TABS, visible=st.booleans())
    def admin_joins(self, wallet: str, tab: int, visible: bool) -> None:
        if wallet not in self.here and visible:
            self.visible.add(wallet)
            self.ever_visible.add(wallet)
        self.room.join(f"{wallet}/{tab}", Guest(wallet, None, "admin", "admin"), visible=visible)
        self.here.setdefault(wallet, set()).add(f"{wallet}/{tab}")
        self.leaving.pop(wallet, None)

    @rule(wallet=st.sampled_from(ADMINS), visible=st.booleans())
    def show(self, wallet: str, visible: bool) -> None:
        self.room.show(wallet, visible)
        if wallet in self.here:
            (self.visible.add if visible else self.visible.discard)(wallet)
            if visible:
                self.ever_visible.add(wallet)

    @rule(number=st.integers(0, 4))
    def somebody_watches(self, number: int) -> None:
        self.room.join(f"x{number}", Guest(None, None, None, "spectator"))
        self.anonymous.add(f"x{number}")

    @rule(number=st.integers(0, 4))
    def somebody_stops(self, number: int) -> None:
        self.room.leave(f"x{number}", None)
        self.anonymous.discard(f"x{number}")

    @rule(wallet=st.sampled_from(WALLETS + ADMINS), tab=TABS, drop=st.booleans())
    def leave(self, wallet: str, tab: int, drop: bool) -> None:
        until = self.now + GRACE_SECONDS if drop else 0.0
        self.room.leave(f"{wallet}/{tab}", wallet, until)
        tabs = self.here.get(wallet)
        if tabs is None or f"{wallet}/{tab}" not in tabs:
            return
        tabs.discard(f"{wallet}/{tab}")
        if not tabs and drop:
            self.leaving[wallet] = until
        elif not tabs:
            self.gone(wallet)

    def gone(self, wallet: str) -> None:
        del self.here[wallet]
        self.visible.discard(wallet)

    @rule(seconds=st.sampled_from([0.1, 5.0, 11.0]))
    def turn(self, seconds: float) -> None:
        self.now += seconds
        for wallet, until in list(self.leaving.items()):
            if until <= self.now:
                del self.leaving[wallet]
                self.gone(wallet)
        for notice in self.room.turn(self.now, 1.0):
            self.hear(notice)
        assert self.believed == Counter(
            [w for w in self.here if w in WALLETS] + [w for w in self.here if w in self.visible]
        )
        assert self.spectators == self.room.spectators
        assert self.admin == bool(self.visible)

    def hear(self, notice: Notice) -> None:
        text = orjson.dumps(notice.fields).decode()
        for admin in set(ADMINS) - self.ever_visible:
            assert admin not in text, "a trace of one who was never seen"
        fields = notice.fields
        if notice.type == "user_presence":
            step = 1 if fields["action"] == "join" else -1
            self.believed[fields["user"]["wallet"]] += step
        elif notice.type == "user_presence_batch":
            self.believed.update(user["wallet"] for user in fields["joined"])
            self.believed.subtract(user["wallet"] for user in fields["left"])
        elif notice.type == "spectator_count":
            self.spectators = fields["count"]
        else:
            self.admin = fields["active"]
        self.believed = +self.believed

    @invariant()
    def counts_are_the_truth(self) -> None:
        users = sum(wallet in WALLETS[3:] for wallet in self.here)
        assert self.room.spectators == users + len(self.anonymous)
        assert self.room.participants == sum(wallet in WALLETS[:3] for wallet in self.here)
        assert self.room.invisible == sum(w in ADMINS and w not in self.visible for w in self.here)


TestTold = Told.TestCase
TestTold.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def test_ten_thousand_who_come_are_one_message() -> None:
    room = Room(1)
    for number in range(10_000):
        room.join(str(number), Guest(f"w{number}", None, "user", "participant"))
    (notice,) = room.turn(0.0, 0.0)
    assert notice.fields["joinedCount"] == notice.fields["participantCount"] == 10_000
    assert len(notice.fields["joined"]) == 50


def test_a_room_that_is_empty_is_closed() -> None:
    rooms = Rooms()
    rooms.of(1).join("a", Guest("w", None, "user", "participant"))
    rooms.turn(0.0, 0.0)
    rooms.of(1).leave("a", "w", 10.0)
    rooms.turn(9.0, 0.0)
    assert len(rooms) == 1
    (told,) = rooms.turn(10.0, 0.0)
    assert told[1].fields["action"] == "leave"
    assert len(rooms) == 0
    assert rooms.get(1) is None


def test_one_who_begins_to_take_part_is_a_spectator_no_more() -> None:
    room = Room(1)
    room.join("a", Guest("w", None, "user", "spectator"))
    assert [notice.type for notice in room.turn(0.0, 0.0)] == ["user_presence", "spectator_count"]
    room.sort({"w"})
    (notice,) = room.turn(0.0, 0.0)
    assert (notice.type, notice.fields["count"]) == ("spectator_count", 0)
