"""A fastws server in a process of its own, and what the kernel says of it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from types import TracebackType

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


class ServerProcess:
    """``fastws serve`` on a free port with a folder of its own; a context manager.

    ``settings`` are environment names without the ``FASTWS_`` prefix; ``command`` is another
    way to serve.
    """

    module: tuple[str, ...] = ("fastws",)
    """What Python runs, and what it is told before the command."""

    def __init__(self, *args: str, command: str = "serve", **settings: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="fastws-bench-")
        self._command = command
        self._args = args
        self.tokens: list[str] = []
        self.environment = {
            **os.environ,
            "FASTWS_ENVIRONMENT": "development",
            "FASTWS_PROFILE": "loadtest",
            "FASTWS_DATA_DIR": str(Path(self._folder.name) / "data"),
            "FASTWS_LOG_LEVEL": "warning",
            **{f"FASTWS_{name}": value for name, value in settings.items()},
        }

    @property
    def data_dir(self) -> Path:
        """The server's data folder."""
        return Path(self.environment["FASTWS_DATA_DIR"])

    @property
    def database_pid(self) -> int:
        """Process id of its private PostgreSQL."""
        return int((self.data_dir / "postgres" / "postmaster.pid").read_text().split()[0])

    def log(self) -> str:
        """Everything the server wrote to stderr so far."""
        return Path(self._folder.name, "stderr").read_text()

    def __enter__(self) -> ServerProcess:
        self._errors = Path(self._folder.name, "stderr").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", *self.module, self._command, "--port", "0", *self._args],
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=self.environment,
            text=True,
        )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
            if found:
                self.port = int(found[1])
                self.url = f"http://127.0.0.1:{self.port}"
                return self
        self._errors.seek(0)
        raise RuntimeError(f"the server did not start: {self._errors.read()[-2000:]}")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGTERM)  # it drains: the second ends it now
            self.process.wait(10)
        finally:
            self._let_go()

    def _let_go(self) -> None:
        """Leave nothing behind, whatever happened."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._errors.close()
        self._folder.cleanup()

    @property
    def cpu(self) -> float:
        """CPU seconds used so far, user and system."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    @property
    def rss(self) -> int:
        """Resident bytes now."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * PAGE

    def token(self, wallet: str) -> str:
        """A WebSocket token for ``wallet``, by dev-login."""
        secret = Path(self.environment["FASTWS_DATA_DIR"], "dev_secret").read_text().strip()
        body = json.dumps({"secret": secret, "wallet_address": wallet}).encode()
        request = urllib.request.Request(
            f"{self.url}/api/auth/dev-login", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request) as answer:
            cookie = answer.headers["Set-Cookie"].split(";")[0]
        request = urllib.request.Request(f"{self.url}/api/auth/token", headers={"Cookie": cookie})
        with urllib.request.urlopen(request) as answer:
            token = str(json.load(answer)["token"])
        self.tokens.append(token)
        return token
