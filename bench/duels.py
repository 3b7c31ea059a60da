"""A hundred matches of eight players, each a socket that sends thirty inputs a second.

The server's CPU, how late its steps are, and how long an input takes until the state names it: of
sixteen players who read what they get here; the others are a process of C (pilots.c). With
``--watch=5000`` so many spectators follow the first match, too, and players are compared with and
without them.

python -m bench duels [--quick] [--matches=100] [--watch=5000]
"""

from __future__ import annotations

import json
import random
import re
import select
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

from bench.peers.run import cpu_seconds, program
from bench.process import ServerProcess
from bench.sockets import connect, frame, read_frame
from fastws.client.followed import Followed
from fastws.client.frames import blocks
from fastws.domain.skyduel.game import Controls
from fastws.endpoints.skyduel.playing import pack

HZ = 30
SPECTATOR_HZ = 10
BYTES = 64
"""Of what a player gets at a step, heads of frames included."""
PLAYERS = 8
LOOKING = 16
HEAD = b"\x82\x8c\x00\x00\x00\x00"  # a masked binary frame of 12 bytes; the mask is zero


class Pilot:
    """One player: sends, and reads or only drains."""

    def __init__(self, sock: socket.socket, match: int, number: int, looks: bool) -> None:
        self.sock, self.match, self.number = sock, match, number
        self.followed = Followed() if looks else None
        self.seq = 0
        self.turn = 0
        self.sent: dict[int, float] = {}
        self.acknowledged = 0
        self.waits: list[float] = []
        self.frames = self.bytes = 0
        self._rest = b""

    def subscribe(self) -> None:
        """Follow the match; what is confirmed is read at once."""
        for label in (f"match.{self.match}", f"match.{self.match}.own"):
            asked = {"type": "subscribe", "channel": label, "format": "binary", "id": 1}
            self.sock.sendall(frame(json.dumps(asked).encode()))
            while True:
                opcode, payload = read_frame(self.sock)
                self._take(opcode, payload, 0.0)
                if opcode == 1 and b"subscription_confirmed" in payload:
                    if self.followed is not None:
                        self.followed.confirmed(json.loads(payload), None)
                    break

    def send(self, now: float, rng: random.Random) -> None:
        """One input; now and then another way."""
        self.seq += 1
        if self.seq % 20 == 0:
            self.turn = rng.randrange(-127, 128)
        fire = self.seq % 10 == 0
        self.sock.sendall(HEAD + pack(self.seq, int(now * 1000), Controls(100, self.turn, fire)))
        if self.followed is not None:
            self.sent[self.seq] = now

    def read(self, now: float) -> bool:
        """What has come; False when the connection is gone."""
        data = self.sock.recv(65536)
        if not data:
            return False
        self.bytes += len(data)
        if self.followed is None:
            return True
        data = self._rest + data
        while len(data) >= 2:
            size, front = data[1] & 127, 2
            if size == 126:
                if len(data) < 4:
                    break
                size, front = int.from_bytes(data[2:4], "big"), 4
            if len(data) < front + size:
                break
            self._take(data[0] & 15, data[front : front + size], now)
            data = data[front + size :]
        self._rest = data
        return True

    def _take(self, opcode: int, payload: bytes, now: float) -> None:
        if opcode != 2 or self.followed is None:
            return
        self.frames += sum(1 for _ in blocks(payload))
        list(self.followed.binary(payload))
        copy = self.followed[f"match.{self.match}"]
        row = copy.rows.get(1 + self.number)
        if row is None:
            return
        seq = row[4][0]
        if seq != self.acknowledged and seq in self.sent:
            self.waits.append(now - self.sent[seq])
            self.sent = {one: when for one, when in self.sent.items() if one > seq}
            self.acknowledged = seq


def gather(server: ServerProcess, matches: int) -> list[Pilot]:
    """All players, seated, following, ready."""
    found = []
    for number in range(matches):
        id_ = 0
        for place in range(PLAYERS):
            index = number * PLAYERS + place
            sock = connect(server.port, "/api/v69/ws/skyduel", server.token(f"Pilot{index}"), index)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as browsers do
            if place == 0:
                ask = {"type": "create_match", "seconds": 1800, "score": 100}
            else:
                ask = {"type": "join_match", "match_id": id_}
            sock.sendall(frame(json.dumps(ask).encode()))
            while b'"match_joined"' not in (payload := read_frame(sock)[1]):
                pass
            said = json.loads(payload)
            id_ = said["match"]["match_id"]
            looks = index % (matches * PLAYERS // LOOKING or 1) == 0
            pilot = Pilot(sock, id_, said["player"], looks)
            pilot.subscribe()
            found.append(pilot)
    for pilot in found:
        pilot.sock.sendall(frame(b'{"type":"ready"}'))
    return found


class Crowd:
    """A process of C for sockets that nobody looks at: they send, if ``hz``, and throw away."""

    def __init__(self, socks: list[socket.socket], hz: int) -> None:
        # behind whoever reads here: what is measured is not how long a core was taken
        nice = ["nice", "-n", "15", program("pilots", Path(__file__).parent), str(hz), "69"]
        self._begin(nice, socks)

    def _begin(self, command: list[str], socks: list[socket.socket]) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[sock.fileno() for sock in socks],
        )
        assert self._process.stdin is not None
        self._process.stdin.write(b"".join(b"%d\n" % sock.fileno() for sock in socks) + b"\n")
        self._process.stdin.flush()

    @property
    def going(self) -> bool:
        """Whether no socket was closed."""
        return self._process.poll() is None

    def end(self) -> None:
        """Stop sending."""
        self._process.communicate()


class Bare(Crowd):
    """A C loop in place of the server: reads what comes, sends so many bytes at each step."""

    def __init__(self, socks: list[socket.socket], size: int) -> None:
        self._begin([program("beat", Path(__file__).parent), str(HZ), str(size)], socks)

    @property
    def cpu(self) -> float:
        """CPU seconds used so far."""
        return cpu_seconds(self._process.pid)


def bare(players: int, size: int, seconds: float) -> float:
    """The share of a core that the sockets of so many players take alone."""
    pairs = []
    with socket.create_server(("127.0.0.1", 0), backlog=players) as listener:
        for _ in range(players):
            ours = socket.create_connection(listener.getsockname())
            theirs, _ = listener.accept()
            for sock in (ours, theirs):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            pairs.append((ours, theirs))
    crowd = Crowd([ours for ours, _ in pairs], HZ)
    loop = Bare([theirs for _, theirs in pairs], size)
    time.sleep(2)
    before, begun = loop.cpu, time.monotonic()
    time.sleep(seconds)
    share = (loop.cpu - before) / (time.monotonic() - begun)
    loop.end()
    crowd.end()
    for pair in pairs:
        for sock in pair:
            sock.close()
    return share


def play(pilots: list[Pilot], seconds: float) -> None:
    """Send and read for so long, each player at his own moment."""
    rng = random.Random(69)
    poll = select.epoll()
    by_fd = {pilot.sock.fileno(): pilot for pilot in pilots}
    for pilot in pilots:
        pilot.sock.setblocking(False)
        poll.register(pilot.sock, select.EPOLLIN)
    begun, turn = time.monotonic(), 0
    step = 1 / (HZ * len(pilots))
    while (now := time.monotonic()) - begun < seconds:
        while turn * step <= now - begun:
            pilots[turn % len(pilots)].send(now, rng)
            turn += 1
        for fd, _ in poll.poll(max(0.0, begun + turn * step - time.monotonic())):
            if not by_fd[fd].read(time.monotonic()):
                raise ConnectionError("a player was sent away")
    poll.close()


def late(server: ServerProcess) -> dict[str, float]:
    """What the server says of its steps."""
    with urllib.request.urlopen(f"{server.url}/metrics") as answer:
        text = answer.read().decode()
    found = {}
    for name in ("steps_late", "steps_dropped"):
        line = re.search(rf"^fastws_skyduel_{name}_total (\S+)", text, re.MULTILINE)
        found[name] = float(line[1]) if line else 0.0
    for outcome in ("applied", "late", "limited"):
        line = re.search(rf'fastws_skyduel_inputs_total{{outcome="{outcome}"}} (\S+)', text)
        found[outcome] = float(line[1]) if line else 0.0
    return found


def measure(
    server: ServerProcess, pilots: list[Pilot], seconds: float, what: str
) -> tuple[float, float]:
    """One window; the 99th percentile of waits, ms, and the share of a core."""
    for pilot in pilots:
        pilot.waits, pilot.frames, pilot.bytes = [], 0, 0
    before, cpu, begun = late(server), server.cpu, time.monotonic()
    mine = time.process_time()
    play(pilots, seconds)
    gone = time.monotonic() - begun
    cpu, mine = (server.cpu - cpu) / gone, (time.process_time() - mine) / gone
    after = late(server)
    waits = sorted(1000 * one for pilot in pilots for one in pilot.waits)
    cuts = statistics.quantiles(waits, n=1000)
    rate = sum(pilot.frames for pilot in pilots) / len(pilots) / gone
    size = sum(pilot.bytes for pilot in pilots) / len(pilots) / gone / HZ
    made = {name: after[name] - before[name] for name in before}
    print(
        f"{what}: {cpu:.0%} of a core (this client {mine:.0%}), "
        f"input to state p50 {cuts[499]:.1f}, p99 {cuts[989]:.1f}, p99.9 {cuts[998]:.1f} ms "
        f"of {len(waits)}, {rate:.1f} frames a second and player, {size:.0f} bytes a step, "
        f"{made['applied'] / gone:.0f} inputs a second; "
        f"steps late {made['steps_late']:.0f}, dropped {made['steps_dropped']:.0f}; "
        f"inputs late {made['late']:.0f}, limited {made['limited']:.0f}",
        flush=True,
    )
    return cuts[989], cpu


def watch(port: int, match: int, count: int, found: list[socket.socket]) -> None:
    """So many spectators of a match."""
    asked = {"type": "subscribe", "channel": f"match.{match}", "format": "binary"}
    path = "/api/v69/ws/skyduel?endpoint=public.matches"
    for index in range(count):
        sock = connect(port, path, index=10_000 + index)
        sock.sendall(frame(json.dumps(asked).encode()))
        found.append(sock)


def run() -> None:
    """Measure and print."""
    options = dict(re.findall(r"--(matches|watch)=(\d+)", " ".join(sys.argv)))
    seconds = 10.0 if "--quick" in sys.argv else 60.0
    with ServerProcess(MARKET_SOURCE="none") as server:
        players = gather(server, int(options.get("matches", 100)))
        looking = [one for one in players if one.followed is not None]
        crowd = Crowd([one.sock for one in players if one.followed is None], HZ)
        play(looking, 5.0)  # the countdown, and what is warm after it
        alone = measure(server, looking, seconds, f"{len(players)} players")
        if "watch" in options:
            socks: list[socket.socket] = []
            asked = server.port, players[0].match, int(options["watch"]), socks
            coming = threading.Thread(target=watch, args=asked)
            coming.start()
            while coming.is_alive():
                play(looking, 0.5)
            spectators = Crowd(socks, 0)
            play(looking, 3.0)
            beside = measure(server, looking, seconds, f"beside {len(socks)} spectators")
            cost = (beside[1] - alone[1]) / (len(socks) * SPECTATOR_HZ) * 1e6
            print(
                f"p99 {beside[0] / alone[0]:.2f} x that without spectators, "
                f"{cost:.1f} us of CPU a spectator's frame"
            )
            assert spectators.going
            spectators.end()
        assert crowd.going, "a player was sent away"
        crowd.end()
    floor = bare(len(players), BYTES, seconds / 2)
    print(f"a bare loop for the same sockets: {floor:.0%} of a core")
