"""Requests find their reply by id, whatever else comes in between."""

from __future__ import annotations

import pytest

from fastws.client.failures import Closed, ErrorReply
from fastws.client.requests import Requests


async def test_each_request_has_an_id_of_its_own_and_its_own_reply() -> None:
    requests = Requests()
    (one, first), (two, second) = requests.begin(None), requests.begin(None)
    assert one != two
    assert requests.take({"type": "b", "id": two})
    assert requests.take({"type": "a", "id": one})
    assert (await first)["type"] == "a"
    assert (await second)["type"] == "b"


@pytest.mark.parametrize("frame", [{"type": "x"}, {"type": "x", "id": "1"}, {"type": "x", "id": 9}])
async def test_a_push_is_no_reply(frame: dict[str, object]) -> None:
    requests = Requests()
    _, answer = requests.begin(None)
    assert not requests.take(frame)
    assert not answer.done()


async def test_of_several_replies_the_expected_one_counts() -> None:
    requests = Requests()
    number, answer = requests.begin("system_status")
    assert not requests.take({"type": "SERVER_STATUS_UPDATE", "id": number}), "for the iteration"
    assert requests.take({"type": "system_status", "id": number})
    assert not requests.take({"type": "system_status", "id": number}), "one reply is enough"
    assert (await answer)["type"] == "system_status"


async def test_an_error_answers_whatever_was_expected() -> None:
    requests = Requests()
    number, answer = requests.begin("token_data")
    assert requests.take({"type": "error", "id": number, "code": "NO", "message": "Not that"})
    with pytest.raises(ErrorReply, match="NO: Not that"):
        await answer


async def test_a_lost_connection_ends_all_that_wait() -> None:
    requests = Requests()
    (number, done), (_, open_) = requests.begin(None), requests.begin(None)
    requests.take({"type": "x", "id": number})
    closed = Closed(1006, "", "reconnect")
    requests.fail(closed)
    assert (await done)["type"] == "x"
    with pytest.raises(Closed) as caught:
        await open_
    assert caught.value is closed


async def test_a_late_reply_answers_nobody() -> None:
    requests = Requests()
    number, answer = requests.begin(None)
    requests.end(number)
    assert not requests.take({"type": "x", "id": number})
    assert not answer.done()
