"""Programs of the machine that some tests run: a browser, Node.js."""

from __future__ import annotations

import os
import shutil

import pytest


def program(name: str) -> str:
    """Where ``name`` is; without it the test is skipped, or fails if REQUIRE_PROGRAMS is set."""
    path = shutil.which(name)
    if path is not None:
        return path
    why = f"no {name} on this machine"
    if os.environ.get("REQUIRE_PROGRAMS"):
        pytest.fail(why)
    pytest.skip(why)
