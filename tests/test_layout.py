"""The house rules, executable: sizes, names, who has tests, and what must not be written."""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
from pathlib import Path

import pytest

from fastws.endpoint import Endpoint
from tests.layout import ROOT, compiled_classes, functions, imports, ours, text, tracked, tree

FILE_LINES = 400
ENDPOINT_LINES = 250
FUNCTION_LINES = 50
SOURCES = (".py", ".pyx", ".pxd", ".pyi", ".js")
NAMELESS = {
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "manager",
    "managers",
    "service",
    "misc",
}

TWINLESS = {
    "Column": "a name and a kind",
    "Cells": "compared as part of the Table they are the cells of",
    "Observer": "what a View and tests may be told; it does nothing itself",
    "Encoder": "compared through the frames of the Follower",
    "BinaryEncoder": "compared through the frames of the Follower",
    "JsonEncoder": "compared through the frames of the Follower",
    "Buckets": "buckets by key; each of them is a Bucket",
    "Cork": "a list of lines and a slice of them",
    "Line": "compared with the bytes that arrive",
    "Traffic": "two numbers",
    "Socket": "compared with the twin of the messages it carries",
}
"""Compiled classes without a readable twin, and why they need none."""


def code(*suffixes: str) -> list[Path]:
    """Ours, without tests."""
    return [path for path in ours(*suffixes) if path.parts[0] != "tests"]


# ── sizes ───────────────────────────────────────────────────────────────────────────────


def test_files_are_short() -> None:
    long = {}
    for path in code(*SOURCES):
        endpoint = path.parts[:2] == ("fastws", "endpoints")
        lines = len(text(path).splitlines())
        if lines >= (ENDPOINT_LINES if endpoint else FILE_LINES):
            long[str(path)] = lines
    assert long == {}


def test_functions_are_short() -> None:
    long = {
        f"{path}: {name}": lines
        for path in code(".py", ".pyx", ".js")
        for name, lines in functions(path)
        if lines >= FUNCTION_LINES
    }
    assert long == {}


def test_the_scans_for_lengths_see_what_is_there(tmp_path: Path) -> None:
    body = "        x = 1\n" * 60
    samples = {
        "a.pyx": "cdef class A(B):\n    cdef inline int long(self, int a,\n            int b):\n"
        f"{body}\n    def short(self):\n        return 1\n",
        "a.py": f"class A:\n    async def long(self):\n{body}    def short(self): ...\n",
        "a.js": "class A {\n  async long(a, b) {\n"
        + "    x()\n" * 61
        + "  }\n  short() {\n  }\n}\n"
        "export function alone(x) {\n  return 1\n}\nconst arrow = (a) => {\n}\nif (a) {\n}\n",
    }
    found = {}
    for name, sample in samples.items():
        (tmp_path / name).write_text(sample)
        found[name] = [lines for _, lines in functions(tmp_path / name)]
    assert found["a.pyx"] == [62, 2]
    assert found["a.py"] == [61, 1]
    assert found["a.js"] == [63, 2, 3, 2]


# ── names ───────────────────────────────────────────────────────────────────────────────


def test_a_room_is_named_for_what_it_owns() -> None:
    parts = {Path(part).stem for path in tracked() for part in path.parts}
    assert not parts & NAMELESS


def rooms() -> list[Path]:
    """Everything directly under fastws/ that is a room, and the rooms of domain/."""
    found = {
        Path(*path.parts[:2])
        for path in tracked()
        if path.parts[0] == "fastws" and (len(path.parts) > 2 or path.suffix == ".py")
    }
    found |= {Path(*path.parts[:3]) for path in ours(".py", under="fastws/domain/") if path.suffix}
    return sorted(path for path in found if not path.stem.startswith("__"))


def test_rooms_have_tests_of_their_own() -> None:
    assert [str(path) for path in rooms() if not has_tests(path)] == []


def has_tests(path: Path) -> bool:
    """``fastws/x.py`` → ``tests/test_x.py``; ``fastws/room/`` → that, or ``tests/room/``."""
    place = Path("tests", *path.parts[1:-1])
    name = path.stem.removeprefix("_")
    tests = [place / f"test_{name}.py"]
    if path.suffix != ".py":
        tests += (ROOT / place / name).rglob("test_*.py")
    return any((ROOT / test).is_file() for test in tests)


ENDPOINTS = {Path(path.parts[2]).stem for path in ours(".py", under="fastws/endpoints/")}


@pytest.mark.parametrize("name", sorted(ENDPOINTS - {"__init__"}))
def test_an_endpoint_has_a_test_file_and_a_url_of_its_name(name: str) -> None:
    """It is a file, or a folder with a file a subject."""
    assert (ROOT / "tests/endpoints" / f"test_{name}.py").is_file()
    module = importlib.import_module(f"fastws.endpoints.{name}")
    classes = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Endpoint) and value.path
    ]
    paths = {cls.path for cls in classes if cls.__module__ == module.__name__}
    assert paths == {name.replace("_", "-")}


def test_a_source_has_a_test_file() -> None:
    sources = {Path(path.parts[2]).stem for path in ours(".py", under="fastws/sources/")}
    missing = {
        name
        for name in sources - {"__init__"}
        if not (ROOT / "tests/sources" / f"test_{name}.py").is_file()
    }
    assert not missing


# ── compiled rooms ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", ours(".pyx"), ids=str)
def test_a_compiled_room_has_a_test_file_a_stub_and_a_twin(path: Path) -> None:
    assert (ROOT / "tests/core" / f"test_{path.stem}.py").is_file()
    assert (ROOT / path.with_suffix(".pyi")).is_file()
    oracle = tree(Path("tests/core/oracle.py"))
    twins = {node.name for node in oracle.body if isinstance(node, ast.ClassDef)}
    classes = compiled_classes(path)
    assert classes
    assert not set(classes) - twins - set(TWINLESS)


def test_the_exceptions_are_still_needed() -> None:
    classes = {name for path in ours(".pyx") for name in compiled_classes(path)}
    assert set(TWINLESS) <= classes


def test_picows_is_spoken_in_two_rooms_only() -> None:
    speakers = {
        path.parts[1]
        for path in ours(".py", ".pyx", ".pxd", ".pyi", under="fastws/")
        if "picows" in imports(path)
    }
    assert speakers <= {"gateway", "_core"}


# ── what must not be written ────────────────────────────────────────────────────────────


MACHINE = re.compile(r"(?<![\w./:}])/(?:home|root|Users|work|workspace)/\w")
UNFINISHED = re.compile(r"\b(?:TO" + "DO|FIX" + "ME|XX" + "X)\\b")


def test_files_name_no_folder_of_a_machine_and_leave_nothing_to_do() -> None:
    written = {
        str(path): MACHINE.findall(text(path)) + UNFINISHED.findall(text(path))
        for path in tracked()
        if path.suffix not in (".zst", ".gz", ".png", ".ico", ".woff2")
        and "vendor" not in path.parts
    }
    assert {name: found for name, found in written.items() if found} == {}


def test_no_error_is_swallowed() -> None:
    silent = [
        f"{path}:{node.lineno}"
        for path in ours(".py")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler) and all(map(_says_nothing, node.body))
    ]
    silent += [
        str(path)
        for path in ours(".pyx")
        if re.search(r"except[^\n]*:\s*(?:#[^\n]*)?\n?\s*pass\b", text(path))
    ]
    assert silent == []


def _says_nothing(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )


TESTS = ours(".py", under="tests/")


def test_tests_can_fail() -> None:
    """No assertion that always holds; no test without anything that could fail."""
    hollow = []
    for path in TESTS:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Assert) and isinstance(node.test, ast.Constant | ast.Tuple):
                hollow.append(f"{path}:{node.lineno}")
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                does = any(isinstance(x, ast.Assert | ast.Call) for x in ast.walk(node))
                if node.name.startswith("test_") and not does:
                    hollow.append(f"{path}: {node.name}")
    assert hollow == []


def test_tests_wait_for_events_not_for_time() -> None:
    """``time.sleep`` never, ``asyncio.sleep`` only between two looks, unless the line says why."""
    fixed = []
    for path in TESTS:
        lines = text(path).splitlines()
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and "fixed sleep:" not in lines[node.lineno - 1]:
                called = ast.unparse(node.func)
                seconds = getattr(node.args[0], "value", None) if node.args else None
                long = isinstance(seconds, int | float) and seconds >= 0.1
                if called == "time.sleep" or (called == "asyncio.sleep" and long):
                    fixed.append(f"{path}:{node.lineno}")
    assert fixed == []


# ── what is promised exists ─────────────────────────────────────────────────────────────


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MAKEFILE = text(Path("Makefile"))
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))


@pytest.mark.parametrize("entry", PROJECT["project"]["scripts"].values())
def test_a_script_has_its_function(entry: str) -> None:
    module, _, name = entry.partition(":")
    assert callable(getattr(importlib.import_module(module), name))


def test_make_targets_that_are_named_exist() -> None:
    for path in tracked():
        if path.suffix == ".md" or path == Path(".ci/run"):
            named = set(re.findall(r"(?:^|`|\s{4}|&& )make ([a-z]+)\b", text(path), re.MULTILINE))
            assert named <= TARGETS, path


def test_the_makefile_runs_what_exists() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) <= TARGETS
    for script in re.findall(r"\s\./(\S+\.sh)\b", MAKEFILE):
        assert (ROOT / script).is_file(), script


def test_documents_link_to_what_exists() -> None:
    for path in ours(".md"):
        for link in re.findall(r"\]\(([^)#:]+)\)", text(path)):
            assert (ROOT / path.parent / link).exists(), f"{path}: {link}"


def test_wheels_are_tested_with_modules_that_exist() -> None:
    command = PROJECT["tool"]["cibuildwheel"]["test-command"]
    for module in re.findall(r"fastws\.[\w.]+", command):
        assert importlib.import_module(module)
