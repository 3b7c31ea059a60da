"""What the layout tests read: tracked files, functions and their lengths, compiled classes."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent


@cache
def tracked() -> tuple[Path, ...]:
    """The project's files, relative to its root; in a source archive whatever is there."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    names = listed.stdout.splitlines() if listed.returncode == 0 else []
    paths = [Path(name) for name in names] or [
        path.relative_to(ROOT)
        for folder in ("fastws", "tests", "bench", "loadtest", "docs")
        for path in (ROOT / folder).rglob("*")
        if "__pycache__" not in path.parts and path.suffix != ".so"
    ]
    return tuple(path for path in paths if (ROOT / path).is_file())


def ours(*suffixes: str, under: str = "") -> list[Path]:
    """Tracked files of those kinds that we wrote (what is vendored is not ours)."""
    return [
        path
        for path in tracked()
        if path.suffix in suffixes and str(path).startswith(under) and "vendor" not in path.parts
    ]


@cache
def text(path: Path) -> str:
    return (ROOT / path).read_text("utf-8", "surrogateescape")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(text(path), str(path))


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Name and number of lines of each function."""
    if path.suffix == ".py":
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1
    elif path.suffix == ".js":
        yield from _braced(text(path).splitlines())
    else:
        yield from _indented(text(path).splitlines())


_CYTHON = re.compile(r"^(\s*)(?:async )?(?:def|cp?def)\s(?!class\b)[^=]*?(\w+)\(")


def _indented(lines: list[str]) -> Iterator[tuple[str, int]]:
    """Functions of Cython: from the ``def`` to the last line that is indented deeper."""
    for first, line in enumerate(lines):
        found = _CYTHON.match(line)
        if found is None:
            continue
        last, depth, head = first, len(found[1]), True
        for number, following in enumerate(lines[first + 1 :], first + 1):
            indent = len(following) - len(following.lstrip())
            if not following.strip():
                continue
            if indent <= depth and not (head and following.strip()[0] in "):"):
                break
            head = head and not following.rstrip().endswith(":")
            last = number
        yield found[2], last - first + 1


_KEYWORDS = r"(?:if|for|while|switch|catch|with|else|try|do|return|class)\b"
_FUNCTION = re.compile(
    rf"^(\s*)(?!\s*{_KEYWORDS})[\w\s#.$=:(,*]*?([\w#$]+)?\s*(?:=\s*)?(?:async\s*)?"
    r"(?:function\b.*|\([^()]*\)|\w+)\s*(?:=>)?\s*\{$"
)


def _braced(lines: list[str]) -> Iterator[tuple[str, int]]:
    """Functions of JavaScript: from the line that opens one to the brace under its start."""
    for first, line in enumerate(lines):
        found = _FUNCTION.match(line)
        if found is None or re.match(r"^\s*(?:export\s+)?class\b", line):
            continue
        for number, following in enumerate(lines[first + 1 :], first + 1):
            if re.match(rf"^{found[1]}\}}", following):
                yield line.strip(), number - first + 1
                break


def imports(path: Path) -> set[str]:
    """Top-level names of what a module imports."""
    if path.suffix == ".py":
        found = set()
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add((node.module or "").partition(".")[0])
        return found
    return set(re.findall(r"^\s*(?:from|c?import)\s+(\w+)", text(path), re.MULTILINE))


def compiled_classes(path: Path) -> list[str]:
    """Public classes of a ``.pyx``."""
    return re.findall(r"^(?:cdef )?class ([A-Z]\w*)", text(path), re.MULTILINE)
