"""The private server: one sentence for each trouble, nothing left behind."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fastws.errors import StartError
from fastws.store.embedded import EmbeddedPostgres

HOLDER = """
import sys, pathlib
from fastws.store.embedded import EmbeddedPostgres
server = EmbeddedPostgres(pathlib.Path(sys.argv[1]))
server.start()
print(server.pid, flush=True)
sys.stdin.read()
"""


def hold(folder: Path) -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def release(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_nothing_is_left_after_the_parent_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "pg"
    process, pid = hold(folder)
    watcher = os.pidfd_open(pid)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    poll = select.poll()
    poll.register(watcher)
    assert poll.poll(20_000), "the database outlived its parent"
    os.close(watcher)
    assert not (folder / "postgres" / "postmaster.pid").exists()
    assert not list(folder.glob(".s.PGSQL*"))
    again = EmbeddedPostgres(folder)
    again.start()
    again.stop()


def test_a_folder_in_use_is_a_sentence(tmp_path: Path) -> None:
    process, _ = hold(tmp_path / "pg")
    try:
        with pytest.raises(StartError, match="in use by another fastws"):
            EmbeddedPostgres(tmp_path / "pg").start()
    finally:
        release(process)


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match="Cannot write to the data folder"):
        EmbeddedPostgres(tmp_path / "file" / "below").start()


def test_a_broken_cluster_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("3\n")
    with pytest.raises(StartError, match="did not start"):
        EmbeddedPostgres(tmp_path).start()


def test_it_keeps_what_it_had(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "a" / "b")
    first = server.start()
    server.stop()
    assert server.start() == first
    assert server.pid is not None
    server.stop()
    assert server.pid is None


def test_a_long_path_gets_a_short_socket(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / ("x" * 100))
    assert "xxxx" not in server.start()
    server.stop()


def test_only_the_main_thread_may_start_it(tmp_path: Path) -> None:
    caught: list[BaseException] = []

    def attempt() -> None:
        try:
            EmbeddedPostgres(tmp_path).start()
        except RuntimeError as error:
            caught.append(error)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    assert len(caught) == 1
