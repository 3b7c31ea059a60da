"""One server and its crowd as processes, windows of work, and what they cost."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MADE = ROOT / "build" / "bench"
SETTLE_SECONDS = 0.25
IDLE_SECONDS = 1.0
START_SECONDS = 60
TICKS = os.sysconf("SC_CLK_TCK")


def program(name: str, folder: Path = HERE) -> str:
    """The path of a C program of a folder, built when it is older than its source."""
    source, target = folder / f"{name}.c", MADE / name
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        MADE.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-o", target, source], check=True)
    return str(target)


def cpu_seconds(pid: int) -> float:
    """CPU that a process used so far, user and system.

    From the scheduler's nanoseconds where the kernel keeps them, from ``stat`` (10 ms) else.
    """
    threads = list(Path(f"/proc/{pid}/task").iterdir())
    spent = [(task / "schedstat").read_text().split()[0] for task in threads]
    total = sum(map(int, spent)) / 1e9
    if total:
        return total
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


@dataclass
class Window:
    """What one window of work cost, idling of the same time taken off, and what came of it."""

    cpu: float
    ticks: float
    told: dict[str, Any]
    clients: int

    @property
    def per_delivery(self) -> float:
        """Microseconds of the server's CPU for one client and tick."""
        return self.cpu / max(1.0, self.ticks * self.clients) * 1e6

    @property
    def faults(self) -> int:
        """Frames out of order, wrong, and clients that were cut off."""
        return int(self.told["disorder"] + self.told["wrong"] + self.told["closed"])


@dataclass
class Contest:
    """A server with its crowd. ``command`` prints ``port N``; see `Work` for its signals."""

    name: str
    command: list[str]
    clients: int
    mode: str
    path: str = "/?i=%d"
    messages: list[str] = field(default_factory=list)
    per_tick: int = 1
    windows: list[Window] = field(default_factory=list)
    idle: float = 0.0  # share of a core while nothing is sent
    environment: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> Contest:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **self.environment}
        self.server = subprocess.Popen(
            self.command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT
        )
        try:
            self._join()
        except BaseException:
            self.server.kill()
            self.server.wait()
            raise
        return self

    def _join(self) -> None:
        assert self.server.stdout is not None
        port = None
        for line in self.server.stdout:
            if found := re.match(r"port (\d+)", line):
                port = found[1]
                break
        if port is None:
            raise RuntimeError(f"{self.name} did not start")
        self.port = int(port)
        crowd = [program("generator"), port, self.path, str(self.clients), self.mode]
        if self.messages:
            MADE.mkdir(parents=True, exist_ok=True)
            said = MADE / f"messages-{self.server.pid}"
            said.write_text("".join(f"{line}\n" for line in self.messages))
            crowd.append(str(said))
        self.crowd = subprocess.Popen(
            crowd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.crowd.stdout is not None
        if self.crowd.stdout.readline() != "ready\n":
            raise RuntimeError(f"{self.name}: not all clients were let in")
        time.sleep(SETTLE_SECONDS)
        self._settle()
        self.idle = min(self._share(IDLE_SECONDS) for _ in range(3))

    def _share(self, seconds: float) -> float:
        """Part of a core it uses just now."""
        before = cpu_seconds(self.server.pid)
        time.sleep(seconds)
        return (cpu_seconds(self.server.pid) - before) / seconds

    def mark(self) -> dict[str, Any]:
        """What came since the last mark."""
        assert self.crowd.stdin is not None
        assert self.crowd.stdout is not None
        self.crowd.stdin.write("mark\n")
        self.crowd.stdin.flush()
        told: dict[str, Any] = json.loads(self.crowd.stdout.readline())
        return told

    def _settle(self) -> None:
        """Wait until the server has done what it had begun, at most some seconds."""
        for _ in range(20):
            before = cpu_seconds(self.server.pid)
            time.sleep(SETTLE_SECONDS)
            if cpu_seconds(self.server.pid) - before < SETTLE_SECONDS / 20:
                return

    def begin(self) -> None:
        """Let it tick until `end`."""
        self.server.send_signal(signal.SIGUSR2)

    def end(self) -> None:
        """No more ticks; returns when what had begun is done."""
        self.server.send_signal(signal.SIGHUP)
        self._settle()

    def work(self, seconds: float, keep: bool = True) -> Window:
        """Let it tick for a while; CPU and frames until all has arrived."""
        self.mark()
        before, began = cpu_seconds(self.server.pid), time.monotonic()
        self.begin()
        time.sleep(seconds)
        self.end()
        spent = cpu_seconds(self.server.pid) - before
        spent -= self.idle * (time.monotonic() - began)
        told = self.mark()
        ticks = told["frames"] / self.clients / self.per_tick
        window = Window(spent, ticks, told, self.clients)
        if keep:
            self.windows.append(window)
        return window

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.crowd.stdin.close()  # type: ignore[union-attr]
        self.crowd.wait(10)
        self.server.terminate()
        try:
            self.server.wait(5)
        except subprocess.TimeoutExpired:
            self.server.kill()
            self.server.wait()
        (MADE / f"messages-{self.server.pid}").unlink(missing_ok=True)


def python(module: str, *args: object) -> list[str]:
    """The command of a peer in Python."""
    return [sys.executable, "-m", f"bench.peers.{module}", *map(str, args)]
