"""Why the limiter is compiled: it runs once per frame and several times per message.

The figures from C are those of a loop that is compiled here against the installed module, as
its callers in `fastws._core` are: a check each, nothing of Python in between.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from Cython.Build import cythonize
from setuptools import Distribution, Extension

import fastws
from fastws._core.limiter import Bucket, Buckets, take_all
from tests.core import oracle

KEYS = 10_000

LOOP = """
# cython: language_level=3, boundscheck=False
from fastws._core.limiter cimport Bucket, Buckets


def idle(list keys, long times):
    cdef long at, size = len(keys), seen = 0
    for at in range(times):
        key = keys[at % size]
        seen += key is not None
    return seen


def take(Bucket bucket, long times):
    cdef long at, refused = 0
    for at in range(times):
        refused += bucket.take(1.0 + at * 1e-9) > 0
    return refused


def take_by_key(Buckets buckets, list keys, long times):
    cdef long at, size = len(keys), refused = 0
    for at in range(times):
        refused += buckets.take(keys[at % size], 1.0 + at * 1e-9) > 0
    return refused
"""


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The loops, compiled with the switches of the modules themselves."""
    folder = tmp_path_factory.mktemp("loop")
    (folder / "limiter_loop.pyx").write_text(LOOP)
    extension = Extension(
        "limiter_loop", [str(folder / "limiter_loop.pyx")], extra_compile_args=["-O3", "-g0"]
    )
    root = str(Path(fastws.__file__).parent.parent)
    made = cythonize([extension], build_dir=str(folder), include_path=[root], quiet=True)
    command: Any = Distribution({"ext_modules": made}).get_command_obj("build_ext")
    command.build_lib = command.build_temp = str(folder)
    command.ensure_finalized()
    command.run()
    name = "limiter_loop" + sysconfig.get_config_var("EXT_SUFFIX")
    spec = importlib.util.spec_from_file_location("limiter_loop", folder / name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def filled() -> tuple[Buckets, list[str]]:
    """Buckets of many users, and the users in an order no cache foresees."""
    keys = [f"{number * 7919 % KEYS:044d}" for number in range(KEYS)]
    buckets = Buckets(1e9, 1e9)
    for key in keys:
        buckets.take(key, 0.0)
    return buckets, keys


def nanoseconds(call: Callable[..., int], *args: Any, times: int = 200_000) -> float:
    """The best of some runs, an iteration."""
    best = 1e9
    for _ in range(15):
        begun = time.perf_counter_ns()
        assert call(*args, times) in (0, times)
        best = min(best, (time.perf_counter_ns() - begun) / times)
    return best


def test_take(benchmark: Any) -> None:
    bucket = Bucket(1e9, 1e9)
    benchmark(bucket.take, 1.0)


def test_take_by_key(benchmark: Any) -> None:
    buckets, keys = filled()
    benchmark(buckets.take, keys[5000], 1.0)


def test_take_of_all(benchmark: Any) -> None:
    together = (Bucket(1e9, 1e9), Bucket(1e9, 1e9))
    benchmark(take_all, together, 1.0, 5.0)


def test_take_in_the_twin(benchmark: Any) -> None:
    bucket = oracle.Bucket(1e9, 1e9)
    benchmark(bucket.take, 1.0)


def test_take_in_c(benchmark: Any, loop: Any) -> None:
    bucket = Bucket(1e9, 1e9)
    benchmark.extra_info["ns_each"] = round(nanoseconds(loop.take, bucket), 1)
    benchmark(loop.take, bucket, 1000)


def test_take_by_key_in_c(benchmark: Any, loop: Any) -> None:
    """``ns_each`` is a check of one of ten thousand users in turn, ``idle`` the loop without it."""
    buckets, keys = filled()
    one = [keys[5000]]
    benchmark.extra_info["ns_each"] = round(nanoseconds(loop.take_by_key, buckets, keys), 1)
    benchmark.extra_info["ns_same_user"] = round(nanoseconds(loop.take_by_key, buckets, one), 1)
    benchmark.extra_info["ns_idle"] = round(nanoseconds(loop.idle, keys), 1)
    benchmark(loop.take_by_key, buckets, keys, 1000)


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="needs valgrind")
def test_instructions_of_a_check(benchmark: Any, tmp_path: Path) -> None:
    """Instructions from Python, by the difference of two runs under callgrind."""
    script = """
import itertools, sys
from fastws._core.limiter import Buckets
def run(times, key, take):
    for _ in itertools.repeat(None, times): take(key, 1.0)
buckets = Buckets(1e9, 1e9)
buckets.take("w" * 44, 0.0)
run(int(sys.argv[1]), "w" * 44, buckets.take)
"""

    def instructions(times: int) -> int:
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={tmp_path / 'out'}"]
        run = subprocess.run(
            [*command, sys.executable, "-c", script, str(times)],
            capture_output=True, text=True, check=True, cwd=Path(fastws.__file__).parent.parent,
        )  # fmt: skip
        (line,) = [line for line in run.stderr.splitlines() if "Collected" in line]
        return int(line.rpartition(":")[2])

    few, many = 1000, 51_000
    found = (instructions(many) - instructions(few)) / (many - few)
    benchmark.extra_info["instructions_each"] = round(found)
    buckets = Buckets(1e9, 1e9)
    benchmark(buckets.take, "w" * 44, 1.0)
