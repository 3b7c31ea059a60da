"""Listening sockets: their options, what stops them, and running out of descriptors."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from fastws.errors import StartError
from fastws.gateway import listener as room
from fastws.gateway.listener import Listener, bind


async def test_what_connections_inherit() -> None:
    (listening,) = await bind("127.0.0.1", 0)
    client = socket.create_connection(listening.getsockname())
    await asyncio.sleep(0)
    taken, _ = listening.accept()
    with listening, client, taken:
        assert listening.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR) == 1
        # the kernel doubles it, for its own bookkeeping
        assert taken.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 2 * 16 * 1024
        assert taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == 16 * 1024
        assert taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


async def test_a_name_of_two_families_has_one_port() -> None:
    sockets = await bind("", 0)
    ports = {made.getsockname()[1] for made in sockets}
    for made in sockets:
        made.close()
    assert len(ports) == 1


@pytest.mark.parametrize(
    ("host", "sentence"),
    [
        ("no.such.host.invalid", "server.host: 'no.such.host.invalid' is no address"),
        ("192.0.2.1", "server.host: '192.0.2.1' is not an address of this machine."),
    ],
)
async def test_a_bad_host_is_one_sentence(host: str, sentence: str) -> None:
    with pytest.raises(StartError) as raised:
        await bind(host, 0)
    assert str(raised.value).startswith(sentence)


async def test_a_taken_port_is_one_sentence() -> None:
    (listening,) = await bind("127.0.0.1", 0)
    port = listening.getsockname()[1]
    with listening, pytest.raises(StartError) as raised:
        await bind("127.0.0.1", port)
    assert str(raised.value).startswith(f"Port {port} on 127.0.0.1 is taken")


class Listening:
    """A listening socket of which each accept is as told."""

    def __init__(self, *outcomes: Any) -> None:
        self.outcomes = list(outcomes)
        self.real = socket.socket()
        self.real.bind(("127.0.0.1", 0))
        self.real.listen()

    def fileno(self) -> int:
        return self.real.fileno()

    def getsockname(self) -> Any:
        return self.real.getsockname()

    def close(self) -> None:
        self.real.close()

    def accept(self) -> tuple[socket.socket, Any]:
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome, ("192.0.2.1", 1)


def full() -> OSError:
    return OSError(errno.EMFILE, "too many open files")


def make(
    listening: Any, arrived: Callable[[Any, str], None], told: Callable[[Any], None]
) -> tuple[Listener, Counter[str]]:
    refused: Counter[str] = Counter()
    return Listener([listening], arrived, told, refused), refused


async def test_without_descriptors_the_waiting_are_told_with_the_spare_one() -> None:
    one, other = socket.socketpair()
    two, another = socket.socketpair()
    listening = Listening(full(), one, full(), two, BlockingIOError())
    told: list[Any] = []
    made, refused = make(listening, lambda *_: pytest.fail("nobody was admitted"), told.append)
    made.start()
    made._accept(listening)  # type: ignore[arg-type]
    assert told == [one, two]
    assert one.fileno() == two.fileno() == -1, "closed"
    assert refused == {"descriptors": 2}
    made.stop()
    other.close()
    another.close()


async def test_without_even_the_spare_it_rests_instead_of_spinning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(room, "PAUSE_SECONDS", 0.05)
    pair = socket.socketpair()
    listening = Listening(full(), pair[0], BlockingIOError())
    arrived = asyncio.Event()
    made, _ = make(listening, lambda *_: arrived.set(), lambda _: pytest.fail("told"))
    made.start()
    made._drop_spare()
    monkeypatch.setattr(made, "_keep_spare", lambda: None)
    made._accept(listening)  # type: ignore[arg-type]
    loop = asyncio.get_running_loop()
    assert not loop.remove_reader(listening.fileno()), "it is not watched while it rests"
    client = socket.create_connection(listening.getsockname())  # readable from now on
    async with asyncio.timeout(10):
        await arrived.wait()
    made.stop()
    client.close()
    for end in pair:
        end.close()


async def test_a_burst_does_not_keep_the_loop() -> None:
    pairs = [socket.socketpair() for _ in range(room.AT_ONCE + 1)]
    listening = Listening(*(one for one, _ in pairs), BlockingIOError())
    taken: list[Any] = []
    made, _ = make(listening, lambda sock, _: taken.append(sock), lambda _: None)
    made._accept(listening)  # type: ignore[arg-type]
    assert len(taken) == room.AT_ONCE
    made.stop()
    for pair in pairs:
        for end in pair:
            end.close()
