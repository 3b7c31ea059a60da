"""Places: what is missing, what is twice, what to resume from."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fastws.client import Gap, Places


def confirmed(offset: int, epoch: int = 1, **fields: Any) -> dict[str, Any]:
    return {
        "type": "subscription_confirmed",
        "channel": "c",
        "kind": "stream",
        "epoch": epoch,
        "offset": offset,
        **fields,
    }


def message(offset: int) -> dict[str, Any]:
    return {"type": "news", "channel": "c", "offset": offset}


def test_messages_in_order_are_all_delivered() -> None:
    places = Places()
    places.take(confirmed(5))
    assert all(places.take(message(offset)) for offset in (6, 7, 8))
    assert places.since("c") == {"epoch": 1, "offset": 8}
    assert (places.gaps, places.duplicates) == ([], 0)


def test_a_hole_and_a_repetition_are_seen() -> None:
    places = Places()
    places.take(confirmed(5))
    assert places.take(message(8))
    assert not places.take(message(8))
    assert places.gaps == [Gap("c", 6, 7)]
    assert places.duplicates == 1


def test_a_gap_the_server_tells_of_is_not_counted_twice() -> None:
    places = Places()
    places.take(confirmed(5))
    assert places.take({"type": "gap", "channel": "c", "from": 6, "to": 9})
    assert places.take(message(10))
    assert places.gaps == [Gap("c", 6, 9)]


def test_after_a_loss_nothing_is_delivered_before_the_resume() -> None:
    places = Places()
    places.take(confirmed(5))
    places.hold()
    assert places.held() == ["c"]
    places.take(confirmed(9))
    assert not places.take(message(10)), "the resume brings it again"
    places.take(confirmed(10, recovered=True))
    assert all(places.take(message(offset)) for offset in (6, 7, 8, 9, 10))
    assert (places.gaps, places.duplicates) == ([], 0)


def test_nothing_missed_needs_no_resume() -> None:
    places = Places()
    places.take(confirmed(5))
    places.hold()
    places.take(confirmed(5))
    assert places.held() == []
    assert places.take(message(6))


def test_what_cannot_be_recovered_is_a_gap() -> None:
    places = Places()
    places.take(confirmed(5))
    places.hold()
    places.take(confirmed(400, recovered=False))
    assert places.gaps == [Gap("c", 6, 400)]
    assert places.take(message(401))


def test_another_epoch_begins_anew() -> None:
    places = Places()
    places.take(confirmed(5))
    places.hold()
    places.take(confirmed(2, epoch=2))
    assert places.gaps == [Gap("c", 6, None)]
    assert places.take(message(3))
    assert places.since("c") == {"epoch": 2, "offset": 3}


def test_a_repeated_confirmation_does_not_move_the_place() -> None:
    places = Places()
    places.take(confirmed(5))
    places.take(confirmed(8))
    assert places.take(message(6))
    assert places.gaps == []


def test_the_end_of_a_subscription_forgets_the_place() -> None:
    for type_ in ("unsubscription_confirmed", "unsubscribed"):
        places = Places()
        places.take(confirmed(5))
        places.take({"type": type_, "channel": "c"})
        assert "c" not in places
        assert places.take(message(1)), "what is not followed is not judged"


def test_tables_are_not_resumed_and_begin_anew() -> None:
    places = Places()
    table = {"type": "subscription_confirmed", "channel": "t", "kind": "table", "epoch": 1}
    places.take({**table, "tick": 3})
    assert places.since("t") is None
    places.hold()
    assert places.held() == []


def test_an_older_server_says_no_place() -> None:
    places = Places()
    assert places.take({"type": "subscription_confirmed", "channel": "c"})
    assert places.take(message(1))
    assert list(places) == []


@given(
    st.integers(0, 20),
    st.lists(st.tuples(st.integers(1, 6), st.booleans(), st.integers(0, 3)), max_size=8),
)
def test_any_history_of_losses_delivers_each_message_once(
    begun: int, losses: list[tuple[int, bool, int]]
) -> None:
    """Against a twin: a server that keeps everything, a client that comes back each time."""
    places, log, got = Places(), begun, []
    places.take(confirmed(log))
    for published, automatic, live in losses:
        for _ in range(published):
            log += 1
            if places.take(message(log)):
                got.append(log)
        places.hold()
        log += published // 2  # published while nobody was connected
        if automatic:
            places.take(confirmed(log))
            for _ in range(live):
                log += 1
                if places.take(message(log)):
                    got.append(log)
        if places.held():
            since = places.since("c")
            assert since is not None
            places.take(confirmed(log, recovered=True))
            got += [n for n in range(since["offset"] + 1, log + 1) if places.take(message(n))]
        elif not automatic:
            places.take(confirmed(log))
    assert got == list(range(begun + 1, begun + 1 + len(got)))
    assert (places.gaps, places.duplicates) == ([], 0)
