"""Writes docs/reference.md and the browser's close_codes.js and messages.d.ts from declarations.

    python docs/generate.py

Commands, errors, close codes, figures and settings are said once, where they are used; a test
compares the files with what this prints.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET

import fastws.endpoints
from fastws.command import Command
from fastws.config import Config, EndpointsConfig, Setting, describe
from fastws.endpoint import BUILT_IN, Endpoint
from fastws.errors import CLOSE_CODES

ROOT = Path(__file__).parent.parent

HEAD = (
    "# Reference\n\nMade of the declarations in the code by `python docs/generate.py`; the"
    " protocol in prose is in [wire.md](wire.md).\n"
)


def pages() -> dict[Path, str]:
    """Every generated file and what should be in it."""
    return {
        ROOT / "docs/reference.md": reference(),
        ROOT / "fastws/web/close_codes.js": constants(),
        ROOT / "fastws/web/messages.d.ts": _beside("typescript.py")["declarations"](endpoints()),
    }


def _beside(name: str) -> dict[str, Any]:
    """What a file beside this one defines: this folder is no package."""
    return runpy.run_path(str(ROOT / "docs" / name))


def endpoints() -> list[type[Endpoint]]:
    """The endpoints there are, by path."""
    found = []
    for module in pkgutil.iter_modules(fastws.endpoints.__path__):
        room = importlib.import_module(f"fastws.endpoints.{module.name}")
        found += [
            value
            for value in vars(room).values()
            if isinstance(value, type) and issubclass(value, Endpoint) and value.path
        ]
    return sorted(found, key=lambda endpoint: endpoint.path)


def reference() -> str:
    """The whole page."""
    parts = [
        HEAD,
        "\n".join(_common()),
        *("\n".join(_endpoint(endpoint)) for endpoint in endpoints()),
        "\n".join(_closes()),
        "\n".join(_settings()),
    ]
    return "\n".join(parts)


def _common() -> Iterator[str]:
    yield "## What every endpoint answers\n"
    yield "| message | fields | role | |\n|---|---|---|---|"
    for type_ in sorted(BUILT_IN):
        yield _command(Endpoint.commands.get(type_) or _inherited(type_))
    yield ""


def _inherited(type_: str) -> Command:
    return endpoints()[0].commands[type_]


def _endpoint(endpoint: type[Endpoint]) -> Iterator[str]:
    limits = getattr(EndpointsConfig(), endpoint.path.replace("-", "_"))
    yield f"## `/api/v69/ws/{endpoint.path}`\n"
    yield (endpoint.__doc__ or "").strip() + "\n"
    login = "needs a login" if endpoint.requires_auth else "open to anybody"
    yield (
        f"{login.capitalize()}; messages up to {limits.max_message // 1024} KiB,"
        f" {limits.messages_per_minute} a minute."
        + (f" Also at: {_names(endpoint.aliases)}." if endpoint.aliases else "")
        + (
            f" Public channels: {_names(endpoint.public_channels)}."
            if endpoint.public_channels
            else ""
        )
        + "\n"
    )
    yield "| message | fields | role | |\n|---|---|---|---|"
    for type_, command in endpoint.commands.items():
        if type_ not in BUILT_IN:
            yield _command(command)
    yield ""


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _command(command: Command) -> str:
    fields = [
        f"`{field.encode_name}{'' if field.required else '?'}`"
        for field in msgspec.structs.fields(command.message)
        if field.name != "id"
    ]
    role = "" if command.role is None else str(command.role)
    doc = " ".join(command.doc.partition("\n\n")[0].split())
    doc = doc.replace("``", "`")
    if command.cost != 1:
        doc += f" Costs {command.cost:g}."
    return f"| `{command.type}` | {' '.join(fields)} | {role} | {doc} |"


def _closes() -> Iterator[str]:
    yield "## Close codes\n"
    yield (
        "The range says what to do with a code that is not listed: 4400 to 4499 ends the session,"
        " 4500 to 4599 asks to come back later.\n"
    )
    yield "| code | reason | then | |\n|---|---|---|---|"
    for close in CLOSE_CODES:
        yield f"| {close.code} | {close.reason} | {close.action} | {close.meaning} |"
    yield ""


def _settings() -> Iterator[str]:
    yield "## Settings\n"
    yield (
        "In `fastws.toml` (the names before the last dot are sections) or in the environment;"
        " `fastws config` prints the present values.\n"
    )
    yield "| setting | environment | default | |\n|---|---|---|---|"
    default = Config()
    for setting in describe():
        yield (
            f"| `{'.'.join(setting.path)}` | `{setting.env}` | {_default(default, setting)}"
            f" | {setting.doc} |"
        )
    yield ""


def _default(config: Config, setting: Setting) -> str:
    value: Any = config
    for name in setting.path:
        value = getattr(value, name)
    return "" if value in ("", UNSET) else f"`{json.dumps(value)}`"


def constants() -> str:
    """The close codes for browsers: code and reason → what to do."""
    rows = [f"  {json.dumps([close.code, close.reason, close.action])}," for close in CLOSE_CODES]
    return "\n".join(
        [
            "// Close codes of fastws: [code, reason, what to do next].",
            "// Made by docs/generate.py from fastws/errors.py; do not edit.",
            "export const CLOSE_CODES = [",
            *rows,
            "];",
            "",
        ]
    )


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, "utf-8")
        sys.stdout.write(f"{path.relative_to(ROOT)}\n")
