"""The page's scripts without a page: their unit tests run in Node.js."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.programs import program
from tests.vectors import dogfight

HERE = Path(__file__).parent
WEB = HERE.parents[1] / "fastws" / "web"


@pytest.mark.node
@pytest.mark.parametrize("script", sorted(path.name for path in HERE.glob("*.test.mjs")))
def test_the_scripts_pass_their_tests(script: str) -> None:
    done = subprocess.run(
        [program("node"), "--test", "--test-reporter=tap", str(HERE / script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# fail 0" in done.stdout
    assert "# tests 0" not in done.stdout


def test_the_flights_are_those_of_the_rules_now() -> None:
    assert dogfight.FILE.read_text() == dogfight.text(), "run: python -m tests.vectors.dogfight"


def test_nothing_the_server_says_becomes_markup() -> None:
    for path in WEB.glob("*.js"):
        for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
            assert way not in path.read_text(), f"{path.name} uses {way}"


@pytest.mark.parametrize("name", ["index.html", "skyduel.html"])
def test_nothing_needs_what_the_content_policy_forbids(name: str) -> None:
    page = (WEB / name).read_text()
    assert "style=" not in page
    assert "<style" not in page
    assert " on" not in "".join(part.partition(">")[0] for part in page.split("<")[1:])
    assert page.count("<script") == page.count('<script type="module" src="/static/')


def test_the_types_name_what_the_client_has() -> None:
    """Names of client.d.ts against those of client.js, both ways."""
    declared = set(
        re.findall(r"^export (?:class|const|function) (\w+)", _text("client.d.ts"), re.MULTILINE)
    )
    exported = set(re.findall(r"^export class (\w+)", _text("client.js"), re.MULTILINE))
    for names in re.findall(r"^export \{ (.*?) \}", _text("client.js"), re.MULTILINE):
        exported |= set(names.split(", "))
    assert declared == exported


def _text(name: str) -> str:
    return (WEB / name).read_text("utf-8")
